/** Segments and the parts in them, as they stand in memory. */
import type { DiskFile } from '../disk/disk.ts';
import type { BlockSummary, RecordIndex } from '../format/footer.ts';
import { FRAME_HEADER } from '../format/frame.ts';
import { SEGMENT_HEADER, segmentSalt } from '../format/header.ts';
import { type MessageKind, messageFields } from '../format/records.ts';
import type { Core } from './core.ts';

export interface Segment {
  readonly number: number;
  readonly path: string;
  readonly salt: number;
  /** Open while the segment is active, else opened on demand. */
  file: DiskFile | undefined;
  opening: Promise<DiskFile> | undefined;
  /** Reads under way: the file stays open for them. */
  users: number;
  /** Where the next frame goes. */
  end: number;
  /** Up to here the operating system has it; the rest is in write buffers. */
  written: number;
  /** Size at which it is sealed. */
  limit: number;
  /** Parts at which it is sealed, however small. */
  readonly maxParts: number;
  footerBytes: number;
  sealed: boolean;
  /** A crash cut its sealing short: nothing more is appended to it. */
  footerBegun: boolean;
  removed: boolean;
  dirty: boolean;
  /** All streams alive stand in it: recovery need not look further back. */
  snapshotComplete: boolean;
  snapshotBytes: number;
  /** `Log.position` when it became active. */
  rolledAt: number;
  readonly parts: Part[];
  liveCount: number;
  liveBytes: number;
  /** Number of the try to carry it, while it is carried. */
  carryAttempt: number;
  carriedBytes: number;
  /** Highest attempt that copies on disk tell of. */
  lastAttempt: number;
  /** How often its parts were made anew. */
  indexings: number;
  /** A read of it failed: not to be carried before that time. */
  carryNotBefore: number;
}

/** The messages of one stream, one kind and one source in one segment; sequences and offsets only grow. */
export interface Part {
  readonly segment: Segment;
  readonly stream: number;
  readonly kind: MessageKind;
  readonly source: number;
  readonly attempt: number;
  /** Frame bytes beside the payload. */
  readonly overhead: number;
  count: number;
  first: number;
  last: number;
  liveCount: number;
  liveBytes: number;
  /** Where each lies, until the segment is sealed. */
  index: GrowingIndex | undefined;
  /** Where the indexes lie in the footer. */
  blocks: readonly BlockSummary[];
  /** Up to this sequence what lives was copied to the successors, and counts there. */
  carriedThrough: number;
  /** Doesn't count: of a removed stream, or a copy whose original is still there. */
  void: boolean;
  successors: Part[] | undefined;
  /** Since its index turned out damaged: the parts that were made anew. */
  replacedBy: Part[] | undefined;
}

/** Typed arrays, of which the first `count` places are filled. */
export interface GrowingIndex extends RecordIndex {
  count: number;
  sequences: Float64Array;
  offsets: Uint32Array;
  sizes: Uint32Array;
}

const NO_SEQUENCES = new Float64Array(0);
const NO_NUMBERS = new Uint32Array(0);
/** Most streams of many have one message in a segment. */
const FIRST_RECORDS = 4;

export function makeIndex(): GrowingIndex {
  return { count: 0, sequences: NO_SEQUENCES, offsets: NO_NUMBERS, sizes: NO_NUMBERS };
}

// hot: half a million a segment. Lists of numbers made the heap grow by 12 MB a segment, and V8 marked all of it two
// or three times a second: 6 % of a server that takes puts only.
export function pushRecord(index: GrowingIndex, sequence: number, offset: number, size: number): void {
  const at = index.count;
  if (at === index.sequences.length) grow(index);
  index.sequences[at] = sequence;
  index.offsets[at] = offset;
  index.sizes[at] = size;
  index.count = at + 1;
}

function grow(index: GrowingIndex): void {
  const { sequences, offsets, sizes } = index;
  const records = Math.max(FIRST_RECORDS, 2 * index.count);
  index.sequences = new Float64Array(records);
  index.offsets = new Uint32Array(records);
  index.sizes = new Uint32Array(records);
  index.sequences.set(sequences);
  index.offsets.set(offsets);
  index.sizes.set(sizes);
}

const NO_BLOCKS: readonly BlockSummary[] = [];

export function makePart(
  segment: Segment,
  stream: number,
  kind: MessageKind,
  source: number,
  attempt: number,
): Part {
  return {
    segment,
    stream,
    kind,
    source,
    attempt,
    overhead: FRAME_HEADER + messageFields(kind),
    count: 0,
    first: 0,
    last: 0,
    liveCount: 0,
    liveBytes: 0,
    index: makeIndex(),
    blocks: NO_BLOCKS,
    carriedThrough: 0,
    void: false,
    successors: undefined,
    replacedBy: undefined,
  };
}

export function addToIndex(part: Part, sequence: number, offset: number, size: number): void {
  pushRecord(part.index!, sequence, offset, size);
  if (part.count++ === 0) part.first = sequence;
  part.last = sequence;
}

export function segmentsPath(directory: string): string {
  return `${directory}/segments`;
}

export function segmentPath(directory: string, number: number): string {
  return `${segmentsPath(directory)}/${String(number).padStart(16, '0')}.segment`;
}

/** `undefined` for a name that is none of a segment. */
export function segmentNumber(name: string): number | undefined {
  return /^\d{16}\.segment$/.test(name) ? Number(name.slice(0, 16)) : undefined;
}

/**
 * A part takes some 900 bytes of memory until its segment is sealed, also when its stream is gone: streams that come
 * and go by the million would be bounded by the bytes of a segment only. So a segment holds a part for each 320 of
 * its bytes, 200,000 in one of 64 MiB.
 */
const PART_BYTES = 320;
const MIN_PARTS = 256;

export function makeSegment(
  directory: string,
  identity: Uint8Array,
  number: number,
  segmentBytes: number,
): Segment {
  return {
    number,
    path: segmentPath(directory, number),
    salt: segmentSalt(identity, number),
    file: undefined,
    opening: undefined,
    users: 0,
    end: SEGMENT_HEADER,
    written: SEGMENT_HEADER,
    limit: segmentBytes,
    maxParts: Math.max(MIN_PARTS, Math.ceil(segmentBytes / PART_BYTES)),
    footerBytes: 0,
    sealed: false,
    footerBegun: false,
    removed: false,
    dirty: false,
    snapshotComplete: false,
    snapshotBytes: 0,
    rolledAt: 0,
    parts: [],
    liveCount: 0,
    liveBytes: 0,
    carryAttempt: 0,
    carriedBytes: 0,
    lastAttempt: 0,
    indexings: 0,
    carryNotBefore: 0,
  };
}

/** Lends the file, opening it if need be; it isn't closed before the work ends. */
export async function withFile<T>(
  core: Core,
  segment: Segment,
  work: (file: DiskFile) => Promise<T>,
): Promise<T> {
  segment.users++;
  try {
    if (segment.file === undefined) {
      segment.opening ??= core.disk.open(segment.path, { create: false });
      try {
        segment.file = await segment.opening;
      } finally {
        segment.opening = undefined;
      }
      await closeIdle(core);
    }
    return await work(segment.file);
  } finally {
    segment.users--;
    if ((segment.removed || core.filesClosed) && segment.users === 0) await closeFile(segment);
  }
}

/** Closes the file of a sealed or removed segment, unless a read is at it: then that one does. */
export async function closeFile(segment: Segment): Promise<void> {
  const { file } = segment;
  if (file === undefined || segment.users > 0) return;
  segment.file = undefined;
  await file.close();
}

/** Closes the files of sealed segments that are too many: further ones are opened for the read. */
export async function closeIdle(core: Core): Promise<void> {
  let open = 0;
  for (const segment of core.segments.values()) if (segment.file !== undefined) open++;
  for (const segment of core.segments.values()) {
    if (open <= core.limits.openFiles) return;
    if (segment.file === undefined || segment.users > 0 || !segment.sealed || segment.dirty) continue;
    open--;
    await closeFile(segment);
  }
}

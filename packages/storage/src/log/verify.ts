/** Reads every frame of every segment and says what is whole. Changes nothing but the lock. */
import type { Disk, DiskFile } from '../disk/disk.ts';
import { type BlockSummary, decodeBlock } from '../format/footer.ts';
import { FRAME_HEADER } from '../format/frame.ts';
import { SEGMENT_HEADER, segmentSalt } from '../format/header.ts';
import { CARRIED, DATA, type MessageKind, MOVED, message, messageFields } from '../format/records.ts';
import { type Found, findSegments } from './found.ts';
import { readFooter } from './indexes.ts';
import { takeLock } from './open.ts';
import { makeReplay, type Replay, replayRecord } from './replay.ts';
import { scanFrames } from './scan.ts';
import { makeSegment } from './segment.ts';

export interface VerifyOptions {
  readonly disk: Disk;
  readonly directory: string;
  /** Told after each segment. */
  readonly onProgress?: (progress: {
    readonly segment: number;
    readonly done: number;
    readonly of: number;
  }) => void;
}

export interface VerifyReport {
  readonly segments: number;
  readonly bytes: number;
  /** Intact records of all kinds. */
  readonly records: number;
  /** Messages on disk per stream, consumed ones and copies included; the name is missing if no record tells it. */
  readonly streams: readonly {
    readonly id: number;
    readonly name: string | undefined;
    readonly messages: number;
    readonly payloadBytes: number;
  }[];
  /** Places whose bytes are not what was written, with something intact behind them. */
  readonly damaged: readonly {
    readonly segment: number;
    readonly offset: number;
    readonly bytes: number;
    readonly what: 'header' | 'records' | 'index';
  }[];
  /** What a crash cut off; the next opening removes it. */
  readonly tornTails: readonly {
    readonly segment: number;
    readonly offset: number;
    readonly bytes: number;
  }[];
}

/** @throws LogError `log-locked`, `log-foreign`, `log-version` */
export async function verifyLog(options: VerifyOptions): Promise<VerifyReport> {
  const lock = await takeLock(options);
  try {
    const { identity, files } = await findSegments(options.disk, options.directory);
    const report = makeReport();
    let done = 0;
    for (const found of files) {
      if (identity !== undefined) {
        const file = await options.disk.open(found.path, { create: false });
        try {
          await verifySegment(report, identity, options.directory, found, file);
        } finally {
          await file.close();
        }
      }
      options.onProgress?.({ segment: found.number, done: ++done, of: files.length });
    }
    return finish(report, files);
  } finally {
    await lock.release();
  }
}

interface Report {
  readonly replay: Replay;
  readonly messages: Map<number, { messages: number; payloadBytes: number }>;
  readonly damaged: VerifyReport['damaged'][number][];
  readonly tornTails: VerifyReport['tornTails'][number][];
}

function makeReport(): Report {
  return { replay: makeReplay(), messages: new Map(), damaged: [], tornTails: [] };
}

async function verifySegment(
  report: Report,
  identity: Uint8Array,
  directory: string,
  found: Found,
  file: DiskFile,
): Promise<void> {
  const { number: segment, size } = found;
  const wanted = { index: false, control: true };
  const scanned = makeSegment(directory, identity, segment, 0);
  if (found.headerDamaged && size > SEGMENT_HEADER) {
    report.damaged.push({ segment, offset: 0, bytes: SEGMENT_HEADER, what: 'header' });
  }
  const result = await scanFrames(file, size, segmentSalt(identity, segment), (bytes, start, end, offset) => {
    replayRecord(report.replay, scanned, [], wanted, bytes, start, end, offset);
    const type = bytes[start]!;
    if (type === DATA || type === MOVED || type === CARRIED) count(report, type, bytes, start, end);
  });
  for (const { offset, bytes } of result.damaged) {
    report.damaged.push({ segment, offset, bytes, what: 'records' });
  }
  if (result.footerBegun) await verifyFooter(report, found, file, scanned.salt);
  else if (size > result.end) {
    report.tornTails.push({ segment, offset: result.end, bytes: size - result.end });
  }
}

function count(report: Report, kind: MessageKind, bytes: Uint8Array, start: number, end: number): void {
  const stream = message.streamOf(bytes, start);
  const known = report.messages.get(stream) ?? { messages: 0, payloadBytes: 0 };
  known.messages++;
  known.payloadBytes += end - start - messageFields(kind);
  report.messages.set(stream, known);
}

async function verifyFooter(report: Report, found: Found, file: DiskFile, salt: number): Promise<void> {
  const { number: segment } = found;
  const footer = await readFooter(file, found.size, salt);
  // A footer that was only begun is made anew at the next opening.
  if (footer === 'none') return;
  if ('damagedAt' in footer) {
    report.damaged.push({ segment, offset: footer.damagedAt, bytes: footer.bytes.length, what: 'index' });
    return;
  }
  for (const part of footer.parts) {
    const overhead = FRAME_HEADER + messageFields(part.kind as MessageKind);
    for (const block of part.blocks) {
      if (await blockIntact(file, block, overhead)) continue;
      report.damaged.push({ segment, offset: block.offset, bytes: block.length, what: 'index' });
    }
  }
}

async function blockIntact(file: DiskFile, block: BlockSummary, overhead: number): Promise<boolean> {
  const bytes = Buffer.allocUnsafeSlow(block.length);
  const filled = await file.read(bytes, block.offset);
  return decodeBlock(bytes.subarray(0, filled), block, overhead) !== undefined;
}

function finish(report: Report, files: readonly Found[]): VerifyReport {
  const decoder = new TextDecoder();
  const streams = [...report.messages].map(([id, counted]) => {
    const record = report.replay.streams.get(id)?.record;
    return { id, name: record === undefined ? undefined : decoder.decode(record.name), ...counted };
  });
  return {
    segments: files.length,
    bytes: files.reduce((sum, found) => sum + found.size, 0),
    records: report.replay.records,
    streams: streams.sort((left, right) => left.id - right.id),
    damaged: report.damaged,
    tornTails: report.tornTails,
  };
}

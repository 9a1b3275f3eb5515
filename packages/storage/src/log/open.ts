/** Puts a log together: lock, recovery, workers; and takes it apart at the close. */
import { randomBytes } from 'node:crypto';
import { systemClock } from '../clock.ts';
import { DiskError } from '../disk/disk.ts';
import { LogError } from '../errors.ts';
import { IDENTITY_BYTES, SEGMENT_HEADER } from '../format/header.ts';
import { makeBlockCache } from './block-cache.ts';
import { closeFiles, closeLog } from './close.ts';
import { type Core, makeWorker, refusal, type Workers } from './core.ts';
import { quarantinePath } from './damage.ts';
import { type Found, findSegments } from './found.ts';
import { limitsOf, MAX_NAME_BYTES } from './limits.ts';
import { reclaimSegments } from './reclaim.ts';
import { recountParts } from './recount.ts';
import { recover } from './recovery.ts';
import { makeReserve, makeRoom } from './reserve.ts';
import { resumeParts } from './revive.ts';
import { sealSegments } from './seal.ts';
import { closeFile, type Segment, segmentsPath } from './segment.ts';
import { writeSnapshot } from './snapshot.ts';
import { createSegment, makeSpare } from './spare.ts';
import { logStats } from './stats.ts';
import { LogStream, writeRemoval } from './stream.ts';
import type { Log, LogOptions, LogStats, Stream } from './types.ts';
import { durable } from './writer.ts';

/**
 * Opens the log in the folder, or makes one.
 * @throws LogError `log-locked`, `log-foreign`, `log-version`, `log-full`, `read-failed`
 * @throws RangeError when the limits cannot hold together
 */
export async function openLog(options: LogOptions): Promise<Log> {
  const { disk, directory } = options;
  const core = makeCore(options);
  await disk.makeDirectory(directory);
  const lock = await takeLock(options);
  try {
    await disk.makeDirectory(segmentsPath(directory));
    await disk.makeDirectory(quarantinePath(directory));
    await openSegments(core, options);
  } catch (error) {
    try {
      await closeFiles(core);
    } finally {
      await lock.release();
    }
    throw error;
  }
  return new OpenLog(core, lock);
}

/** A class, because a literal with getters is a dictionary to V8, and a server asks for the position at each request. */
class OpenLog implements Log {
  readonly streams: ReadonlyMap<string, Stream>;
  readonly maxInFlightBytes: number;
  readonly #core: Core;
  readonly #lock: { release(): Promise<void> };
  #closing: Promise<void> | undefined;

  constructor(core: Core, lock: { release(): Promise<void> }) {
    this.#core = core;
    this.#lock = lock;
    this.streams = core.byName;
    this.maxInFlightBytes = core.limits.busyBytes;
  }

  get position(): number {
    return this.#core.position;
  }

  get committedPosition(): number {
    return this.#core.committedPosition;
  }

  get full(): boolean {
    return this.#core.full;
  }

  get congested(): boolean {
    return this.#core.pendingBytes > this.#core.limits.backlogBytes;
  }

  get stats(): LogStats {
    return logStats(this.#core);
  }

  createStream(name: string, attributes?: Uint8Array): Stream {
    return createStream(this.#core, name, attributes);
  }

  sync(): Promise<void> {
    return durable(this.#core, this.#core.position);
  }

  close(): Promise<void> {
    this.#closing ??= closeLog(this.#core, this.#lock);
    return this.#closing;
  }
}

export async function takeLock(
  options: Pick<LogOptions, 'disk' | 'directory'>,
): Promise<{ release(): Promise<void> }> {
  try {
    return await options.disk.lock(`${options.directory}/lock`);
  } catch (error) {
    if (error instanceof DiskError && error.code === 'ELOCKED') {
      throw new LogError('log-locked', `Another process has ${options.directory} open.`, { cause: error });
    }
    throw error;
  }
}

function makeCore(options: LogOptions): Core {
  const limits = limitsOf(options);
  const none = (): void => undefined;
  const core: Core = {
    disk: options.disk,
    clock: options.clock ?? systemClock,
    directory: options.directory,
    sync: options.sync,
    limits,
    identity: new Uint8Array(IDENTITY_BYTES),
    onCommit: options.onCommit ?? none,
    onEvent: options.onEvent ?? none,
    state: 'open',
    appendsRefused: false,
    changesRefused: false,
    segments: new Map(),
    // Set by openSegments, before anything uses it.
    active: undefined as unknown as Segment,
    spare: undefined,
    nextSegment: 1,
    dropped: new Map(),
    streams: new Map(),
    byName: new Map(),
    nextStreamId: 1,
    orphans: [],
    superseded: [],
    marked: [],
    chunks: [],
    chunk: undefined,
    pendingBytes: 0,
    scheduled: false,
    position: 0,
    writtenPosition: 0,
    syncedPosition: 0,
    committedPosition: 0,
    syncing: false,
    gathering: undefined,
    dirty: [],
    waiters: [],
    syncTimer: undefined,
    full: false,
    stalled: false,
    exhausted: false,
    reserveBytes: 0,
    liveBytes: 0,
    sealedBytes: 0,
    deadSegments: true,
    recounts: new Set(),
    cache: makeBlockCache(limits.indexCacheBytes),
    counters: {
      appendedRecords: 0,
      writtenBytes: 0,
      writes: 0,
      syncs: 0,
      carriedBytes: 0,
      removedSegments: 0,
      damagedRecords: 0,
    },
    workers: undefined as unknown as Workers,
    tasks: new Set(),
    sleepers: new Set(),
    filesClosed: false,
  };
  core.workers = {
    spare: makeWorker(core, makeSpare),
    snapshot: makeWorker(core, writeSnapshot),
    seal: makeWorker(core, sealSegments),
    reclaim: makeWorker(core, reclaimSegments),
    recount: makeWorker(core, recountParts),
    space: makeWorker(core, makeRoom),
  };
  return core;
}

async function openSegments(core: Core, options: LogOptions): Promise<void> {
  const started = core.clock.now();
  const found = await findSegments(core.disk, core.directory);
  core.identity = found.identity ?? (options.randomBytes ?? randomBytes)(IDENTITY_BYTES);
  const files = await removeUnborn(core, found.files);
  core.nextSegment = (files.at(-1)?.number ?? 0) + 1;
  const recovered = await recover(core, files);
  await chooseActive(core, recovered.segments);
  resumeParts(core);
  await makeReserve(core);
  core.onEvent({
    type: 'recovered',
    segments: recovered.segments.length,
    scannedBytes: recovered.scannedBytes,
    records: recovered.records,
    durationMs: core.clock.now() - started,
  });
  for (const stream of core.orphans.splice(0)) stream.writeBirth();
  for (const id of core.superseded.splice(0)) writeRemoval(core, id);
  for (const worker of Object.values(core.workers)) worker.poke();
}

/** Files whose creation a crash cut off hold nothing. */
async function removeUnborn(core: Core, files: readonly Found[]): Promise<Found[]> {
  const born: Found[] = [];
  for (const found of files) {
    if (found.size >= SEGMENT_HEADER && !(found.headerDamaged && found.size === SEGMENT_HEADER))
      born.push(found);
    else await core.disk.remove(found.path);
  }
  if (born.length < files.length) await core.disk.syncDirectory(segmentsPath(core.directory));
  return born;
}

/** The newest segment with records goes on, unless its sealing was begun. Empty ones behind it are spare. */
async function chooseActive(core: Core, segments: readonly Segment[]): Promise<void> {
  const used = segments.findLastIndex(
    (segment) => segment.sealed || segment.parts.length > 0 || segment.end > 128,
  );
  const newest = segments[used];
  const goesOn = newest !== undefined && !newest.sealed && !newest.footerBegun;
  const empty = segments.slice(used + 1);
  for (const segment of empty) core.segments.delete(segment.number);
  core.active = goesOn ? newest : (empty.shift() ?? (await createSegment(core)));
  core.segments.set(core.active.number, core.active);
  core.spare = empty.shift();
  for (const segment of empty) {
    await closeFile(segment);
    await core.disk.remove(segment.path);
  }
}

function createStream(core: Core, asked: string, attributes?: Uint8Array): LogStream {
  // As it will be read back: a half of a surrogate pair has no UTF-8.
  const name = asked.toWellFormed();
  if (core.appendsRefused) throw refusal(core);
  const nameBytes = Buffer.from(name);
  if (nameBytes.length > MAX_NAME_BYTES) {
    throw new LogError('name-too-long', `A stream's name has ${MAX_NAME_BYTES} bytes at most.`);
  }
  if (core.byName.has(name)) throw new LogError('stream-exists', `There is a stream ${name} already.`);
  const stream = new LogStream(core, core.nextStreamId++, name, nameBytes, new Uint8Array(attributes ?? []));
  core.streams.set(stream.id, stream);
  core.byName.set(name, stream);
  stream.writeBirth();
  return stream;
}

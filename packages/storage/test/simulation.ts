/**
 * One seed of the storage simulator: an owner does random things with a log on the simulated disk, machines and
 * processes die at random moments, and after each restart the log is held to the model.
 */
import { type CrashKind, type ProgramLife, Random, SimulatedClock, SimulatedDisk } from '@rookery/testkit';
import {
  type Disk,
  DiskError,
  type Entry,
  type Log,
  LogError,
  type LogEvent,
  openLog,
  type Stream,
} from '../src/index.ts';
import { checkAfterFlips, type Flip } from './damage.ts';
import {
  Model,
  type ModelMessage,
  type ModelStream,
  type Observed,
  payloadOf,
  told,
  Violation,
} from './model.ts';
import { type Action, drawOptions, type SimulationOptions } from './options.ts';

export const DIRECTORY = '/data/log';

/** Bends the log or its disk, so that a test can see whether the simulator notices. */
export interface Sabotage {
  readonly disk?: (disk: Disk) => Disk;
  readonly open?: typeof openLog;
  readonly options?: Partial<SimulationOptions>;
}

export interface SimulationReport {
  readonly operations: number;
  readonly appended: number;
  readonly powerLosses: number;
  readonly kills: number;
  readonly cleanCloses: number;
  readonly crashesWhileOpening: number;
  readonly segmentsRemoved: number;
  readonly carriedBytes: number;
  readonly timesFull: number;
  readonly failures: number;
  readonly uncommittedLost: number;
}

export class SimulationFailure extends Error {
  readonly seed: number;
  constructor(seed: number, options: SimulationOptions, trace: readonly string[], cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(
      `seed ${seed}: ${reason}\nreplay: ROOKERY_TEST_SEED=${seed} npx vitest run --project storage test/simulation\n` +
        `options: ${JSON.stringify(options)}\nlast operations:\n  ${trace.slice(-Number(process.env.ROOKERY_TEST_TRACE ?? 60)).join('\n  ')}`,
      { cause },
    );
    this.name = 'SimulationFailure';
    this.seed = seed;
  }
}

/** Runs one seed. @throws SimulationFailure with what is needed to replay it */
export async function simulate(seed: number, sabotage: Sabotage = {}): Promise<SimulationReport> {
  const simulation = new Simulation(seed, sabotage);
  try {
    return await simulation.run();
  } catch (error) {
    throw new SimulationFailure(seed, simulation.options, simulation.trace, error);
  }
}

export interface FlipReport {
  readonly flips: number;
  readonly missing: number;
  readonly told: number;
}

/** Runs one seed without other faults, then flips bits in the closed log's files, and opens it again, twice. */
export async function simulateFlips(seed: number): Promise<FlipReport> {
  const faults = { full: 0, write: 0, sync: 0, read: 0, clock: 0 };
  const simulation = new Simulation(seed, { options: { faults } });
  try {
    return await simulation.runFlips();
  } catch (error) {
    throw new SimulationFailure(seed, simulation.options, simulation.trace, error);
  }
}

/** A sync may have to wait for one under way. */
const SYNCS_AFTER_INTERVAL = 2;
/** How long an idle log may take until all is settled: retries after a full disk come each second. */
const SETTLE_MS = 4_000;

/** What a frame adds to a payload: least and most. */
const FRAME_BYTES = [25, 50] as const;

/** Thrown by the simulation itself when the machine went down under it. */
class Down extends Error {}

/** One time between an opening of the log and its end. */
interface Life {
  readonly log: Log;
  readonly clock: ProgramLife;
  readonly streams: Map<ModelStream, Stream>;
}

class Simulation {
  readonly options: SimulationOptions;
  readonly trace: string[] = [];
  readonly #random: Random;
  readonly #clock = new SimulatedClock();
  readonly #disk: SimulatedDisk;
  readonly #sabotage: Sabotage;
  readonly #model = new Model();
  #life: Life | undefined;
  #payloads = 0;
  #operations = 0;

  // Of this life.
  #committed = 0;
  /** What is certain to outlive a power loss: by position and, in modes with an interval, by time. */
  #synced = 0;
  #commits: { atMs: number; position: number }[] = [];
  #failed = false;
  #faulted = false;
  /** After a sync failed: what was durable then. A kill after it may lose the rest, too. */
  #floorAtFailure: number | undefined;
  /** Until then an append may be refused for want of room. */
  #fullUntilMs = Number.NEGATIVE_INFINITY;
  #endFault: (() => void) | undefined;
  #injected: (() => void)[] = [];
  #flipping = false;
  readonly #flipEvents: LogEvent[] = [];

  #report = {
    powerLosses: 0,
    kills: 0,
    cleanCloses: 0,
    crashesWhileOpening: 0,
    segmentsRemoved: 0,
    carriedBytes: 0,
    timesFull: 0,
    failures: 0,
  };

  constructor(seed: number, sabotage: Sabotage) {
    this.#random = new Random(seed);
    this.options = { ...drawOptions(this.#random.fork('options')), ...sabotage.options };
    this.#sabotage = sabotage;
    this.#disk = new SimulatedDisk({
      clock: this.#clock,
      random: this.#random.fork('disk'),
      shortWriteChance: this.options.shortWriteChance,
      syncMs: this.options.syncMs,
      makeError: (code, message) => new DiskError(code, message),
    });
  }

  async run(): Promise<SimulationReport> {
    let required = { power: 0, kill: 0 };
    for (let life = 0; life < this.options.lives; life++) {
      await this.#open(required);
      required = await this.#live();
      // A log that failed lets go of its files at once; closing them waits for what is in flight.
      if (this.#disk.misuses.length > 0 && this.#report.failures === 0)
        throw new Violation(this.#disk.misuses.join('; '));
    }
    await this.#open(required);
    await this.#settle();
    await this.#closeCleanly();
    return {
      ...this.#report,
      operations: this.#operations,
      appended: this.#model.appended,
      uncommittedLost: this.#model.lost,
    };
  }

  async runFlips(): Promise<FlipReport> {
    await this.run();
    this.#flipEvents.length = 0;
    const flips = this.#flip();
    this.#flipping = true;
    let earlier: string | undefined;
    let missing = 0;
    for (let opening = 0; opening < 2; opening++) {
      this.#disk.restart();
      this.#begin();
      const clock = this.#clock.life();
      const log = await this.#wait(this.#openLog(clock), 'the log to open');
      const observed = await this.#observe(log);
      missing = checkAfterFlips(this.#model, observed, flips, this.#flipEvents);
      const now = observed
        .map((stream) => `${stream.id}:${stream.entries.map((entry) => entry.sequence).join(',')}`)
        .sort()
        .join(' ');
      if (earlier !== undefined && now !== earlier)
        throw new Violation(`opened again it holds ${now}, not ${earlier}`);
      earlier = now;
      await this.#wait(log.close(), 'the close');
      clock.end();
    }
    return { flips: flips.length, missing, told: this.#flipEvents.length };
  }

  #flip(): Flip[] {
    const files = this.#disk.files().filter((file) => file.path.includes('/segments/') && file.bytes > 0);
    return Array.from({ length: this.#random.between(1, 3) }, () => {
      const { path, bytes } = this.#random.pick(files);
      const flip = { path, position: this.#random.below(bytes), mask: 1 << this.#random.below(8) };
      this.#note(() => `flip ${JSON.stringify(flip)}`);
      this.#disk.flip(path, flip.position, flip.mask);
      return flip;
    });
  }

  // ---- Opening, over and over if the machine dies meanwhile

  async #open(required: { readonly power: number; readonly kill: number }): Promise<void> {
    let powerFailed = this.#lastCrash === 'power';
    for (let attempt = 0; ; attempt++) {
      this.#disk.restart();
      const crashes = attempt < 4 && this.#random.chance(0.3);
      const kind = this.#drawCrashKind();
      if (crashes) this.#disk.crashAfter(this.#random.between(1, 60), kind);
      this.#begin();
      try {
        const clock = this.#clock.life();
        const log = await this.#wait(this.#openLog(clock), 'the log to open');
        const observed = await this.#observe(log);
        const floor = powerFailed ? required.power : required.kill;
        this.#note(() => `opened; floor ${floor}; ${observed.length} streams`);
        this.#model.reconcile(observed, floor);
        this.#startLife(log, clock);
        this.#disk.crashAfter(Number.POSITIVE_INFINITY, kind);
        return;
      } catch (error) {
        if (error instanceof LogError && error.code === 'log-full' && this.#disk.capacityBytes < Infinity) {
          this.#note(() => 'no room to open');
          this.#disk.capacityBytes = Number.POSITIVE_INFINITY;
          continue;
        }
        if (!(error instanceof Down)) throw error;
        this.#note(() => `${kind} while opening`);
        this.#report.crashesWhileOpening++;
        this.#count(kind);
        powerFailed ||= kind === 'power';
        await this.#clock.turn();
      }
    }
  }

  #lastCrash: CrashKind | 'closed' = 'closed';

  #begin(): void {
    this.#committed = 0;
    this.#synced = 0;
    this.#commits = [];
    this.#failed = false;
    this.#faulted = false;
    this.#floorAtFailure = undefined;
    this.#life = undefined;
    for (const end of this.#injected.splice(0)) end();
  }

  #openLog(clock: ProgramLife): Promise<Log> {
    const { options } = this;
    const identity = this.#random.fork('identity');
    return (this.#sabotage.open ?? openLog)({
      disk: this.#sabotage.disk?.(this.#disk) ?? this.#disk,
      directory: DIRECTORY,
      clock,
      sync: options.sync,
      segmentBytes: options.segmentBytes,
      maxPayloadBytes: options.maxPayloadBytes,
      reserveBytes: options.reserveBytes,
      backlogBytes: options.backlogBytes,
      indexCacheBytes: options.indexCacheBytes,
      randomBytes: (size) => identity.bytes(size),
      onCommit: (position) => this.#onCommit(position),
      onEvent: (event) => this.#onEvent(event),
    });
  }

  #onCommit(position: number): void {
    if (this.#disk.down) return; // The owner died in the middle of this turn.
    if (position <= this.#committed) throw new Violation(`committed ${position} after ${this.#committed}`);
    if (this.#failed) throw new Violation(`committed ${position} after it had failed`);
    this.#committed = position;
    this.#commits.push({ atMs: this.#clock.elapsedMs, position });
  }

  #onEvent(event: LogEvent): void {
    if (this.#disk.down) return;
    this.#note(() => `event ${JSON.stringify(event)}`);
    if (event.type === 'damaged' || event.type === 'torn-tail') this.#flipEvents.push(event);
    if (event.type === 'failed') {
      if (!this.#faulted) throw new Violation(`the log failed without a cause: ${event.error.stack}`);
      this.#failed = true;
      this.#report.failures++;
    } else if (event.type === 'full') {
      this.#report.timesFull++;
      if (this.#clock.elapsedMs > this.#fullUntilMs) throw new Violation('full, though there is room');
    } else if (event.type === 'segment-removed') {
      this.#report.segmentsRemoved++;
      this.#report.carriedBytes += event.carriedBytes;
    } else if (event.type === 'damaged' && !this.#mayBeDamaged) {
      throw new Violation('found damage, though nothing was damaged');
    }
  }

  /** What a power loss once tore stays in its segment, and is told whenever that is scanned. */
  get #mayBeDamaged(): boolean {
    return this.#report.powerLosses > 0 || this.#report.failures > 0 || this.#faulted || this.#flipping;
  }

  async #observe(log: Log): Promise<Observed[]> {
    const observed: Observed[] = [];
    for (const stream of log.streams.values()) observed.push(await this.#observeStream(stream));
    return observed;
  }

  async #observeStream(stream: Stream): Promise<Observed> {
    const entries: Entry[] = [];
    for (;;) {
      const limit = { maxEntries: this.#random.between(1, 200), maxBytes: this.#random.between(1, 100_000) };
      const some = await this.#wait(stream.read(entries.at(-1)?.sequence ?? 0, limit), 'a read');
      if (some.length > limit.maxEntries)
        throw new Violation(`${some.length} entries of ${limit.maxEntries}`);
      if (some.length === 0) break;
      entries.push(...some);
    }
    return {
      id: stream.id,
      name: stream.name,
      attributes: Buffer.from(stream.attributes),
      nextSequence: stream.nextSequence,
      liveCount: stream.liveCount,
      livePayloadBytes: stream.livePayloadBytes,
      entries,
      isAcknowledged: (sequence) => stream.isAcknowledged(sequence),
    };
  }

  #startLife(log: Log, clock: ProgramLife): void {
    const byId = new Map([...log.streams.values()].map((stream) => [stream.id, stream]));
    const streams = new Map<ModelStream, Stream>();
    for (const stream of this.#model.streams.values()) streams.set(stream, byId.get(stream.id)!);
    for (const [name, stream] of log.streams) {
      if (stream.name !== name) throw new Violation(`stream ${stream.name} stands under ${name}`);
    }
    this.#life = { log, clock, streams };
  }

  // ---- One life

  /** Until the crash or close at its end; returns up to which position what must be there afterwards. */
  async #live(): Promise<{ power: number; kill: number }> {
    const { options } = this;
    const end = this.#random.weighted({ close: 1, sudden: 3, inStep: 1 });
    const kind = this.#drawCrashKind();
    if (end === 'sudden') this.#disk.crashAfter(Math.ceil(this.#random.between(1, 60) ** 1.6), kind);
    try {
      for (let step = 0; step < options.stepsPerLife; step++) {
        await this.#step();
        if (this.#failed) break;
      }
      if (end === 'close' && !this.#failed) {
        if (this.#random.chance(0.2)) this.#disk.crashAfter(this.#random.between(1, 20), kind);
        if (await this.#closeCleanly()) return { power: 0, kill: 0 };
      }
      throw new Down();
    } catch (error) {
      // A write that throws because the machine went down may come out of any call.
      if (!(error instanceof Down) && !this.#disk.down) throw error;
      return this.#die(kind);
    }
  }

  #die(kind: CrashKind): { power: number; kill: number } {
    if (!this.#disk.down) {
      if (kind === 'power') this.#disk.crash();
      else this.#disk.kill();
    }
    const life = this.#life;
    const required = { power: this.#powerFloor(), kill: this.#floorAtFailure ?? this.#committed };
    this.#note(() => `${kind}; floor ${JSON.stringify(required)} of ${life?.log.position}`);
    life?.clock.end();
    this.#life = undefined;
    this.#lastCrash = kind;
    this.#count(kind);
    this.#endEpisode();
    return required;
  }

  #count(kind: CrashKind): void {
    if (kind === 'power') this.#report.powerLosses++;
    else this.#report.kills++;
  }

  /** What is on the device for certain. */
  #powerFloor(): number {
    if (this.#floorAtFailure !== undefined) return this.#floorAtFailure;
    const { sync, syncMs } = this.options;
    if (sync === 'always') return this.#committed;
    if (sync === 'never') return this.#synced;
    // Time may have gone on since the machine went down.
    const endMs = this.#disk.down ? this.#disk.crashedAtMs : this.#clock.elapsedMs;
    const untilMs = endMs - sync.everyMs - SYNCS_AFTER_INTERVAL * syncMs[1] - 1;
    const old = this.#commits.findLast((commit) => commit.atMs <= untilMs);
    return Math.max(this.#synced, old?.position ?? 0);
  }

  async #step(): Promise<void> {
    this.#drawFaults();
    const actions = this.#random.weighted({ 1: 2, 4: 2, 15: 1, 60: 0.2 });
    for (let i = 0; i < Number(actions); i++) {
      this.#operations++;
      await this.#act(this.#random.weighted(this.options.weights));
      if (this.#disk.down) throw new Down();
      if (this.#failed) return;
    }
    const pause = this.#random.below(4);
    if (pause === 0) await this.#clock.turn();
    else if (pause === 1) await this.#advance(this.#random.float());
    else if (pause === 2) await this.#advance(this.#random.float() * 10);
    else await this.#advance(this.#random.float() * 100);
    if (this.#disk.down) throw new Down();
  }

  async #act(action: Action): Promise<void> {
    const { log } = this.#life!;
    try {
      switch (action) {
        case 'append':
          return this.#append();
        case 'acknowledge':
          return this.#acknowledge(false);
        case 'acknowledgeNext':
          return this.#acknowledge(true);
        case 'acknowledgeThrough':
          return this.#acknowledgeThrough();
        case 'cursor':
          return this.#cursor();
        case 'move':
          return this.#move();
        case 'attributes':
          return this.#setAttributes();
        case 'create':
          return this.#create();
        case 'remove':
          return this.#remove();
        case 'peek':
          return this.#peek();
        case 'read':
          return await this.#read();
        case 'sync':
          return await this.#sync(log);
        case 'settle':
          return await this.#settle();
      }
    } catch (error) {
      this.#requireExcuse(error);
    }
  }

  /** A refusal is fine if there is a reason for it; anything else is not. */
  #requireExcuse(error: unknown): void {
    if (this.#disk.down) throw new Down();
    if (!(error instanceof LogError)) throw error;
    this.#note(() => `refused: ${error.code}`);
    const excused =
      (error.code === 'log-full' && this.#clock.elapsedMs <= this.#fullUntilMs) ||
      (error.code === 'log-failed' && this.#failed) ||
      (error.code === 'read-failed' && this.#faulted) ||
      // A turn of the simulation may hold more than the bound of what is in flight.
      error.code === 'log-busy';
    if (!excused) throw error;
  }

  // ---- What an owner does

  #draw(cursor = false): ModelStream | undefined {
    const all = [...this.#life!.streams.keys()].filter((stream) => stream.isCursor === cursor);
    return all.length === 0 ? undefined : this.#random.pick(all);
  }

  #payload(): Buffer {
    const [low, high] = this.options.payloadBytes;
    const size = this.#random.chance(0.03) ? this.options.maxPayloadBytes : this.#random.between(low, high);
    const payload = this.#random.chance(0.1) ? Buffer.alloc(size) : this.#random.bytes(size);
    // So that no two are the same, as far as there is room.
    const number = Buffer.alloc(8);
    number.writeDoubleLE(++this.#payloads);
    number.copy(payload);
    return payload;
  }

  #append(moved?: { stream: Stream; message: ModelMessage }): void {
    const target = this.#draw();
    if (target === undefined) {
      this.#create();
      return;
    }
    if (moved === undefined && this.#life!.log.stats.liveBytes > this.options.liveBytes) return;
    const stream = this.#life!.streams.get(target)!;
    const payload = this.#payload();
    // Parted at random into the head and a slice of a larger buffer.
    const headLength = this.#random.below(Math.min(payload.length, 40) + 1);
    const before = this.#random.below(20);
    const body = Buffer.concat([Buffer.alloc(before), payload.subarray(headLength), Buffer.alloc(3)]);
    const bodyEnd = before + payload.length - headLength;
    const entry = stream.append(
      payload.subarray(0, headLength),
      body,
      before,
      bodyEnd,
      moved && { stream: moved.stream, entry: moved.message.entry! },
    );
    body.fill(0xee); // Both are copied: the log must not need them any more.
    const { position } = this.#life!.log;
    this.#note(() => `append ${told(target)} #${entry.sequence} ${payload.length} B @${position}`);
    if (!payloadOf(entry).equals(payload)) throw new Violation('an entry has other bytes than were appended');
    const message = this.#model.append(target, entry, payload, position);
    if (moved === undefined) return;
    this.#note(() => `  moved from ${told(moved.message.stream)} #${moved.message.sequence}`);
    this.#model.acknowledge(moved.message, position, message);
  }

  #move(): void {
    const source = this.#draw();
    const live = source === undefined ? [] : this.#model.live(source).filter((message) => message.entry);
    if (source === undefined || live.length === 0) return;
    this.#append({ stream: this.#life!.streams.get(source)!, message: this.#random.pick(live) });
  }

  #acknowledge(next: boolean): void {
    const source = this.#draw();
    if (source === undefined) return;
    const live = this.#model.live(source).filter((message) => message.entry);
    const message = next ? live[0] : live.length > 0 ? this.#random.pick(live) : undefined;
    if (message === undefined) return;
    if (!payloadOf(message.entry!).equals(message.payload))
      throw new Violation('a held entry changed its bytes');
    const stream = this.#life!.streams.get(source)!;
    stream.acknowledge(message.entry!);
    const { position } = this.#life!.log;
    this.#note(() => `acknowledge ${told(source)} #${message.sequence} @${position}`);
    this.#model.acknowledge(message, position);
    if (this.#random.chance(0.1)) stream.acknowledge(message.entry!);
  }

  #acknowledgeThrough(): void {
    const source = this.#draw();
    const live = source === undefined ? [] : this.#model.live(source);
    if (source === undefined || live.length === 0) return;
    const through = this.#random.pick(live).sequence;
    this.#life!.streams.get(source)!.acknowledgeThrough(through);
    const { position } = this.#life!.log;
    this.#note(() => `acknowledge ${told(source)} through #${through} @${position}`);
    for (const message of live) if (message.sequence <= through) this.#model.acknowledge(message, position);
  }

  #cursor(): void {
    const cursor = this.#draw(true);
    if (cursor === undefined) return;
    const sequence = this.#random.chance(0.7) ? cursor.cursor.size + 1 : this.#random.between(1, 300);
    this.#life!.streams.get(cursor)!.acknowledgeSequence(sequence);
    const { position } = this.#life!.log;
    this.#note(() => `cursor ${told(cursor)} #${sequence} @${position}`);
    if (!cursor.cursor.has(sequence)) cursor.cursor.set(sequence, position);
  }

  #setAttributes(): void {
    const target = this.#draw();
    if (target === undefined) return;
    const bytes = this.#random.bytes(this.#random.below(60));
    this.#life!.streams.get(target)!.setAttributes(bytes);
    const { position } = this.#life!.log;
    this.#note(() => `attributes of ${told(target)} @${position}`);
    target.attributes.push({ bytes, position });
  }

  #create(): void {
    const { log, streams } = this.#life!;
    if (streams.size >= this.options.streams) return;
    const isCursor = this.#random.chance(0.2) && this.options.weights.cursor > 0;
    // Few names, so that they are used again after a removal.
    const name = `${isCursor ? 'cursor' : 'stream'}-${this.#random.below(this.options.streams * 2)}`;
    if (log.streams.has(name)) return;
    const attributes = this.#random.bytes(this.#random.below(40));
    const stream = log.createStream(name, attributes);
    this.#note(() => `create ${name} (${stream.id}) @${log.position}`);
    streams.set(this.#model.create(stream.id, name, attributes, log.position, isCursor), stream);
  }

  #remove(): void {
    const target = this.#draw(this.#random.chance(0.2));
    if (target === undefined) return;
    const { log, streams } = this.#life!;
    streams.get(target)!.remove();
    this.#note(() => `remove ${told(target)} @${log.position}`);
    target.removed = log.position;
    streams.delete(target);
    if (log.streams.get(target.name)?.id === target.id)
      throw new Violation(`${told(target)} is still listed`);
  }

  /** Looks at the figures of a stream, which must be right at each moment. */
  #peek(): void {
    const target = this.#draw(this.#random.chance(0.2));
    if (target === undefined) return;
    const stream = this.#life!.streams.get(target)!;
    for (const message of target.messages.values()) {
      if (this.#random.chance(0.9)) continue;
      if (stream.isAcknowledged(message.sequence) !== (message.acknowledged !== undefined)) {
        throw new Violation(`${told(target)}: says the wrong thing of #${message.sequence}`);
      }
    }
    if (!Buffer.from(stream.attributes).equals(target.attributes.at(-1)!.bytes)) {
      throw new Violation(`${told(target)} has other attributes than were set`);
    }
  }

  async #read(): Promise<void> {
    const target = this.#draw();
    if (target === undefined) return;
    const stream = this.#life!.streams.get(target)!;
    const after = this.#random.chance(0.5) ? 0 : this.#random.below(stream.nextSequence);
    const limit = { maxEntries: this.#random.between(1, 50), maxBytes: this.#random.between(1, 20_000) };
    const before = this.#model.live(target).filter((message) => message.sequence > after);
    this.#note(() => `read ${told(target)} after ${after}`);
    const reading = stream.read(after, limit);
    // It is read while other things go on.
    if (this.#random.chance(0.3)) {
      reading.catch(() => undefined);
      for (let i = this.#random.below(4); i > 0; i--) {
        this.#operations++;
        await this.#act(this.#random.pick(['append', 'acknowledge', 'acknowledgeNext', 'create'] as const));
      }
    }
    const entries = await this.#wait(reading, 'a read');
    // After a failed sync the system may have thrown away what was written.
    if (this.#failed) return;
    const known = new Map(before.map((message) => [message.sequence, message]));
    let previous = after;
    for (const entry of entries) {
      const message = target.messages.get(entry.sequence) ?? known.get(entry.sequence);
      const name = `${told(target)}: read #${entry.sequence}`;
      if (entry.sequence <= previous) throw new Violation(`${name} after #${previous}`);
      previous = entry.sequence;
      if (message === undefined) throw new Violation(`${name}, which is not there`);
      if (!payloadOf(entry).equals(message.payload)) throw new Violation(`${name} with other bytes`);
      message.entry = entry;
    }
    if (entries.length > limit.maxEntries)
      throw new Violation(`read ${entries.length} of ${limit.maxEntries}`);
    const got = new Set(entries.map((entry) => entry.sequence));
    for (const message of before) {
      if (entries.length > 0 && message.sequence > previous) break;
      if (message.acknowledged === undefined && !got.has(message.sequence)) {
        throw new Violation(`${told(target)}: a read after ${after} left out #${message.sequence}`);
      }
    }
    for (const sequence of got) {
      const message = target.messages.get(sequence);
      if (message?.acknowledged !== undefined && !known.has(sequence)) {
        throw new Violation(`${told(target)}: read #${sequence}, which was acknowledged before`);
      }
    }
  }

  async #sync(log: Log): Promise<void> {
    const { position } = log;
    const syncing = log.sync();
    syncing.catch(() => undefined);
    // On a full disk it waits for room.
    await this.#advance(100);
    if (log.full) this.#endEpisode();
    await this.#wait(syncing, 'a sync');
    this.#note(() => `synced @${position}`);
    this.#synced = Math.max(this.#synced, position);
  }

  /** After a while without anything to do all must be committed, reclaimed and counted. */
  async #settle(): Promise<void> {
    const { log, streams } = this.#life!;
    this.#endEpisode();
    await this.#advance(SETTLE_MS);
    if (this.#disk.down) throw new Down();
    if (this.#failed) return;
    if (log.committedPosition !== log.position) {
      throw new Violation(
        `committed is ${log.committedPosition} of ${log.position} after ${SETTLE_MS} idle ms`,
      );
    }
    if (log.full) throw new Violation('still full, though there has been room for a while');
    if (log.congested) throw new Violation('congested, though nothing is in flight');
    let payloads = 0;
    let messages = 0;
    for (const [model, stream] of streams) {
      const live = this.#model.live(model);
      const bytes = live.reduce((sum, message) => sum + message.payload.length, 0);
      payloads += bytes;
      messages += live.length;
      if (stream.liveCount !== live.length || stream.livePayloadBytes !== bytes) {
        throw new Violation(
          `${told(model)} counts ${stream.liveCount} live messages of ${stream.livePayloadBytes} bytes; ` +
            `there are ${live.length} of ${bytes}`,
        );
      }
    }
    const { liveBytes } = log.stats;
    if (liveBytes < payloads + messages * FRAME_BYTES[0] || liveBytes > payloads + messages * FRAME_BYTES[1]) {
      throw new Violation(`stats say ${liveBytes} live bytes, for ${messages} messages of ${payloads} bytes`);
    }
    this.#checkDiskUse(log);
  }

  #checkDiskUse(log: Log): void {
    const { segmentBytes } = this.options;
    let quarantined = 0;
    // A segment passes its size by what comes while the next one is being made: a lot, where segments are this small.
    let segment = segmentBytes;
    for (const { path, bytes } of this.#disk.files()) {
      if (path.includes('/quarantine/')) quarantined += bytes;
      else segment = Math.max(segment, bytes);
    }
    const used = this.#disk.usedBytes - quarantined;
    const { liveBytes, diskBytes } = log.stats;
    const bound = 2 * liveBytes + 2 * segment;
    this.#note(() => `settled: ${used} B on disk, ${liveBytes} live, bound ${bound}`);
    // A segment that could not be read is not carried for a minute.
    if (used > bound && !this.#faulted) {
      const files = this.#disk.files().map((file) => `${file.path} ${file.bytes}`);
      throw new Violation(
        `${used} bytes on disk, with ${liveBytes} live ones: over ${bound}. ${files.join(', ')}`,
      );
    }
    if (diskBytes !== used) throw new Violation(`stats say ${diskBytes} bytes on disk, there are ${used}`);
  }

  /** False if it could not, with an excuse. */
  async #closeCleanly(): Promise<boolean> {
    const { log, clock } = this.#life!;
    const wasFull = this.#clock.elapsedMs <= this.#fullUntilMs;
    this.#endEpisode();
    if (wasFull) await this.#advance(SETTLE_MS);
    if (this.#disk.down) throw new Down();
    this.#note(() => `close @${log.position}`);
    const { position } = log;
    await this.#wait(log.close(), 'the close');
    if (this.#failed) return false;
    if (log.committedPosition < position) {
      throw new Violation(`closed with ${log.committedPosition} of ${position} committed`);
    }
    clock.end();
    this.#model.settle();
    this.#life = undefined;
    this.#lastCrash = 'closed';
    this.#report.cleanCloses++;
    // The machine may fail right afterwards: a close leaves nothing that isn't on the device.
    if (this.#random.chance(0.5)) {
      this.#note(() => 'power loss after the close');
      this.#disk.crash();
    }
    return true;
  }

  // ---- What goes wrong

  #drawFaults(): void {
    const { faults } = this.options;
    if (this.#random.chance(faults.clock)) this.#clock.jump(this.#random.between(-3_600_000, 3_600_000));
    if (this.#endFault === undefined && this.#random.chance(faults.full)) {
      const room = this.#random.below(this.options.segmentBytes);
      this.#note(() => `room for ${room} B`);
      this.#disk.capacityBytes = this.#disk.usedBytes + room;
      this.#fullUntilMs = Number.POSITIVE_INFINITY;
      this.#endFault = () => {
        this.#disk.capacityBytes = Number.POSITIVE_INFINITY;
        this.#fullUntilMs = this.#clock.elapsedMs + SETTLE_MS;
      };
    } else if (this.#endFault !== undefined && this.#random.chance(0.1)) this.#endEpisode();
    if (this.#random.chance(faults.read)) {
      this.#faulted = true;
      const times = this.#random.between(1, 5);
      this.#injected.push(this.#disk.inject({ operation: 'read', times }));
    }
    for (const operation of ['write', 'sync'] as const) {
      if (this.#faulted || !this.#random.chance(faults[operation])) continue;
      this.#faulted = true;
      this.#note(() => `the next ${operation} fails`);
      if (operation === 'sync') this.#floorAtFailure = this.#powerFloor();
      const after = this.#random.below(3);
      this.#injected.push(this.#disk.inject({ operation, after }));
    }
  }

  #endEpisode(): void {
    this.#endFault?.();
    this.#endFault = undefined;
  }

  #drawCrashKind(): CrashKind {
    return this.#random.chance(0.65) ? 'power' : 'kill';
  }

  async #advance(ms: number): Promise<void> {
    const life = this.#life;
    // In pieces, so that nothing runs on for long after the machine went down.
    for (let left = ms; left > 0 && !this.#disk.down; left -= 50)
      await this.#clock.advance(Math.min(left, 50));
    if (life !== this.#life) throw new Error('unreachable: the life changed while time passed');
  }

  /** What the promise gives. @throws Down if the machine goes down first */
  async #wait<T>(promise: Promise<T>, what: string): Promise<T> {
    let settled = false;
    const mark = (): void => {
      settled = true;
    };
    promise.then(mark, mark);
    await this.#clock.runUntil(() => settled || this.#disk.down, what);
    if (this.#disk.down) throw new Down();
    return promise;
  }

  #note(text: () => string): void {
    this.trace.push(`${this.#clock.elapsedMs.toFixed(1)} ms  ${text()}`);
    if (this.trace.length > 400) this.trace.splice(0, 300);
  }
}

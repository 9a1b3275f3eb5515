/**
 * One seed of the storage simulator: an owner does random things with a log on the simulated disk, machines and
 * processes die at random moments, and after each restart the log is held to the model. Over 500 lines because one
 * life of an owner, its crash and its recovery share all their state.
 */
import {
  type CrashKind,
  type DiskOperation,
  type ProgramLife,
  Random,
  SimulatedClock,
  SimulatedDisk,
} from '@rookery/testkit';
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
import { checkAfterFlips, drawFlips, type FlipReport, summary } from './damage.ts';
import { SimulationFailure } from './failure.ts';
import { Faults } from './faults.ts';
import { Model, type ModelStream, type Observed, Violation } from './model.ts';
import { type Action, drawOptions, type SimulationOptions } from './options.ts';
import { type Life, Owner } from './owner.ts';
import { Promises, type Required } from './promises.ts';
import { checkDiskUse, checkFigures } from './settled.ts';

const DIRECTORY = '/data/log';

/** What an opening does, and what of it may fail. */
const OPENING = [
  'makeDirectory',
  'lock',
  'list',
  'open',
  'size',
  'read',
  'write',
  'sync',
  'truncate',
  'remove',
  'syncDirectory',
] as const;

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
  readonly failedOpenings: number;
  readonly closesWhileFull: number;
  readonly segmentsRemoved: number;
  readonly carriedBytes: number;
  readonly timesFull: number;
  readonly failures: number;
  readonly uncommittedLost: number;
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

/** Runs one seed without other faults, then flips bits in the closed log's files, and opens it again, twice. */
export async function simulateFlips(seed: number): Promise<FlipReport> {
  const faults = { full: 0, write: 0, sync: 0, read: 0, clock: 0, names: 0 };
  const simulation = new Simulation(seed, { options: { faults } });
  try {
    await simulation.run();
    return await simulation.flip();
  } catch (error) {
    throw new SimulationFailure(seed, simulation.options, simulation.trace, error);
  }
}

/** How long an idle log may take until all is settled: retries after a full disk come each second. */
const SETTLE_MS = 4_000;

/** Thrown by the simulation itself when the machine went down under it. */
class Down extends Error {}

interface OwnedLife extends Life {
  readonly clock: ProgramLife;
}

class Simulation {
  readonly options: SimulationOptions;
  readonly trace: string[] = [];
  readonly #random: Random;
  /** Draws that came later, apart: the seeds of regressions.ts keep their meaning. */
  readonly #later: Random;
  readonly #clock = new SimulatedClock();
  readonly #disk: SimulatedDisk;
  readonly #sabotage: Sabotage;
  readonly #model = new Model();
  readonly #owner: Owner;
  readonly #faults: Faults;
  #life: OwnedLife | undefined;
  #operations = 0;

  // Of this life.
  #promises: Promises;
  #failed = false;
  /** What was told of damage since bits were flipped on purpose. */
  #damage: LogEvent[] | undefined;

  #report = {
    powerLosses: 0,
    kills: 0,
    cleanCloses: 0,
    crashesWhileOpening: 0,
    failedOpenings: 0,
    closesWhileFull: 0,
    segmentsRemoved: 0,
    carriedBytes: 0,
    timesFull: 0,
    failures: 0,
  };

  constructor(seed: number, sabotage: Sabotage) {
    this.#random = new Random(seed);
    this.#later = new Random(seed, 'later');
    this.options = { ...drawOptions(this.#random.fork('options'), this.#later), ...sabotage.options };
    this.#sabotage = sabotage;
    this.#owner = new Owner({
      options: this.options,
      random: this.#random,
      model: this.#model,
      life: () => this.#life!,
      failed: () => this.#failed,
      act: (action) => this.#act(action),
      wait: (promise, what) => this.#wait(promise, what),
      note: (text) => this.#note(text),
    });
    this.#promises = new Promises(this.options);
    this.#disk = new SimulatedDisk({
      clock: this.#clock,
      random: this.#random.fork('disk'),
      shortWriteChance: this.options.shortWriteChance,
      syncMs: this.options.syncMs,
      makeError: (code, message) => new DiskError(code, message),
    });
    this.#faults = new Faults({
      options: this.options,
      random: this.#random,
      later: this.#later,
      disk: this.#disk,
      clock: this.#clock,
      note: (text) => this.#note(text),
      beforeSyncFails: () => this.#promises.fail(this.#clock.elapsedMs),
    });
  }

  async run(): Promise<SimulationReport> {
    let required: Required = { power: 0, kill: 0 };
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

  /** Flips bits in the closed log's files, and opens it again, twice. */
  async flip(): Promise<FlipReport> {
    this.#damage = [];
    const flips = drawFlips(this.#random, this.#disk);
    for (const flip of flips) this.#note(() => `flip ${JSON.stringify(flip)}`);
    let earlier: string | undefined;
    let missing = 0;
    for (let opening = 0; opening < 2; opening++) {
      this.#disk.restart();
      this.#begin();
      const clock = this.#clock.life();
      const log = await this.#wait(this.#openLog(clock), 'the log to open');
      const observed = await this.#observe(log);
      missing = checkAfterFlips(this.#model, observed, flips, this.#damage);
      const now = summary(observed);
      if (earlier !== undefined && now !== earlier) {
        throw new Violation(`opened again it holds ${now}, not ${earlier}`);
      }
      earlier = now;
      await this.#wait(log.close(), 'the close');
      clock.end();
    }
    return { flips: flips.length, missing, told: this.#damage.length };
  }

  // ---- Opening, over and over if the machine dies meanwhile

  async #open(required: Required): Promise<void> {
    let powerFailed = this.#lastCrash === 'power';
    for (let attempt = 0; ; attempt++) {
      this.#disk.restart();
      const crashes = attempt < 4 && this.#random.chance(0.3);
      const kind = this.#drawCrashKind();
      if (crashes) this.#disk.crashAfter(this.#random.between(1, 60), kind);
      this.#begin();
      const clock = this.#clock.life();
      const fault = attempt < 4 && !crashes && this.#later.chance(0.2) ? this.#failOpening() : undefined;
      try {
        const log = await this.#wait(this.#openLog(clock), 'the log to open');
        fault?.end();
        this.#faults.fatal = false;
        if (this.#failed) {
          // It was hit right behind its opening.
          await this.#wait(log.close(), 'the close of a log that failed');
          throw new LogError('log-failed', 'it failed at once');
        }
        const observed = await this.#observe(log);
        const floor = powerFailed ? required.power : required.kill;
        this.#note(() => `opened; floor ${floor}; ${observed.length} streams`);
        this.#model.reconcile(observed, floor);
        this.#startLife(log, clock);
        this.#disk.crashAfter(Number.POSITIVE_INFINITY, kind);
        if (this.#random.chance(0.05)) await this.#openSecond();
        return;
      } catch (error) {
        if (error instanceof LogError && error.code === 'log-full' && this.#disk.capacityBytes < Infinity) {
          this.#note(() => 'no room to open');
          this.#faults.makeRoom();
          continue;
        }
        if (fault !== undefined && !this.#disk.down) {
          fault.end();
          clock.end();
          this.#requireFailedOpening(error);
          // What was written and not synced may be gone.
          powerFailed ||= fault.operation === 'sync';
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

  /** One operation of the opening fails. */
  #failOpening(): { readonly operation: DiskOperation; end(): void } {
    const operation = this.#later.pick(OPENING);
    const after = this.#later.below(this.#later.pick([3, 30]));
    this.#note(() => `${operation} ${after} of the opening fails`);
    if (operation === 'sync') this.#faults.everFatal = true;
    this.#faults.fatal = true;
    return { operation, end: this.#disk.inject({ operation, after }) };
  }

  #requireFailedOpening(error: unknown): void {
    this.#note(() => `could not be opened: ${error}`);
    if (!(error instanceof DiskError) && !(error instanceof LogError)) throw error;
    if (this.#disk.openFiles > 0) throw new Violation(`left ${this.#disk.openFiles} files open`);
    this.#report.failedOpenings++;
  }

  #lastCrash: CrashKind | 'closed' = 'closed';

  /** While one has it open, nobody else gets it. */
  async #openSecond(): Promise<void> {
    try {
      await this.#wait(this.#openLog(this.#clock.life()), 'the refusal of a second log');
    } catch (error) {
      if (error instanceof LogError && error.code === 'log-locked') return;
      throw error;
    }
    throw new Violation('two logs have the folder open');
  }

  #begin(): void {
    this.#promises = new Promises(this.options);
    this.#failed = false;
    this.#faults.begin();
    this.#life = undefined;
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
      openFiles: options.openFiles,
      randomBytes: (size) => identity.bytes(size),
      onCommit: (position) => this.#onCommit(position),
      onEvent: (event) => this.#onEvent(event),
    });
  }

  #onCommit(position: number): void {
    if (this.#disk.down) return; // The owner died in the middle of this turn.
    if (this.#failed) throw new Violation(`committed ${position} after it had failed`);
    this.#promises.committed(position, this.#clock.elapsedMs);
  }

  #onEvent(event: LogEvent): void {
    if (this.#disk.down) return;
    this.#note(() => `event ${JSON.stringify(event)}`);
    if (event.type === 'damaged' || event.type === 'torn-tail') this.#damage?.push(event);
    if (event.type === 'failed') {
      if (!this.#faults.fatal) throw new Violation(`the log failed without a cause: ${event.error.stack}`);
      this.#failed = true;
      this.#report.failures++;
    } else if (event.type === 'full') {
      this.#report.timesFull++;
      if (!this.#faults.full) throw new Violation('full, though there is room');
    } else if (event.type === 'segment-removed') {
      this.#report.segmentsRemoved++;
      this.#report.carriedBytes += event.carriedBytes;
    } else if (event.type === 'damaged' && !this.#mayBeDamaged) {
      throw new Violation('found damage, though nothing was damaged');
    }
  }

  /** What a power loss once tore stays in its segment, and is told whenever that is scanned. */
  get #mayBeDamaged(): boolean {
    return this.#report.powerLosses > 0 || this.#faults.everFatal || this.#damage !== undefined;
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
  async #live(): Promise<Required> {
    const { options } = this;
    const end = this.#random.weighted({ close: 1, sudden: 3, inStep: 1 });
    const kind = this.#drawCrashKind();
    if (end === 'sudden') this.#disk.crashAfter(Math.ceil(this.#random.between(1, 60) ** 1.6), kind);
    try {
      for (let step = 0; step < options.stepsPerLife; step++) {
        await this.#step();
        if (this.#failed) break;
      }
      if (this.#life!.log.full && !this.#failed && this.#later.chance(0.5)) await this.#closeFull();
      else if (end === 'close' && !this.#failed) {
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

  #die(kind: CrashKind): Required {
    if (!this.#disk.down) {
      if (kind === 'power') this.#disk.crash();
      else this.#disk.kill();
    }
    const life = this.#life;
    const required = this.#promises.required(this.#disk.crashedAtMs);
    this.#note(() => `${kind}; floor ${JSON.stringify(required)} of ${life?.log.position}`);
    life?.clock.end();
    this.#life = undefined;
    this.#lastCrash = kind;
    this.#count(kind);
    // The disk may be full still when the log is opened again.
    if (this.#random.chance(0.5)) this.#faults.makeRoom();
    return required;
  }

  #count(kind: CrashKind): void {
    if (kind === 'power') this.#report.powerLosses++;
    else this.#report.kills++;
  }

  async #step(): Promise<void> {
    this.#faults.draw();
    const actions = this.#random.weighted({ 1: 2, 4: 2, 15: 1, 60: 0.2 });
    for (let i = 0; i < Number(actions); i++) {
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
    this.#operations++;
    const { log } = this.#life!;
    try {
      switch (action) {
        case 'append':
          return this.#owner.append();
        case 'acknowledge':
          return this.#owner.acknowledge(false);
        case 'acknowledgeNext':
          return this.#owner.acknowledge(true);
        case 'acknowledgeThrough':
          return this.#owner.acknowledgeThrough();
        case 'cursor':
          return this.#owner.cursor();
        case 'move':
          return this.#owner.move();
        case 'attributes':
          return this.#owner.setAttributes();
        case 'create':
          return this.#owner.create();
        case 'remove':
          return this.#owner.remove();
        case 'peek':
          return this.#owner.peek();
        case 'read':
          return await this.#owner.read();
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
      (error.code === 'log-full' && this.#faults.full) ||
      (error.code === 'log-failed' && this.#failed) ||
      (error.code === 'read-failed' && this.#faults.reads) ||
      // A turn of the simulation may hold more than the bound of what is in flight.
      error.code === 'log-busy';
    if (!excused) throw error;
  }

  async #sync(log: Log): Promise<void> {
    const { position } = log;
    const syncing = log.sync();
    syncing.catch(() => undefined);
    // On a full disk it waits for room.
    await this.#advance(100);
    if (log.full) this.#faults.makeRoom();
    await this.#wait(syncing, 'a sync');
    this.#note(() => `synced @${position}`);
    this.#promises.synced(position);
  }

  /** After a while without anything to do all must be committed, reclaimed and counted. */
  async #settle(): Promise<void> {
    const { log, streams } = this.#life!;
    this.#faults.makeRoom();
    this.#faults.endReads();
    await this.#advance(SETTLE_MS);
    if (this.#disk.down) throw new Down();
    if (this.#failed) return;
    checkFigures(log, this.#model, streams);
    // A segment that could not be read is not carried for a minute.
    if (!this.#faults.reads) checkDiskUse(log, this.#disk, this.options.segmentBytes);
  }

  /** False if it could not, with an excuse. */
  async #closeCleanly(): Promise<boolean> {
    const { log, clock } = this.#life!;
    const wasFull = this.#faults.full;
    this.#faults.makeRoom();
    if (wasFull) await this.#advance(SETTLE_MS);
    if (this.#disk.down) throw new Down();
    this.#note(() => `close @${log.position}`);
    const { position } = log;
    await this.#wait(log.close(), 'the close');
    if (this.#failed) return false;
    if (log.committedPosition < position) {
      throw new Violation(`closed with ${log.committedPosition} of ${position} committed`);
    }
    if (this.#disk.openFiles > 0) throw new Violation(`closed with ${this.#disk.openFiles} files open`);
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

  /** Without room not all may be written; what was promised is kept all the same. */
  async #closeFull(): Promise<void> {
    const { log } = this.#life!;
    this.#note(() => `close on a full disk @${log.position}`);
    await this.#wait(log.close(), 'the close on a full disk');
    if (this.#disk.openFiles > 0) throw new Violation(`closed with ${this.#disk.openFiles} files open`);
    this.#report.closesWhileFull++;
    await this.#advance(this.#later.pick([0, 500]));
  }

  // ---- What goes wrong

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

/** What goes wrong while a log runs, short of a crash. Each fault is also an excuse for what follows from it. */
import type { Random, SimulatedClock, SimulatedDisk } from '@rookery/testkit';
import type { SimulationOptions } from './options.ts';

/** What a fault touches; `note` tells the trace, `beforeSyncFails` what is promised. */
export interface FaultWorld {
  readonly options: SimulationOptions;
  readonly random: Random;
  /** For draws that came later. */
  readonly later: Random;
  readonly disk: SimulatedDisk;
  readonly clock: SimulatedClock;
  note(text: () => string): void;
  beforeSyncFails(): void;
}

/** How long a log may still refuse after there is room again: it tries each second. */
const RECOVERS_MS = 4_000;

export class Faults {
  /** Reads may be refused, and what can't be read can't be carried. */
  reads = false;
  /** The log may stop for good. */
  fatal = false;
  /** In this life or an earlier one: what a failed sync threw away stays a hole. */
  everFatal = false;
  readonly #world: FaultWorld;
  #fullUntilMs = Number.NEGATIVE_INFINITY;
  #endings: (() => void)[] = [];
  #readEndings: (() => void)[] = [];

  constructor(world: FaultWorld) {
    this.#world = world;
  }

  /** Another life: what was injected ends, a full disk stays full. */
  begin(): void {
    for (const end of this.#endings.splice(0)) end();
    this.endReads();
    this.reads = false;
    this.fatal = false;
  }

  draw(): void {
    const { options, random, later, disk, clock, note } = this.#world;
    const { faults } = options;
    if (random.chance(faults.clock)) clock.jump(random.between(-3_600_000, 3_600_000));
    if (disk.capacityBytes < Number.POSITIVE_INFINITY) {
      if (random.chance(0.1)) this.makeRoom();
    } else if (random.chance(faults.full)) {
      const room = random.below(options.segmentBytes);
      note(() => `room for ${room} B`);
      disk.capacityBytes = disk.usedBytes + room;
      this.#fullUntilMs = Number.POSITIVE_INFINITY;
    }
    if (random.chance(faults.read)) {
      this.reads = true;
      this.#readEndings.push(disk.inject({ operation: 'read', times: random.between(1, 5) }));
    }
    for (const operation of ['write', 'sync'] as const) {
      if (this.fatal || !random.chance(faults[operation])) continue;
      this.fatal = true;
      this.everFatal = true;
      note(() => `the next ${operation} fails`);
      if (operation === 'sync') this.#world.beforeSyncFails();
      this.#endings.push(disk.inject({ operation, after: random.below(3) }));
    }
    for (const operation of ['open', 'remove', 'syncDirectory'] as const) {
      if (!later.chance(faults.names)) continue;
      const code = later.pick(['EIO', 'ENOSPC']);
      note(() => `the next ${operation} fails by ${code}`);
      this.reads = true;
      this.fatal = true;
      this.#endings.push(disk.inject({ operation, code, after: later.below(3) }));
    }
  }

  /** What can't be read now can be read again. */
  endReads(): void {
    for (const end of this.#readEndings.splice(0)) end();
  }

  /** Whether a log may say that it is full. */
  get full(): boolean {
    return this.#world.clock.elapsedMs <= this.#fullUntilMs;
  }

  makeRoom(): void {
    const { disk, clock } = this.#world;
    if (disk.capacityBytes === Number.POSITIVE_INFINITY) return;
    disk.capacityBytes = Number.POSITIVE_INFINITY;
    this.#fullUntilMs = clock.elapsedMs + RECOVERS_MS;
  }
}

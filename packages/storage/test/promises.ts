/** What a log has promised so far in one life: which changes must be there after a crash of which kind. */
import { Violation } from './model.ts';
import type { SimulationOptions } from './options.ts';

/** Positions up to which all changes must have survived. */
export interface Required {
  readonly power: number;
  readonly kill: number;
}

/** A sync may have to wait for one under way. */
const SYNCS_AFTER_INTERVAL = 2;

export class Promises {
  readonly #options: SimulationOptions;
  #committed = 0;
  /** By an explicit sync. */
  #synced = 0;
  #commits: { atMs: number; position: number }[] = [];
  #failed: number | undefined;

  constructor(options: SimulationOptions) {
    this.#options = options;
  }

  committed(position: number, nowMs: number): void {
    if (position <= this.#committed) throw new Violation(`committed ${position} after ${this.#committed}`);
    this.#committed = position;
    this.#commits.push({ atMs: nowMs, position });
  }

  synced(position: number): void {
    this.#synced = Math.max(this.#synced, position);
  }

  /** A sync will fail: of what isn't on the device now nothing is promised any more, not even after a kill. */
  fail(nowMs: number): void {
    this.#failed = this.#durable(nowMs);
  }

  required(nowMs: number): Required {
    if (this.#failed !== undefined) return { power: this.#failed, kill: this.#failed };
    return { power: this.#durable(nowMs), kill: this.#committed };
  }

  /** What is on the device for certain. */
  #durable(nowMs: number): number {
    const { sync, syncMs } = this.#options;
    if (sync === 'always') return this.#committed;
    if (sync === 'never') return this.#synced;
    const untilMs = nowMs - sync.everyMs - SYNCS_AFTER_INTERVAL * syncMs[1] - 1;
    const old = this.#commits.findLast((commit) => commit.atMs <= untilMs);
    return Math.max(this.#synced, old?.position ?? 0);
  }
}

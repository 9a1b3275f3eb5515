/**
 * The one fake clock. Time passes only when a test says so; timers, ends of turns and the completions of simulated
 * devices are events on it, in one order that a seed decides. Between two events all promises are settled, so that
 * code under test interleaves the same way on every run.
 *
 * Its shape is that of the `Clock` which packages take injected.
 */

/** What of the clock a program under test sees. */
export interface ProgramClock {
  now(): number;
  setTimeout(callback: () => void, delayMs: number): unknown;
  clearTimeout(timer: unknown): void;
  defer(callback: () => void): void;
}

/** The clock of one life of a program: `end` takes all its timers and ends of turns away, as a crash does. */
export interface ProgramLife extends ProgramClock {
  end(): void;
}

interface Event {
  readonly atMs: number;
  /** Breaks ties: events of one moment run in the order in which they were made. */
  readonly order: number;
  readonly run: () => void;
  cancelled: boolean;
}

/** Events after which `runUntilIdle` and friends give up: something rearms itself forever. */
const EVENTS_MAX = 5_000_000;

export class SimulatedClock implements ProgramClock {
  #elapsedMs = 0;
  #offsetMs: number;
  #order = 0;
  readonly #heap: Event[] = [];
  #deferred: (() => void)[] = [];

  /** `startMs` is what `now` says at first, in milliseconds since the Unix epoch. */
  constructor(startMs = 1_800_000_000_000) {
    this.#offsetMs = startMs;
  }

  now(): number {
    return Math.floor(this.#offsetMs + this.#elapsedMs);
  }

  /** Milliseconds that have passed: never jumps. */
  get elapsedMs(): number {
    return this.#elapsedMs;
  }

  /** Moves the wall clock, forward or back, as a time server may. Timers don't notice. */
  jump(ms: number): void {
    this.#offsetMs += ms;
  }

  setTimeout(callback: () => void, delayMs: number): unknown {
    return this.schedule(callback, Math.max(1, Number.isFinite(delayMs) ? delayMs : 1));
  }

  clearTimeout(timer: unknown): void {
    if (timer !== undefined && timer !== null) (timer as Event).cancelled = true;
  }

  defer(callback: () => void): void {
    this.#deferred.push(callback);
  }

  /** An event in `delayMs`, fractions allowed: what simulated devices complete by. */
  schedule(run: () => void, delayMs: number): unknown {
    const event: Event = { atMs: this.#elapsedMs + delayMs, order: this.#order++, run, cancelled: false };
    push(this.#heap, event);
    return event;
  }

  /** A clock for one life of a program. */
  life(): ProgramLife {
    let alive = true;
    const guard = (callback: () => void) => (): void => {
      if (alive) callback();
    };
    return {
      now: () => this.now(),
      setTimeout: (callback, delayMs) => this.setTimeout(guard(callback), delayMs),
      clearTimeout: (timer) => this.clearTimeout(timer),
      defer: (callback) => this.defer(guard(callback)),
      end: () => {
        alive = false;
      },
    };
  }

  /** Settles all promises and runs what was deferred, without any time passing. */
  async turn(): Promise<void> {
    await settle();
    while (this.#deferred.length > 0) {
      const callbacks = this.#deferred;
      this.#deferred = [];
      for (const callback of callbacks) callback();
      await settle();
    }
  }

  /** Lets so much time pass and runs all that falls due. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#elapsedMs + ms;
    await this.turn();
    while (await this.#step(untilMs)) {
      // Each step is one event and the turn that follows it.
    }
    this.#elapsedMs = untilMs;
  }

  /** Runs the next event, at whatever time it lies; false if there is none. */
  async step(): Promise<boolean> {
    await this.turn();
    return this.#step(Number.POSITIVE_INFINITY);
  }

  /** Runs until nothing is left to happen. For programs that don't rearm timers forever. */
  async runUntilIdle(): Promise<void> {
    await this.turn();
    for (let i = 0; i < EVENTS_MAX; i++) if (!(await this.#step(Number.POSITIVE_INFINITY))) return;
    throw new Error(`runUntilIdle: still busy after ${EVENTS_MAX} events`);
  }

  /** Runs until the condition holds. Fails when `withinMs` of simulated time pass first, or nothing is left to happen. */
  async runUntil(condition: () => boolean, what: string, withinMs = 60_000): Promise<void> {
    const untilMs = this.#elapsedMs + withinMs;
    await this.turn();
    for (let i = 0; i < EVENTS_MAX; i++) {
      if (condition()) return;
      if (!(await this.#step(untilMs))) {
        throw new Error(`Waited ${withinMs} simulated ms for ${what}: it did not happen`);
      }
    }
    throw new Error(`Waited ${EVENTS_MAX} events for ${what}: it did not happen`);
  }

  /** Runs until the promise is settled and returns what it resolved with, or throws what it was rejected with. */
  async run<T>(promise: Promise<T>, what = 'a promise', withinMs = 60_000): Promise<T> {
    let settled = false;
    const mark = (): void => {
      settled = true;
    };
    promise.then(mark, mark);
    await this.runUntil(() => settled, what, withinMs);
    return promise;
  }

  async #step(untilMs: number): Promise<boolean> {
    for (;;) {
      const next = this.#heap[0];
      if (next === undefined || next.atMs > untilMs) return false;
      pop(this.#heap);
      if (next.cancelled) continue;
      this.#elapsedMs = Math.max(this.#elapsedMs, next.atMs);
      next.run();
      await this.turn();
      return true;
    }
  }
}

/** All promises that can settle have settled when it resolves: the microtask queue is emptied before an immediate runs. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function before(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

function push(heap: Event[], event: Event): void {
  let index = heap.push(event) - 1;
  while (index > 0) {
    const parent = (index - 1) >> 1;
    if (!before(event, heap[parent] as Event)) break;
    heap[index] = heap[parent] as Event;
    index = parent;
  }
  heap[index] = event;
}

function pop(heap: Event[]): void {
  const last = heap.pop() as Event;
  if (heap.length === 0) return;
  let index = 0;
  for (;;) {
    let child = 2 * index + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && before(heap[child + 1] as Event, heap[child] as Event)) child++;
    if (!before(heap[child] as Event, last)) break;
    heap[index] = heap[child] as Event;
    index = child;
  }
  heap[index] = last;
}

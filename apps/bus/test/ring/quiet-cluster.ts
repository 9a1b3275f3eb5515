/** A cluster on a good network, with the settings that users get, for tests of single faults. */
import { Random, SimulatedClock, SimulatedNetwork } from '@rookery/testkit';
import type { RingSettings } from '../../src/index.ts';
import { check } from './checker.ts';
import type { ProcessHistory, SentMessage } from './history.ts';
import { Member, type World } from './member.ts';

export class QuietCluster {
  readonly clock = new SimulatedClock();
  readonly network: SimulatedNetwork;
  readonly members: Member[] = [];
  readonly processes: ProcessHistory[] = [];
  readonly #world: World;

  constructor(size: number, seed: number, settings: Partial<RingSettings> = {}) {
    const random = new Random(seed);
    this.network = new SimulatedNetwork({
      clock: this.clock,
      random: random.fork('network'),
      delayMs: [0.05, 0.25],
    });
    this.#world = {
      clock: this.clock,
      network: this.network,
      random: random.fork('members'),
      settings,
      // An fsync of an SSD.
      storeMs: [0.5, 5],
      processes: this.processes,
      messages: [] as SentMessage[],
      trace: () => undefined,
      watch: () => undefined,
      bend: {},
      toleratesForgeries: false,
      failure: undefined,
    };
    for (let id = 1; id <= size; id++) this.members.push(new Member(id, this.#world));
  }

  /** Starts all and waits until they share one ring. */
  async start(): Promise<void> {
    for (const member of this.members) member.start();
    await this.until(() => this.shared(this.members), 'one ring at the start');
  }

  member(id: number): Member {
    return this.members[id - 1] as Member;
  }

  /** Whether exactly these form one ring. */
  shared(members: readonly Member[]): boolean {
    const ids = members.map(({ id }) => id).join();
    return members.every(({ ring }) => {
      const status = ring?.status;
      return status?.state === 'operational' && status.configuration?.members.join() === ids;
    });
  }

  /** How many configurations were installed until now, by all. */
  get installed(): number {
    return this.processes.reduce(
      (sum, { events }) => sum + events.filter(({ kind }) => kind === 'configuration').length,
      0,
    );
  }

  /** Milliseconds until it holds. */
  async until(condition: () => boolean, what: string, withinMs = 5_000): Promise<number> {
    const fromMs = this.clock.elapsedMs;
    while (!condition()) {
      if (this.clock.elapsedMs - fromMs > withinMs) throw new Error(`not within ${withinMs} ms: ${what}`);
      await this.advance(1);
    }
    return this.clock.elapsedMs - fromMs;
  }

  async advance(ms: number): Promise<void> {
    await this.clock.advance(ms);
    if (this.#world.failure !== undefined) throw this.#world.failure;
  }

  /** Drops what was checked: each life goes on with its last configuration as its first. */
  forget(): void {
    for (const { history } of this.members) {
      const last = history?.events.findLast(({ kind }) => kind === 'configuration');
      if (last !== undefined) history?.events.splice(0, Number.POSITIVE_INFINITY, last);
    }
    // Keys go on; what they stood for has been delivered.
    this.#world.messages.fill(undefined as never);
    const living = new Set(this.members.map(({ history }) => history));
    this.processes.splice(0, this.processes.length, ...this.processes.filter((each) => living.has(each)));
  }

  /** For tests that forge packets. */
  tolerateForgeries(): void {
    this.#world.toleratesForgeries = true;
  }

  check(): void {
    check(this.processes);
  }
}

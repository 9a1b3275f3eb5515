/**
 * One seed of the ring's simulator: a cluster under load, an adversary for a while, then peace. In peace everybody must
 * come together and deliver what was accepted, in bounded time; then all histories are checked.
 */
import { PacketType } from '@rookery/protocol/bus';
import { Random, SimulatedClock, SimulatedNetwork } from '@rookery/testkit';
import { check } from './checker.ts';
import { type ProcessHistory, ringName, type SentMessage, Violation } from './history.ts';
import { type Bend, Member, type World } from './member.ts';
import { drawConditions, drawPlan, type FaultKind, type Plan } from './plan.ts';

export interface SimulationReport {
  readonly simulatedMs: number;
  readonly delivered: number;
  readonly installed: number;
  /** How long it took in peace until all shared one configuration. */
  readonly mergedMs: number;
  readonly datagrams: number;
}

/** In peace: strangers may have left each other alone for 2 s, and a member's failure to receive takes 1.5 s to show. */
const TOGETHER_MS = 6_000;
/** The narrowest windows drawn take so long for the fullest queues. */
const DELIVERED_MS = 10_000;
/** Where a ring packet tells its type. */
const TYPE_AT = 1;
const CALM = {
  delayMs: [0.2, 0.6],
  lossChance: 0,
  duplicateChance: 0,
  reorderChance: 0,
  reorderMs: 0,
} as const;

export class SimulationFailure extends Error {
  readonly seed: number;
  constructor(seed: number, plan: Plan, trace: readonly string[], cause: unknown) {
    const reason =
      cause instanceof Error ? (cause instanceof Violation ? cause.message : cause.stack) : String(cause);
    super(
      `seed ${seed}: ${reason}\nreplay: ROOKERY_TEST_SEED=${seed} npx vitest run --project bus test/ring/simulation\n` +
        `plan: ${JSON.stringify(plan)}\nlast events:\n  ${trace.slice(-60).join('\n  ')}`,
      { cause },
    );
    this.name = 'SimulationFailure';
    this.seed = seed;
  }
}

/** @throws SimulationFailure with what is needed to replay it */
export async function simulate(seed: number, bend: Bend = {}): Promise<SimulationReport> {
  const simulation = new Simulation(seed, bend);
  try {
    return await simulation.run();
  } catch (error) {
    throw new SimulationFailure(seed, simulation.plan, simulation.trace, error);
  }
}

class Simulation {
  readonly plan: Plan;
  readonly trace: string[] = [];
  readonly #random: Random;
  readonly #clock = new SimulatedClock();
  readonly #network: SimulatedNetwork;
  readonly #world: World;
  readonly #members: Member[] = [];
  #peace = false;
  readonly #ambush: Random;
  /** What the adversary waits for. */
  #waitsFor: 'recovery' | 'install' | undefined;

  constructor(seed: number, bend: Bend) {
    this.#random = new Random(seed);
    this.plan = { ...drawPlan(this.#random.fork('plan')), ...bend.plan };
    this.#ambush = this.#random.fork('ambush');
    const { plan } = this;
    this.#network = new SimulatedNetwork({
      clock: this.#clock,
      random: this.#random.fork('network'),
      inFlightMax: 500,
      ...plan.conditions,
    });
    this.#world = {
      clock: this.#clock,
      network: this.#network,
      random: this.#random.fork('members'),
      settings: plan.settings,
      storeMs: plan.storeMs,
      processes: [] as ProcessHistory[],
      messages: [] as SentMessage[],
      trace: (text) => this.#note(text),
      watch: (member, installed) => this.#spring(member, installed),
      bend,
      toleratesForgeries: false,
      failure: undefined,
    };
    for (let id = 1; id <= plan.members; id++) this.#members.push(new Member(id, this.#world));
  }

  async run(): Promise<SimulationReport> {
    const { plan } = this;
    const starts = this.#random.fork('starts');
    for (const member of this.#members) {
      this.#clock.schedule(
        () => member.ring ?? member.start(),
        starts.chance(0.5) ? 0 : starts.float() * 200,
      );
      this.#load(member, this.#random.fork(`load ${member.id}`));
    }
    const adversary = this.#random.fork('adversary');
    while (this.#clock.elapsedMs < plan.faultyMs) {
      await this.#advance(Math.min(2 * plan.faultEveryMs * adversary.float() + 0.1, plan.faultyMs));
      this.#strike(adversary.weighted(plan.faults), adversary);
    }
    this.#makePeace();
    const calmMs = this.#clock.elapsedMs;
    await this.#until(() => this.#together(), 'all share one configuration', TOGETHER_MS);
    const mergedMs = this.#clock.elapsedMs - calmMs;
    for (const member of this.#members) {
      for (const service of plan.services) member.submit(service, 10);
    }
    await this.#until(() => this.#allDelivered(), 'everything accepted is delivered', DELIVERED_MS);
    const { processes } = this.#world;
    check(processes);
    return {
      simulatedMs: this.#clock.elapsedMs,
      delivered: processes.reduce(
        (sum, { events }) => sum + events.filter(({ kind }) => kind === 'deliver').length,
        0,
      ),
      installed: processes.reduce(
        (sum, { events }) => sum + events.filter((event) => event.kind === 'configuration').length,
        0,
      ),
      mergedMs,
      datagrams: this.#network.counts.sent,
    };
  }

  // ---- Time

  async #advance(ms: number): Promise<void> {
    await this.#clock.advance(ms);
    if (this.#world.failure !== undefined) throw this.#world.failure;
  }

  async #until(condition: () => boolean, what: string, withinMs: number): Promise<void> {
    const untilMs = this.#clock.elapsedMs + withinMs;
    while (!condition()) {
      if (this.#clock.elapsedMs >= untilMs) {
        for (const { ring, id } of this.#members) this.#note(`${id}: ${JSON.stringify(ring?.status)}`);
        throw new Violation('8 liveness', `within ${withinMs} ms not: ${what}`);
      }
      await this.#advance(5);
    }
  }

  #note(text: string): void {
    this.trace.push(`${this.#clock.elapsedMs.toFixed(1)} ${text}`);
    if (this.trace.length > 400) this.trace.splice(0, 200);
  }

  // ---- Load

  #load(member: Member, random: Random): void {
    const { submitEveryMs, submitBurst, lengths, services } = this.plan;
    const next = (): void => {
      if (this.#peace) return;
      for (let left = random.between(1, submitBurst); left > 0; left--) {
        member.submit(random.pick(services), random.between(lengths[0], lengths[1]));
      }
      this.#clock.schedule(next, 2 * submitEveryMs * random.float());
    };
    this.#clock.schedule(next, submitEveryMs * random.float());
  }

  // ---- Faults

  #strike(kind: FaultKind, random: Random): void {
    const ids = this.#members.map(({ id }) => id);
    const member = random.pick(this.#members);
    this.#note(`-- ${kind} ${member.id}`);
    switch (kind) {
      case 'partition': {
        random.shuffle(ids);
        const cut = random.between(1, ids.length - 1);
        const groups = [ids.slice(0, cut), ids.slice(cut)];
        this.#note(`   [${groups.join('] [')}]`);
        this.#network.partition(groups);
        break;
      }
      case 'overlap': {
        random.shuffle(ids);
        const cut = random.between(1, ids.length - 1);
        this.#network.partition([ids.slice(0, cut + 1), ids.slice(cut)]);
        break;
      }
      case 'oneWay':
        this.#network.setReachable(member.id, random.pick(ids), false);
        break;
      case 'heal':
        this.#network.heal();
        break;
      case 'stop': {
        member.stop();
        // Seldom longer than what goes unnoticed.
        const forMs = random.pick([5, 50, 190, 600]) * random.float();
        this.#clock.schedule(() => member.resume(), forMs);
        break;
      }
      case 'resume':
        member.resume();
        break;
      case 'crash':
        member.crash();
        break;
      case 'restart':
        if (member.ring === undefined) member.start();
        break;
      case 'ambush':
        this.#waitsFor = random.pick(['recovery', 'install']);
        break;
      case 'hole': {
        this.#network.drops = (from, _to, bytes) => from === member.id && bytes[TYPE_AT] === PacketType.data;
        const gone = random.pick(['crash', 'cut', 'cut'] as const);
        this.#clock.schedule(
          () => {
            this.#network.drops = undefined;
            if (this.#peace) return;
            this.#note(`-- hole: ${gone} ${member.id}`);
            if (gone === 'crash') member.crash();
            else this.#network.partition([[member.id], ids.filter((id) => id !== member.id)]);
            this.#waitsFor = random.pick(['recovery', 'install', 'install']);
          },
          this.#network.conditions.delayMs[1] * ids.length * random.float(),
        );
        break;
      }
      case 'weather':
        this.#network.conditions = drawConditions(random);
        break;
    }
  }

  /** In the middle of a ring's forming some know more than others: the worst moment for a fault. */
  #spring(member: Member, installed: boolean): void {
    const random = this.#ambush;
    if (this.#waitsFor === undefined || this.#peace) return;
    if (this.#waitsFor === 'install' ? !installed : member.ring?.status.state !== 'recovery') return;
    if (!random.chance(0.3)) return;
    this.#waitsFor = undefined;
    this.#strike(
      random.weighted({ partition: 4, overlap: 1, oneWay: 1, crash: 1, stop: 1, heal: 1 }),
      random,
    );
  }

  #makePeace(): void {
    this.#peace = true;
    this.#note('-- peace');
    this.#network.heal();
    this.#network.drops = undefined;
    this.#network.conditions = CALM;
    for (const member of this.#members) {
      member.resume();
      if (member.ring === undefined) member.start();
    }
  }

  // ---- What peace must bring

  #together(): boolean {
    const ids = this.#members.map(({ id }) => id).join();
    const names = new Set<string>();
    for (const { ring } of this.#members) {
      const { state, configuration } = ring!.status;
      if (state !== 'operational' || configuration === undefined) return false;
      if (configuration.members.join() !== ids) return false;
      names.add(ringName(configuration.ring));
    }
    return names.size === 1;
  }

  #allDelivered(): boolean {
    if (!this.#together()) return false;
    const [first] = this.#members as [Member];
    const last = (member: Member): string => {
      const event = member.history!.events.findLast(({ kind }) => kind === 'deliver');
      return event?.kind === 'deliver' ? String(event.message.key) : 'none';
    };
    return this.#members.every(
      (member) =>
        member.ring!.status.queuedBytes === 0 && last(member) === last(first) && this.#ownDelivered(member),
    );
  }

  #ownDelivered({ history }: Member): boolean {
    const own = history!.events.findLast(({ kind }) => kind === 'submit');
    if (own?.kind !== 'submit') return true;
    return history!.events.some((event) => event.kind === 'deliver' && event.message === own.message);
  }
}

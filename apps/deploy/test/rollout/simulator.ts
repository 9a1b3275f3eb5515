import { Random } from '@rookery/testkit';
import type { FailureCode } from '../../src/host/errors.ts';
import type { HostStatus } from '../../src/host/status.ts';
import { type Amount, allowedOf, planWaves, type RolloutPlan } from '../../src/rollout/plan.ts';
import { createRollout, type Rollout } from '../../src/rollout/rollout.ts';
import type {
  HostView,
  Outcome,
  RolloutCommand,
  RolloutEvent,
  RolloutStep,
} from '../../src/rollout/types.ts';

// A fleet of hosts that fail, hang and vanish, coordinators that crash, and a checker that looks at what is true on the
// hosts, not at what the rollout believes. All chance comes from the seed.

export type Build = (plan: RolloutPlan) => Rollout;

export interface Simulated {
  readonly hosts: number;
  /** Of the last push, in which everything works. */
  readonly outcome: Outcome;
  readonly pushes: number;
  readonly crashes: number;
  readonly outcomes: readonly Outcome[];
  readonly events: number;
}

/** What a host does wrong, and when. */
type Fault =
  | { readonly kind: 'fails' | 'hangs' | 'vanishes'; readonly step: RolloutStep; readonly forMs: number }
  | { readonly kind: 'dead' }
  | { readonly kind: 'flaps'; readonly chance: number };

interface SimulatedHost {
  readonly name: string;
  current: string;
  /** The release that is current and not kept, or about to be. */
  unfinished: { to: string; from: string; switched: boolean } | undefined;
  readonly has: Set<string>;
  /** Whether and until when nobody reaches it. */
  awayUntil: number;
  fault: Fault | undefined;
  /** What its side is doing; goes on without a coordinator. */
  doing: { apply: () => void; readonly run: number; cancelled: boolean } | undefined;
}

const TIMEOUT_MS = 60_000;
const OLD = 'old';

/** @throws Error with the seed, when a promise is broken */
export function simulate(seed: number, build: Build = createRollout, hostCount?: number): Simulated {
  const random = new Random(seed);
  const size = hostCount ?? (random.chance(0.01) ? random.between(100, 400) : random.between(1, 40));
  const waves = planWaves(
    random.pick<Amount[]>([
      [{ count: 1 }, { percent: 10 }],
      [{ count: 1 }],
      [{ percent: 25 }, { percent: 50 }],
      [],
    ]),
    size,
  );
  const maxFailures: Amount = random.pick<Amount>([
    { percent: 10 },
    { percent: 50 },
    { percent: 0 },
    { count: 0 },
    { count: 2 },
    { count: size },
  ]);
  const hosts = new Map<string, SimulatedHost>();
  for (let i = 0; i < size; i++) {
    hosts.set(`h${i}`, {
      name: `h${i}`,
      current: OLD,
      unfinished: undefined,
      has: new Set([OLD]),
      awayUntil: 0,
      fault: undefined,
      doing: undefined,
    });
  }
  const queue = createQueue();
  const world: World = { seed, random, hosts, queue, events: 0 };
  const outcomes: Outcome[] = [];
  let crashes = 0;
  let pushes = 0;
  const faulty = random.pick([0, 0.05, 0.3]);
  for (const left = random.between(1, 4); pushes < left; pushes++) {
    const bad = random.chance(0.25);
    for (const host of hosts.values()) host.fault = random.chance(faulty) ? drawFault(random) : undefined;
    const release = random.chance(0.2) ? 'other' : 'new';
    const plan = {
      hosts: [...hosts.keys()],
      release,
      waves,
      maxFailures,
      timeoutMs: TIMEOUT_MS,
      settleMs: random.pick([0, 5_000]),
    };
    const ended = push(world, build, plan, pushes, {
      bad,
      crashAfter: random.chance(0.5) ? random.below(6 * size + 10) : Number.POSITIVE_INFINITY,
      cancelAfter: random.chance(0.1) ? random.below(6 * size + 10) : Number.POSITIVE_INFINITY,
    });
    if (ended === undefined) crashes++;
    else outcomes.push(ended);
  }
  // Everything works again: then a push must get everywhere, whatever the others have left.
  for (const host of hosts.values()) {
    host.fault = undefined;
    host.awayUntil = 0;
  }
  queue.runUntil(queue.now + 10 * TIMEOUT_MS);
  const plan = {
    hosts: [...hosts.keys()],
    release: 'new',
    waves,
    maxFailures,
    timeoutMs: TIMEOUT_MS,
    settleMs: 0,
  };
  const outcome = push(world, build, plan, pushes, {
    bad: false,
    crashAfter: Number.POSITIVE_INFINITY,
    cancelAfter: Number.POSITIVE_INFINITY,
  })!;
  expectThat(world, outcome === 'deployed', `the last push ended in ${outcome}, with nothing wrong`);
  for (const host of hosts.values()) {
    expectThat(
      world,
      host.current === 'new' && host.unfinished === undefined,
      `${host.name} doesn't run the release in the end`,
    );
  }
  return { hosts: size, outcome, pushes: pushes + 1, crashes, outcomes, events: world.events };
}

interface World {
  readonly seed: number;
  readonly random: Random;
  readonly hosts: Map<string, SimulatedHost>;
  readonly queue: Queue;
  events: number;
}

interface PushOptions {
  /** No host is healthy with it. */
  readonly bad: boolean;
  /** So many events. */
  readonly crashAfter: number;
  readonly cancelAfter: number;
}

/** One run of a coordinator; undefined when it crashed. */
function push(
  world: World,
  build: Build,
  plan: RolloutPlan,
  number: number,
  options: PushOptions,
): Outcome | undefined {
  const { hosts, queue, random } = world;
  const rollout = build(plan);
  const checker = createChecker(world, plan);
  const beganAt = queue.now;
  let outcome: Outcome | undefined;
  let alive = true;
  let events = 0;
  /** The step that counts for a host; another number and it was aborted. */
  const current = new Map<string, number>();
  let steps = 0;

  const give = (event: RolloutEvent): void => {
    if (!alive || outcome !== undefined) return;
    events++;
    world.events++;
    if (events > options.crashAfter) {
      alive = false;
      return;
    }
    checker.see(event);
    take(rollout.handle(event, queue.now));
    if (events === options.cancelAfter) give({ type: 'cancel' });
  };
  const take = (commands: readonly RolloutCommand[]): void => {
    for (const command of commands) {
      if (command.type === 'run') {
        checker.command(command.host, command.step);
        start(hosts.get(command.host)!, command.step);
      } else if (command.type === 'abort') {
        current.delete(command.host);
        const host = hosts.get(command.host)!;
        // Who can be reached is stopped; who can't goes on with what it does.
        if (host.doing !== undefined && host.awayUntil <= queue.now) host.doing.cancelled = true;
      } else if (command.type === 'end') outcome = command.outcome;
    }
  };
  const start = (host: SimulatedHost, step: RolloutStep): void => {
    const id = ++steps;
    current.set(host.name, id);
    const answer = (event: RolloutEvent): void => {
      if (current.get(host.name) !== id) return;
      current.delete(host.name);
      give(event);
    };
    const fail = (code: FailureCode, afterMs: number): void =>
      queue.after(afterMs, () => answer({ type: 'failed', host: host.name, step, code, message: code }));
    const tookMs = random.between(1, step === 'fetch' ? 5_000 : 500);
    const fault = host.fault;
    if (fault?.kind === 'dead' || host.awayUntil > queue.now) {
      // Half of them refuse the connection, and half say nothing at all.
      if (random.chance(0.5)) fail('unreachable', random.between(1, 20_000));
      return;
    }
    // A coordinator that is gone has left its side behind, which holds the lock until it is done.
    if (host.doing !== undefined && !host.doing.cancelled && host.doing.run !== number) {
      fail('locked', tookMs);
      return;
    }
    // The same one's is ended before anything else is done.
    if (host.doing !== undefined) host.doing.cancelled = true;
    let ends: RolloutEvent = { type: 'done', host: host.name, step };
    const doing: SimulatedHost['doing'] = {
      run: number,
      cancelled: false,
      apply: () => {
        const result = applyStep(host, step, plan.release);
        if (result !== undefined) ends = { type: 'done', host: host.name, step, status: result };
      },
    };
    host.doing = doing;
    const applyAt = (ms: number): void =>
      queue.after(ms, () => {
        if (host.doing === doing) host.doing = undefined;
        if (!doing.cancelled) doing.apply();
      });
    if (fault !== undefined && 'step' in fault && fault.step === step) {
      if (fault.kind === 'fails') {
        // Before or after what it does.
        if (random.chance(0.5)) applyAt(tookMs);
        else host.doing = undefined;
        fail('hook-failed', tookMs + 1);
      } else if (fault.kind === 'vanishes') {
        host.awayUntil = queue.now + fault.forMs;
        if (random.chance(0.5)) applyAt(random.between(1, 60_000));
        else host.doing = undefined;
        if (random.chance(0.7)) fail('vanished', random.between(1, 1_000));
      } else applyAt(random.chance(0.5) ? tookMs : 10 * TIMEOUT_MS);
      // A fault is there once; then the host is as it should be.
      if (random.chance(0.7)) host.fault = undefined;
      return;
    }
    const unhealthy =
      step === 'check' && (options.bad || (fault?.kind === 'flaps' && random.chance(fault.chance)));
    if (unhealthy) {
      host.doing = undefined;
      fail('check-failed', tookMs);
      return;
    }
    applyAt(tookMs);
    queue.after(tookMs, () => answer(ends));
  };

  give({ type: 'start' });
  const limit = beganAt + 40 * TIMEOUT_MS;
  while (alive && outcome === undefined) {
    const { wakeAt } = rollout;
    const next = queue.nextAt;
    if (wakeAt === undefined && next === undefined)
      broken(world, 'nothing is left to happen, and the push has not ended');
    if (wakeAt !== undefined && (next === undefined || wakeAt <= next)) {
      queue.moveTo(wakeAt);
      give({ type: 'tick' });
    } else queue.step();
    checker.look();
    if (queue.now > limit) broken(world, `the push goes on for ever: ${states(rollout.hosts())}`);
  }
  if (outcome !== undefined) checker.end(outcome, rollout.hosts());
  return outcome;
}

/** What a step changes on the host, and what it says. */
function applyStep(host: SimulatedHost, step: RolloutStep, release: string): HostStatus | undefined {
  const { unfinished } = host;
  if (step === 'prepare') {
    if (unfinished !== undefined && (!unfinished.switched || unfinished.to !== release)) putBack(host);
    return statusOf(host);
  }
  if (step === 'fetch') host.has.add(release);
  else if (step === 'switch') {
    if (host.current !== release) {
      host.unfinished = { to: release, from: host.current, switched: true };
      host.current = release;
    }
  } else if (step === 'finish') host.unfinished = undefined;
  else if (step === 'undo') putBack(host);
  return undefined;
}

function putBack(host: SimulatedHost): void {
  if (host.unfinished?.switched) host.current = host.unfinished.from;
  host.unfinished = undefined;
}

function statusOf({ current, unfinished }: SimulatedHost): HostStatus {
  return {
    current: { name: current, id: current, version: current },
    previous: null,
    unfinished:
      unfinished === undefined
        ? null
        : {
            kind: 'deploy',
            deployment: '',
            from: unfinished.from,
            to: unfinished.to,
            id: unfinished.to,
            at: '',
            phase: 'switched',
          },
    releases: [],
    lock: null,
    freeBytes: null,
  };
}

/** The promises, from what is true on the hosts, and from what is asked and answered; not from what the rollout thinks. */
function createChecker(world: World, { release, waves, maxFailures }: RolloutPlan) {
  const { hosts } = world;
  const judged = new Map<string, 'healthy' | 'failed'>();
  const failed = new Set<string>();
  /** Finished by an earlier push, as they have said. */
  const kept = new Set<string>();
  /** Switched by an earlier push that never judged them. */
  const found: string[] = [];
  /** Those that this push has switched, or tried to. */
  const order: string[] = [];
  const groups: { readonly until: number; readonly from: number }[] = [];
  const ordered = new Set<string>();
  let stopped = false;
  let locked = false;
  let looks = 0;

  const ours = (name: string): boolean => kept.has(name) || found.includes(name) || ordered.has(name);
  const limitFor = (place: number): number => waves.find((wave) => wave >= place) ?? hosts.size;

  return {
    see(event: RolloutEvent): void {
      if (event.type === 'failed') {
        if (event.step !== 'undo' && event.step !== 'leave' && event.step !== 'finish')
          failed.add(event.host);
        if (event.step === 'switch' || event.step === 'check') judged.set(event.host, 'failed');
        if (event.code === 'locked' && event.step === 'prepare') locked = stopped = true;
      } else if (event.type === 'done' && event.step === 'check') judged.set(event.host, 'healthy');
      else if (event.type === 'done' && event.status?.current?.id === release) {
        if (event.status.unfinished === null) kept.add(event.host);
        else found.push(event.host);
      } else if (event.type === 'cancel') stopped = true;
    },
    command(name: string, step: RolloutStep): void {
      const host = hosts.get(name)!;
      if (step === 'undo') judged.set(name, 'failed');
      if (step !== 'switch') return;
      expectThat(world, host.has.has(release), `${name} is switched, and hasn't got the release`);
      expectThat(world, !stopped, `${name} is switched after the push was stopped`);
      expectThat(
        world,
        failed.size <= allowedOf(maxFailures, hosts.size),
        `${name} is switched after ${failed.size} of ${hosts.size} hosts have failed`,
      );
      if (found.includes(name)) return;
      const before = kept.size + found.length + order.length;
      const limit = limitFor(before + 1);
      order.push(name);
      ordered.add(name);
      if (groups.at(-1)?.until === limit) return;
      groups.push({ until: limit, from: order.length - 1 });
      for (const other of found) {
        // One that can't be reached is not known to run it; it counts among those that have failed.
        expectThat(
          world,
          judged.has(other) || failed.has(other),
          `${name} is switched before ${other}, found half-way, was judged`,
        );
      }
      for (const [index, { from }] of groups.entries()) {
        const next = groups[index + 1];
        if (next === undefined) break;
        const group = order.slice(from, next.from);
        for (const other of group) {
          expectThat(
            world,
            judged.has(other),
            `${name} is switched before ${other}, of an earlier wave, was judged`,
          );
        }
        const healthy = group.some((other) => judged.get(other) === 'healthy');
        expectThat(world, healthy, `${name} is switched after a wave without a healthy host`);
      }
    },
    look(): void {
      // Of large fleets now and then: a look goes through all hosts.
      if (hosts.size > 400 && looks++ % 500 !== 0) return;
      let running = 0;
      for (const host of hosts.values()) {
        // A host that nobody reaches may still do what an earlier coordinator has asked of it.
        if (host.current === release && ours(host.name)) running++;
        expectThat(world, host.has.has(host.current), `${host.name} runs what it hasn't got`);
      }
      const most = Math.max(found.length + kept.size, groups.at(-1)?.until ?? 0);
      expectThat(world, running <= most, `${running} hosts run the release, and the wave allows ${most}`);
    },
    end(outcome: Outcome, views: readonly HostView[]): void {
      for (const { name, state } of views) {
        const host = hosts.get(name)!;
        const runsIt = host.current === release;
        const says = `${name} is said to be ${state}, and runs ${host.current}${host.unfinished ? ', unfinished' : ''}`;
        if (state === 'done') expectThat(world, runsIt && !host.unfinished, says);
        else if (state === 'healthy') expectThat(world, runsIt, says);
        else if (state === 'reverted') expectThat(world, !runsIt, says);
        else if (
          state !== 'stuck' &&
          outcome !== 'cancelled' &&
          (ordered.has(name) || (found.includes(name) && !locked))
        ) {
          expectThat(world, !runsIt, `the push ended in ${outcome}: ${says}`);
        }
        if (outcome === 'failed')
          expectThat(world, state !== 'healthy' && (state !== 'done' || kept.has(name)), says);
      }
      const stuck = views.some(({ state }) => state === 'stuck');
      if (outcome !== 'cancelled')
        expectThat(world, stuck === (outcome === 'stuck'), `it ended in ${outcome}: ${states(views)}`);
      if (outcome === 'deployed')
        expectThat(
          world,
          views.every(({ state }) => state === 'done'),
          states(views),
        );
      const over = failed.size > allowedOf(maxFailures, hosts.size);
      if (over)
        expectThat(
          world,
          outcome !== 'deployed' && outcome !== 'partial',
          `it ended in ${outcome} after ${failed.size} failures`,
        );
    },
  };
}

function states(views: readonly HostView[]): string {
  const counts = new Map<string, number>();
  for (const { state } of views) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [...counts].map(([state, count]) => `${count} ${state}`).join(', ');
}

function drawFault(random: Random): Fault {
  const step = random.pick<RolloutStep>(['prepare', 'fetch', 'switch', 'check', 'finish', 'undo', 'leave']);
  const kind = random.pick(['fails', 'hangs', 'vanishes', 'dead', 'flaps'] as const);
  if (kind === 'dead') return { kind };
  if (kind === 'flaps') return { kind, chance: random.float() };
  return { kind, step, forMs: random.pick([500, 5_000, 100_000, 100_000_000]) };
}

function expectThat(world: World, holds: boolean, what: string): void {
  if (!holds) broken(world, what);
}

function broken({ seed }: World, what: string): never {
  throw new Error(`ROOKERY_TEST_SEED=${seed}: ${what}`);
}

interface Queue {
  readonly now: number;
  readonly nextAt: number | undefined;
  after(ms: number, run: () => void): void;
  step(): void;
  moveTo(at: number): void;
  runUntil(at: number): void;
}

/** Events in the order of their times. */
function createQueue(): Queue {
  const heap: { readonly at: number; readonly order: number; readonly run: () => void }[] = [];
  let now = 0;
  let order = 0;
  const before = (a: number, b: number): boolean =>
    heap[a]!.at < heap[b]!.at || (heap[a]!.at === heap[b]!.at && heap[a]!.order < heap[b]!.order);
  const swap = (a: number, b: number): void => {
    [heap[a], heap[b]] = [heap[b]!, heap[a]!];
  };
  const queue: Queue = {
    get now() {
      return now;
    },
    get nextAt() {
      return heap[0]?.at;
    },
    after(ms, run) {
      heap.push({ at: now + ms, order: order++, run });
      for (let i = heap.length - 1; i > 0 && before(i, (i - 1) >> 1); i = (i - 1) >> 1) swap(i, (i - 1) >> 1);
    },
    step() {
      const next = heap[0];
      if (next === undefined) return;
      swap(0, heap.length - 1);
      heap.pop();
      for (let i = 0; ; ) {
        let child = 2 * i + 1;
        if (child >= heap.length) break;
        if (child + 1 < heap.length && before(child + 1, child)) child++;
        if (!before(child, i)) break;
        swap(i, child);
        i = child;
      }
      now = Math.max(now, next.at);
      next.run();
    },
    moveTo(at) {
      now = Math.max(now, at);
    },
    runUntil(at) {
      while ((heap[0]?.at ?? Number.POSITIVE_INFINITY) <= at) queue.step();
      now = at;
    },
  };
  return queue;
}

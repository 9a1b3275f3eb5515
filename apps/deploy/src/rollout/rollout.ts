// Longer than other files: the rules of a rollout hang together, and are read together.
import type { HostStatus } from '../host/status.ts';
import { allowedOf, type RolloutPlan } from './plan.ts';
import type {
  Failure,
  HostState,
  HostView,
  Outcome,
  RolloutCommand,
  RolloutEvent,
  RolloutStep,
  StopReason,
} from './types.ts';

/** What decides in a push: events and a `now` in, commands out. docs/internals/deploy-rollout.md has its promises. */
export interface Rollout {
  /** @param now milliseconds of a clock that never goes back */
  handle(event: RolloutEvent, now: number): RolloutCommand[];
  /** When a `tick` is due; undefined while nothing is. */
  readonly wakeAt: number | undefined;
  readonly outcome: Outcome | undefined;
  /** In the plan's order. */
  hosts(): HostView[];
}

/** So long the first host may keep the others waiting: it is where two pushes at once meet. */
const FIRST_HOST_MS = 5_000;
/** So long a wave that is being put back may keep the wave before it waiting. */
const WAVE_BACK_MS = 30_000;
/** After a failed try to put a host back. */
const UNDO_AGAIN_MS = [1_000, 5_000] as const;
/** There is nobody to be told that it failed. */
const OUT_OF_REACH: ReadonlySet<string> = new Set([
  'unreachable',
  'host-key-changed',
  'not-allowed',
  'host-unprepared',
  'vanished',
  'time-limit',
  'locked',
  'lock-lost',
  'protocol',
]);

type Phase =
  /** The first host alone, then all: prepare and fetch. */
  | 'fetching'
  /** A wave is switched and checked. */
  | 'wave'
  /** A healthy wave is left alone, to be looked at once more. */
  | 'settling'
  | 'finishing'
  | 'stopping'
  /** Those that failed are told. */
  | 'leaving'
  | 'cancelling'
  | 'ended';

interface HostEntry {
  readonly name: string;
  state: HostState;
  failure: Failure | undefined;
  wave: number | undefined;
  /** An earlier push has switched it, and nobody has judged it yet. */
  resumed: boolean;
  undoTries: number;
  undoAt: number | undefined;
}

export function createRollout(plan: RolloutPlan): Rollout {
  const hosts = new Map<string, HostEntry>(
    plan.hosts.map((name) => [
      name,
      {
        name,
        state: 'waiting',
        failure: undefined,
        wave: undefined,
        resumed: false,
        undoTries: 0,
        undoAt: undefined,
      },
    ]),
  );
  const all = [...hosts.values()];
  const counts = new Map<HostState, number>([['waiting', all.length]]);
  /** In the order of their deadlines: all steps have the same limit. */
  const running = new Map<string, { readonly step: RolloutStep; readonly deadline: number }>();
  const undoLater = new Set<HostEntry>();
  let phase: Phase = 'fetching';
  let commands: RolloutCommand[] = [];
  let now = 0;
  let failures = 0;
  let firstUntil: number | undefined;
  let settleUntil: number | undefined;
  let backUntil: number | undefined;
  /** Hosts that are in a wave, or run the release already. */
  let taken = 0;
  let wave = 0;
  let members: HostEntry[] = [];
  let checkedTwice = false;
  let stopped: Failure | undefined;
  let stopReason: StopReason | undefined;
  let outcome: Outcome | undefined;

  const count = (...states: readonly HostState[]): number =>
    states.reduce((sum, state) => sum + (counts.get(state) ?? 0), 0);

  const setState = (host: HostEntry, state: HostState): void => {
    counts.set(host.state, counts.get(host.state)! - 1);
    counts.set(state, (counts.get(state) ?? 0) + 1);
    host.state = state;
    commands.push({
      type: 'tell',
      what: {
        event: 'host',
        host: host.name,
        state,
        ...(host.wave === undefined ? {} : { wave: host.wave }),
        ...(host.failure === undefined ? {} : { failure: host.failure }),
      },
    });
  };

  const run = (host: HostEntry, step: RolloutStep, state?: HostState): void => {
    running.delete(host.name);
    running.set(host.name, { step, deadline: now + plan.timeoutMs });
    if (state !== undefined) setState(host, state);
    const failure = step === 'leave' ? (host.failure ?? stopped) : undefined;
    commands.push({ type: 'run', host: host.name, step, ...(failure === undefined ? {} : { failure }) });
  };

  const abort = (host: HostEntry): void => {
    const step = running.get(host.name)?.step;
    if (step === undefined) return;
    running.delete(host.name);
    commands.push({ type: 'abort', host: host.name, step });
  };

  const undo = (host: HostEntry): void => {
    abort(host);
    host.undoAt = undefined;
    undoLater.delete(host);
    host.undoTries++;
    run(host, 'undo', host.state === 'reverting' ? undefined : 'reverting');
  };

  const tellWave = (state: 'started' | 'healthy' | 'failed'): void => {
    commands.push({
      type: 'tell',
      what: { event: 'wave', wave, state, hosts: members.map(({ name }) => name) },
    });
  };

  const prepareAll = (): void => {
    firstUntil = undefined;
    for (const host of all) if (host.state === 'waiting') run(host, 'prepare', 'preparing');
  };

  // --- what a step's end means

  const prepared = (host: HostEntry, status: HostStatus | undefined): void => {
    const { current = null, unfinished = null } = status ?? {};
    const runsIt = current?.id === plan.release;
    if (runsIt && unfinished === null) {
      taken++;
      setState(host, 'done');
    } else if (runsIt && unfinished?.id === plan.release) {
      host.resumed = true;
      setState(host, 'fetched');
    } else run(host, 'fetch', 'fetching');
  };

  const done = (host: HostEntry, step: RolloutStep, status: HostStatus | undefined): void => {
    if (step === 'prepare') prepared(host, status);
    else if (step === 'fetch') setState(host, 'fetched');
    else if (step === 'switch') {
      setState(host, 'checking');
      if (phase === 'wave') run(host, 'check');
    } else if (step === 'check') setState(host, 'healthy');
    else if (step === 'finish') setState(host, 'done');
    else if (step === 'undo') setState(host, 'reverted');
  };

  const failed = (host: HostEntry, failure: Failure): void => {
    const { step, code } = failure;
    if (step === 'leave') {
      commands.push({ type: 'tell', what: { event: 'warning', host: host.name, message: failure.message } });
      return;
    }
    if (step === 'undo') {
      failedUndo(host, failure);
      return;
    }
    host.failure ??= failure;
    if (step === 'finish') {
      // It runs, and works; who comes next keeps it.
      setState(host, 'healthy');
      return;
    }
    failures++;
    if (step === 'prepare' || step === 'fetch') setState(host, 'failed');
    // Whatever it says, it may have switched before it failed.
    else undo(host);
    if (phase === 'cancelling' || phase === 'stopping') return;
    if (code === 'locked') stop('locked', `${host.name}: ${failure.message}`);
    else if (failures > allowedOf(plan.maxFailures, all.length)) {
      stop('max-failures', `${failures} of ${all.length} hosts have failed, more than are allowed`);
    } else if (phase === 'wave' && 'percent' in plan.maxFailures) {
      const inWave = members.filter((member) => member.failure !== undefined).length;
      if (inWave > allowedOf(plan.maxFailures, members.length)) {
        tellWave('failed');
        stop(
          'max-failures',
          `${inWave} of the ${members.length} hosts of wave ${wave} have failed, more than are allowed`,
        );
      }
    }
  };

  const failedUndo = (host: HostEntry, failure: Failure): void => {
    const again = UNDO_AGAIN_MS[host.undoTries - 1];
    const taken =
      failure.code === 'locked' || failure.code === 'lock-lost' || failure.code === 'host-key-changed';
    if (again !== undefined && !taken) {
      host.undoAt = now + again;
      undoLater.add(host);
      return;
    }
    // Why it failed stays; that it can't be put back is what its state says.
    host.failure =
      host.failure === undefined
        ? failure
        : { ...host.failure, message: `${host.failure.message}; could not be put back: ${failure.message}` };
    setState(host, 'stuck');
  };

  // --- phases

  const stop = (reason: StopReason, message: string): void => {
    commands.push({ type: 'tell', what: { event: 'stopping', reason, message } });
    stopReason = reason;
    stopped = { step: 'leave', code: 'cancelled', message };
    phase = 'stopping';
    for (const host of all) {
      if (host.state !== 'preparing' && host.state !== 'fetching') continue;
      abort(host);
      setState(host, 'waiting');
    }
    // What is under way comes to no good any more; it is put back with its wave.
    for (const host of all) if (host.state === 'switching' || host.state === 'checking') abort(host);
  };

  const startWave = (chosen: HostEntry[]): void => {
    members = chosen;
    taken += chosen.length;
    wave = plan.waves.findIndex((limit) => limit >= taken) + 1;
    checkedTwice = false;
    phase = 'wave';
    for (const host of chosen) host.wave = wave;
    tellWave('started');
    for (const host of chosen) run(host, 'switch', 'switching');
  };

  const nextWave = (): void => {
    // Those that an earlier push has switched and nobody has judged: before any other host is touched.
    const resumed = all.filter((host) => host.state === 'fetched' && host.resumed);
    if (resumed.length > 0) {
      startWave(resumed);
      return;
    }
    const limit = plan.waves.find((one) => one > taken) ?? 0;
    const chosen = all.filter(({ state }) => state === 'fetched').slice(0, Math.max(0, limit - taken));
    if (chosen.length > 0) startWave(chosen);
    else {
      phase = 'finishing';
      for (const host of all) if (host.state === 'healthy') run(host, 'finish', 'finishing');
    }
  };

  const judgeWave = (): void => {
    if (count('switching', 'checking') > 0) return;
    if (!members.some(({ state }) => state === 'healthy')) {
      tellWave('failed');
      stop('wave-failed', `No host of wave ${wave} is healthy`);
      return;
    }
    if (plan.settleMs > 0 && !checkedTwice) {
      phase = 'settling';
      settleUntil = now + plan.settleMs;
      return;
    }
    tellWave('healthy');
    nextWave();
  };

  const lookAgain = (): void => {
    settleUntil = undefined;
    checkedTwice = true;
    phase = 'wave';
    for (const host of members) if (host.state === 'healthy') run(host, 'check', 'checking');
  };

  /** The last wave first; the one before it when that is done, or has taken long enough. */
  const putBack = (): void => {
    if (count('reverting') > 0 && backUntil !== undefined && now < backUntil) return;
    const last = Math.max(0, ...new Set(all.flatMap((host) => (isSwitched(host) ? [host.wave ?? 1] : []))));
    if (last === 0) {
      backUntil = Number.POSITIVE_INFINITY;
      if (count('reverting') === 0) leave();
      return;
    }
    backUntil = now + WAVE_BACK_MS;
    for (const host of all) if (isSwitched(host) && (host.wave ?? 1) === last) undo(host);
  };

  /** Also one that an earlier push has switched: but not where another push may be about to go on with it. */
  const isSwitched = ({ state, resumed }: HostEntry): boolean =>
    state === 'switching' ||
    state === 'checking' ||
    state === 'healthy' ||
    (state === 'fetched' && resumed && stopReason !== 'locked');

  const leave = (): void => {
    phase = 'leaving';
    for (const host of all) {
      const told = host.failure ?? stopped;
      const was =
        host.state === 'failed' || host.state === 'reverted' || (host.state === 'fetched' && stopped);
      if (was && told !== undefined && !OUT_OF_REACH.has(told.code)) run(host, 'leave');
    }
  };

  const cancel = (): void => {
    // What is put back is put back to its end, and what is kept is kept: who can't wait says so twice.
    if (phase === 'stopping' || phase === 'leaving' || phase === 'finishing' || phase === 'ended') return;
    commands.push({
      type: 'tell',
      what: { event: 'stopping', reason: 'cancelled', message: 'Cancelled: nothing new is begun' },
    });
    phase = 'cancelling';
    firstUntil = settleUntil = undefined;
    for (const host of all) {
      if (host.state === 'preparing' || host.state === 'fetching') {
        abort(host);
        setState(host, 'waiting');
      } else if (host.state === 'checking') abort(host);
    }
  };

  const end = (): void => {
    phase = 'ended';
    outcome = outcomeOf();
    commands.push({ type: 'end', outcome });
  };

  const outcomeOf = (): Outcome => {
    if (count('stuck') > 0) return 'stuck';
    if (stopped !== undefined) return 'failed';
    if (count('done') === all.length) return 'deployed';
    return count('done', 'healthy') > 0 ? 'partial' : 'failed';
  };

  const advance = (): void => {
    // Each turn does one thing, after which the next may be due at once.
    for (let before: Phase | undefined; before !== phase; ) {
      before = phase;
      if (phase === 'fetching') {
        if (firstUntil !== undefined && (now >= firstUntil || all[0]!.state !== 'preparing')) prepareAll();
        if (count('waiting', 'preparing', 'fetching') === 0) nextWave();
      } else if (phase === 'wave') judgeWave();
      else if (phase === 'settling' && settleUntil !== undefined && now >= settleUntil) lookAgain();
      else if (phase === 'finishing' && count('finishing', 'reverting') === 0) leave();
      else if (phase === 'stopping') putBack();
      else if (phase === 'leaving' && running.size === 0) end();
      else if (phase === 'cancelling' && count('switching', 'reverting') === 0) {
        phase = 'ended';
        outcome = 'cancelled';
        commands.push({ type: 'end', outcome });
      }
    }
  };

  const expire = (): void => {
    for (const [name, { step, deadline }] of running) {
      if (deadline > now) break;
      const host = hosts.get(name)!;
      abort(host);
      failed(host, {
        step,
        code: 'time-limit',
        message: `${step} was not done within ${plan.timeoutMs / 1000} s`,
      });
    }
    for (const host of undoLater) if (host.undoAt !== undefined && host.undoAt <= now) undo(host);
  };

  return {
    handle(event, at) {
      now = at;
      commands = [];
      if (phase === 'ended') return commands;
      if (event.type === 'start') {
        const first = all[0];
        if (first === undefined) end();
        else {
          firstUntil = now + FIRST_HOST_MS;
          run(first, 'prepare', 'preparing');
        }
      } else if (event.type === 'cancel') cancel();
      else if (event.type === 'done' || event.type === 'failed') {
        const host = hosts.get(event.host);
        // Of a step that was aborted, nothing counts any more.
        if (host !== undefined && running.get(event.host)?.step === event.step) {
          running.delete(event.host);
          if (event.type === 'done') done(host, event.step, event.status);
          else {
            const { step, code, message, output } = event;
            failed(host, { step, code, message, ...(output === undefined ? {} : { output }) });
          }
        }
      }
      expire();
      advance();
      return commands;
    },
    get wakeAt() {
      const times = [firstUntil, settleUntil, backUntil, running.values().next().value?.deadline];
      for (const { undoAt } of undoLater) times.push(undoAt);
      const due = Math.min(...times.map((time) => time ?? Number.POSITIVE_INFINITY));
      return due === Number.POSITIVE_INFINITY || phase === 'ended' ? undefined : due;
    },
    get outcome() {
      return outcome;
    },
    hosts: () => all.map(({ name, state, failure, wave: of }) => ({ name, state, failure, wave: of })),
  };
}

import { randomUUID } from 'node:crypto';
import { hostname, userInfo } from 'node:os';
import { ServiceError } from '@rookery/service';
import { asHostError } from '../host/errors.ts';
import { RECEIVE_BYTES, type ReleaseRef, type StepEvent, type StepResult } from '../host/protocol.ts';
import type { HostStatus } from '../host/status.ts';
import { createTransports, type Transports } from '../hosts/transports.ts';
import type { Host } from '../inventory/host.ts';
import { openRelease, type Release } from '../release/container.ts';
import type { PublicKey } from '../release/keys.ts';
import { checkName } from '../release/rules.ts';
import { payloadBytes } from '../release/torrent.ts';
import { type Amount, amountText, MAX_FAILURES, planWaves, TIMEOUT_MS } from '../rollout/plan.ts';
import { createRollout } from '../rollout/rollout.ts';
import type { HostView, Outcome, RolloutCommand, RolloutEvent, Told } from '../rollout/types.ts';
import type { TrackerPeer } from '../swarm/tracker/tracker.ts';
import type { PushEvent, PushedHost } from './events.ts';
import { createFleet } from './fleet.ts';
import { startSwarm } from './swarm.ts';

export interface PushOptions {
  /** The bytes of the release file. */
  readonly release: Uint8Array;
  /** Who may have signed it. */
  readonly trust: readonly PublicKey[];
  /** In the order in which they are switched. From `loadInventory`. */
  readonly hosts: readonly Host[];
  /** The release's tree, from which this process seeds. Without it, `trackers` must lead to an origin. */
  readonly tree?: string;
  /** `http://HOST:PORT/announce` of a swarm that is there already. */
  readonly trackers?: readonly string[];
  /** The name of its folder on the hosts; default its version. */
  readonly name?: string;
  /** Default: all hosts at once. */
  readonly waves?: readonly Amount[];
  readonly maxFailures?: Amount;
  /** Of a step on a host. Default 300 s. */
  readonly timeoutMs?: number;
  /** Between a wave's health and the second look at it. Default 0: there is none. */
  readonly settleMs?: number;
  /** This machine's address, as the hosts reach it. */
  readonly advertise?: string;
  /** Who deploys; default `user@machine`. */
  readonly by?: string;
  /** Aborted: nothing new is begun, and the push ends when switches under way have. */
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: PushEvent) => void;
  /** Called once, before the first event; what it is given tells who is in the swarm, for as long as the push runs. */
  readonly onSwarm?: (peers: () => readonly TrackerPeer[]) => void;
  readonly transports?: Transports;
}

export interface Pushed {
  readonly outcome: Outcome;
  readonly deployment: string;
  readonly hosts: readonly PushedHost[];
  readonly seconds: number;
}

const SWARM_FIGURES_EVERY_MS = 1_000;
/** A fetch without a byte for so long has no origin any more; its host's time limit may end it sooner. */
const STALL_MS = 120_000;

/**
 * Brings a release to hosts, and switches them to it in waves; undoes it when too many fail.
 * @throws ReleaseError, ServiceError: why it could not begin; what happens on hosts is in the result
 */
export async function push(options: PushOptions): Promise<Pushed> {
  const { hosts, trust, onEvent = () => undefined, signal } = options;
  const began = performance.now();
  const release = openRelease(options.release, trust);
  const ref = releaseRef(release, options);
  const trackers = options.trackers ?? [];
  if (options.tree === undefined && trackers.length === 0 && payloadBytes(release.manifest) > 0) {
    throw new ServiceError(
      'USAGE',
      'Where is the tree? Give --tree DIR, or --tracker URL of a swarm that has it',
    );
  }
  const deployment = randomUUID();
  const by = options.by ?? whoami();
  const waves = planWaves(options.waves ?? [], hosts.length);
  const maxFailures = options.maxFailures ?? MAX_FAILURES;
  await using swarm = await startSwarm({
    release,
    releaseBytes: options.release,
    tree: options.tree,
    trackers,
    hosts,
    advertise: options.advertise,
  });
  options.onSwarm?.(() => swarm.peers());
  await using fleet = createFleet({
    transports: { ...createTransports(), ...options.transports },
    deployment,
    owner: by,
    trust,
  });
  onEvent(pushEvent({ release, ref, hosts, deployment, by, waves, maxFailures }));

  const rollout = createRollout({
    hosts: hosts.map(({ name }) => name),
    release: release.id,
    waves,
    maxFailures,
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
    settleMs: options.settleMs ?? 0,
  });
  const byName = new Map(hosts.map((host) => [host.name, host]));
  const hasFile = new Set<string>();
  const running = new Map<string, AbortController>();
  /** The end of a host's last step: a host does one at a time. */
  const last = new Map<string, Promise<void>>();
  const { promise: ended, resolve: end } = Promise.withResolvers<Outcome>();
  let timer: NodeJS.Timeout | undefined;

  const give = (event: RolloutEvent): void => {
    for (const command of rollout.handle(event, performance.now())) obey(command);
    clearTimeout(timer);
    const { wakeAt } = rollout;
    if (wakeAt !== undefined)
      timer = setTimeout(() => give({ type: 'tick' }), Math.max(0, wakeAt - performance.now()));
  };
  const obey = (command: RolloutCommand): void => {
    if (command.type === 'run') start(byName.get(command.host)!, command);
    else if (command.type === 'abort') {
      running.get(command.host)?.abort();
      running.delete(command.host);
    } else if (command.type === 'tell') {
      if (command.what.event === 'wave') swarm.letGo();
      onEvent(toldEvent(command.what, waves.length));
    } else end(command.outcome);
  };
  const start = (host: Host, command: Extract<RolloutCommand, { type: 'run' }>): void => {
    const { step } = command;
    const controller = new AbortController();
    running.set(host.name, controller);
    const work = (async () => {
      await last.get(host.name);
      let event: RolloutEvent;
      try {
        const status = await doStep(host, command, controller.signal);
        event = { type: 'done', host: host.name, step, ...(status === undefined ? {} : { status }) };
      } catch (error) {
        const { code, message, output } = asHostError(error);
        event = { type: 'failed', host: host.name, step, code, message, output };
      }
      // Of an aborted step nothing is to be said.
      if (running.get(host.name) !== controller) return;
      running.delete(host.name);
      give(event);
    })();
    last.set(host.name, work);
  };
  const doStep = async (
    host: Host,
    { step, failure }: Extract<RolloutCommand, { type: 'run' }>,
    stepSignal: AbortSignal,
  ): Promise<HostStatus | undefined> => {
    const onStepEvent = (event: StepEvent): void => onEvent(stepEvent(host.name, event));
    const stepOptions = { signal: stepSignal, onEvent: onStepEvent };
    if (step === 'prepare') {
      const { status, hasReleaseFile } = await fleet.run(host, { step, release: ref }, stepOptions);
      if (hasReleaseFile) hasFile.add(host.name);
      return status;
    }
    if (step === 'fetch') {
      const { ready } = await fleet.connect(host, stepSignal);
      if (!hasFile.has(host.name)) await sendRelease(host, stepSignal);
      const { rack } = host;
      const fetching = {
        trackers: swarm.trackersFor(host, ready),
        stallMs: STALL_MS,
        ...(rack === undefined ? {} : { rack }),
      };
      const result = await fleet.run(host, { step, release: ref, ...fetching }, stepOptions);
      onEvent(fetchedEvent(host.name, result));
    } else if (step === 'leave') {
      const told = failure === undefined ? {} : { failed: { code: failure.code, message: failure.message } };
      await fleet.run(host, { step, ...told }, stepOptions);
    } else {
      const result = await fleet.run(host, { step, release: ref }, stepOptions);
      for (const message of warningsOf(result)) onEvent({ event: 'warning', host: host.name, message });
    }
    return undefined;
  };
  const sendRelease = async (host: Host, stepSignal: AbortSignal): Promise<void> => {
    const bytes = Buffer.from(options.release);
    for (let offset = 0; offset < bytes.length; offset += RECEIVE_BYTES) {
      const data = bytes.subarray(offset, offset + RECEIVE_BYTES).toString('base64');
      const last = offset + RECEIVE_BYTES >= bytes.length;
      await fleet.run(host, { step: 'receive', release: ref, offset, data, last }, { signal: stepSignal });
    }
  };

  const onAbort = (): void => give({ type: 'cancel' });
  signal?.addEventListener('abort', onAbort, { once: true });
  const figures = setInterval(() => {
    if (!rollout.hosts().some(({ state }) => state === 'fetching')) return;
    const { peers, complete, sentBytes } = swarm.figures();
    onEvent({ event: 'swarm', peers, complete, origin_sent_bytes: sentBytes });
  }, SWARM_FIGURES_EVERY_MS);
  try {
    give({ type: 'start' });
    if (signal?.aborted) onAbort();
    const outcome = await ended;
    const seconds = Math.round(performance.now() - began) / 1000;
    const views = rollout.hosts();
    const stand = views.map(pushedHost);
    onEvent({ event: 'done', outcome, seconds, counts: countStates(views), hosts: stand });
    return { outcome, deployment, hosts: stand, seconds };
  } finally {
    clearInterval(figures);
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

/** `user@machine`, for locks, logs and records. */
export function whoami(): string {
  return `${userInfo().username}@${hostname()}`;
}

function releaseRef({ id, manifest }: Release, { name, release }: PushOptions): ReleaseRef {
  const { app, version, commit } = manifest;
  if (name !== undefined) checkName('version', name);
  return {
    name: name ?? version,
    id,
    app,
    version,
    ...(commit === undefined ? {} : { commit }),
    bytes: release.length,
  };
}

function pushEvent(facts: {
  readonly release: Release;
  readonly ref: ReleaseRef;
  readonly hosts: readonly Host[];
  readonly deployment: string;
  readonly by: string;
  readonly waves: readonly number[];
  readonly maxFailures: Amount;
}): PushEvent {
  const { release, ref, hosts, deployment, by, waves, maxFailures } = facts;
  let treeBytes = 0;
  for (const entry of release.manifest.entries) if (entry.kind === 'file') treeBytes += entry.size;
  return {
    event: 'push',
    deployment,
    by,
    app: ref.app,
    version: ref.version,
    release_id: ref.id,
    name: ref.name,
    commit: ref.commit ?? null,
    hosts: hosts.map(({ name: host, transport, address, rack, groups, tags }) => ({
      host,
      transport,
      address,
      rack: rack ?? null,
      groups,
      tags,
    })),
    waves,
    max_failures: amountText(maxFailures),
    tree_bytes: treeBytes,
    payload_bytes: payloadBytes(release.manifest),
    time: new Date().toISOString(),
  };
}

function toldEvent(told: Told, waves: number): PushEvent {
  if (told.event === 'wave') return { ...told, waves };
  if (told.event !== 'host') return told;
  const { failure, ...rest } = told;
  return { ...rest, ...failure };
}

function stepEvent(host: string, event: StepEvent): PushEvent {
  if (event.event !== 'progress') return { ...event, host };
  const { phase, doneBytes, totalBytes, peers } = event;
  return { event: 'progress', host, phase, done_bytes: doneBytes, total_bytes: totalBytes, peers };
}

function fetchedEvent(host: string, result: StepResult<'fetch'>): PushEvent {
  const { fetchedBytes, httpBytes, reusedBytes, peers, seconds } = result;
  return {
    event: 'fetched',
    host,
    fetched_bytes: fetchedBytes,
    http_bytes: httpBytes,
    reused_bytes: reusedBytes,
    peers,
    seconds: Math.round(seconds * 1000) / 1000,
  };
}

function pushedHost({ name, state, wave, failure }: HostView): PushedHost {
  return {
    host: name,
    state,
    wave: wave ?? null,
    code: failure?.code ?? null,
    message: failure?.message ?? null,
  };
}

function countStates(views: readonly HostView[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { state } of views) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}

function warningsOf(result: object): readonly string[] {
  return 'warnings' in result ? (result.warnings as readonly string[]) : [];
}

import type { HostStatus } from '../host/status.ts';
import type { Transports } from '../hosts/transports.ts';
import type { Host } from '../inventory/host.ts';
import { boardOfPush } from '../page/board.ts';
import { createDeployment } from '../progress/deployment.ts';
import { onEachHost } from '../push/each.ts';
import type { PushEvent } from '../push/events.ts';
import { createFleet } from '../push/fleet.ts';
import { push, whoami } from '../push/push.ts';
import { openRelease } from '../release/container.ts';
import { type Amount, planWaves, TIMEOUT_MS } from '../rollout/plan.ts';
import type { Outcome } from '../rollout/types.ts';
import type { TrackerPeer } from '../swarm/tracker/tracker.ts';
import { readPublicKeys, readReleaseFile } from './files.ts';
import type { HistoryFlags } from './history.ts';
import { type HostsFlags, hostsOf, transportsOf } from './hosts.ts';
import { listenForInterrupt } from './interrupt.ts';
import { recordPush } from './record.ts';
import type { Reporter } from './report.ts';
import { serveUi, type UiFlags } from './ui.ts';
import { PUSH_UI } from './ui-address.ts';
import { watchPush } from './watch.ts';

export interface PushCommand extends HostsFlags, UiFlags, HistoryFlags {
  readonly trust: readonly string[];
  readonly tree?: string;
  readonly tracker: readonly string[];
  readonly as?: string;
  readonly wave: readonly Amount[];
  readonly maxFailures?: Amount;
  readonly timeout: number;
  readonly settle: number;
  readonly advertise?: string;
  readonly dryRun: boolean;
}

const EXIT_CODES: { readonly [K in Exclude<Outcome, 'cancelled'>]: number } = {
  deployed: 0,
  failed: 1,
  partial: 3,
  stuck: 4,
};

/**
 * Pushes; resolves to the exit code.
 * @throws ReleaseError, ServiceError
 */
export async function pushCommand(path: string, command: PushCommand, reporter: Reporter): Promise<number> {
  const { tree, tracker, as: name, wave, maxFailures, advertise } = command;
  using interrupt = listenForInterrupt();
  const release = await readReleaseFile(path);
  const trust = await readPublicKeys(command.trust);
  const hosts = await hostsOf(command);
  const transports = await transportsOf(command);
  if (command.dryRun)
    return dryRun(openRelease(release, trust).id, hosts, transports, command, reporter, interrupt.signal);
  const deployment = createDeployment();
  let peers: () => readonly TrackerPeer[] = () => [];
  await using ui = await serveUi(command, PUSH_UI, reporter, () => {
    const board = boardOfPush(deployment, peers(), performance.now());
    return board === undefined ? [] : [board];
  });
  await using recording = await recordPush(command.history, reporter);
  using watching = watchPush(reporter);
  const onEvent = (event: PushEvent): void => {
    const { event: kind, ...fields } = event;
    reporter.event(kind, fields);
    watching.onEvent(event);
    recording.onEvent(event);
    deployment.handle(event, performance.now());
    ui.changed();
  };
  const { outcome } = await push({
    release,
    trust,
    hosts,
    trackers: tracker,
    transports,
    waves: wave,
    timeoutMs: command.timeout * 1000,
    settleMs: command.settle * 1000,
    ...(tree === undefined ? {} : { tree }),
    ...(name === undefined ? {} : { name }),
    ...(maxFailures === undefined ? {} : { maxFailures }),
    ...(advertise === undefined ? {} : { advertise }),
    signal: interrupt.signal,
    onEvent,
    onSwarm: (tell) => {
      peers = tell;
    },
  });
  return outcome === 'cancelled' ? (interrupt.exitCode ?? 1) : EXIT_CODES[outcome];
}

/** Asks each host where it stands, and says what a push would do; changes nothing. */
async function dryRun(
  releaseId: string,
  hosts: readonly Host[],
  transports: Transports,
  { wave }: PushCommand,
  reporter: Reporter,
  signal: AbortSignal,
): Promise<number> {
  const waves = planWaves(wave, hosts.length);
  await using fleet = createFleet({
    transports,
    deployment: 'dry-run',
    owner: whoami(),
    trust: [],
  });
  const asked = await onEachHost(
    hosts,
    (host, limit) => fleet.run(host, { step: 'status' }, { signal: limit }),
    {
      timeoutMs: TIMEOUT_MS,
      signal,
    },
  );
  let problems = 0;
  for (const [index, one] of asked.entries()) {
    const number = waves.findIndex((limit) => limit > index) + 1;
    const what = 'error' in one ? 'fail' : wouldDo(one.result, releaseId);
    const message = 'error' in one ? `${one.error.code}: ${one.error.message}` : lockedBy(one.result);
    if (message !== null) problems++;
    reporter.event('would', { host: one.host.name, wave: number, what, message });
    reporter.say(
      `${one.host.name}: wave ${number}, would ${what}${message === null ? '' : ` (${message})`}\n`,
    );
  }
  reporter.event('done', { outcome: 'dry-run', problems });
  reporter.say(
    `Nothing was changed. ${problems === 0 ? 'Every host can be reached' : `${problems} hosts have problems`}.\n`,
  );
  return problems === 0 ? 0 : 1;
}

function wouldDo({ current, unfinished, releases }: HostStatus, releaseId: string): string {
  if (unfinished?.id === releaseId && unfinished.kind === 'deploy')
    return 'go on with a switch that was cut off';
  if (current?.id === releaseId) return 'do nothing: it runs this release';
  return releases.some(({ id }) => id === releaseId) ? 'switch: it has the release' : 'fetch and switch';
}

function lockedBy({ lock }: HostStatus): string | null {
  return lock?.alive === true ? `locked by ${lock.owner} since ${lock.at}` : null;
}

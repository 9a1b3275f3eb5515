import { randomUUID } from 'node:crypto';
import type { HostError } from '../host/errors.ts';
import type { HostStatus } from '../host/status.ts';
import { createTransports, type Transports } from '../hosts/transports.ts';
import type { Host } from '../inventory/host.ts';
import { loadInventory } from '../inventory/load.ts';
import { selectHosts } from '../inventory/select.ts';
import { clean } from '../progress/clean.ts';
import { type OnHost, onEachHost } from '../push/each.ts';
import { createFleet, type Fleet } from '../push/fleet.ts';
import { whoami } from '../push/push.ts';
import { readSigningKey } from './files.ts';
import { listenForInterrupt } from './interrupt.ts';
import type { Reporter } from './report.ts';

export interface HostsFlags {
  readonly hosts?: string;
  readonly hostsCommand?: string;
  readonly only: readonly string[];
  readonly except: readonly string[];
  readonly sshConfig?: string;
  /** The file of this coordinator's key. */
  readonly agentKey?: string;
  readonly knownAgents?: string;
  readonly trustNewAgents: boolean;
}

export interface EachFlags extends HostsFlags {
  /** Seconds. */
  readonly timeout: number;
}

/** @throws ServiceError */
export async function hostsOf({ hosts, hostsCommand, only, except }: HostsFlags): Promise<Host[]> {
  const all = await loadInventory({
    ...(hosts === undefined ? {} : { file: hosts }),
    ...(hostsCommand === undefined ? {} : { command: hostsCommand }),
  });
  return selectHosts(all, only, except);
}

/** The ways to hosts. @throws ReleaseError `key-invalid` */
export async function transportsOf(flags: HostsFlags): Promise<Transports> {
  const { sshConfig, agentKey, knownAgents, trustNewAgents } = flags;
  return createTransports({
    ...(sshConfig === undefined ? {} : { sshConfig }),
    ...(agentKey === undefined ? {} : { agentKey: await readSigningKey(agentKey) }),
    ...(knownAgents === undefined ? {} : { knownAgents }),
    trustNewAgents,
  });
}

/** Lists the hosts, without asking them. */
export async function hostsCommand(flags: HostsFlags, reporter: Reporter): Promise<number> {
  for (const { name, transport, address, user, port, rack, groups, tags, settings } of await hostsOf(flags)) {
    const { root } = settings;
    reporter.event('host', {
      host: name,
      transport,
      address,
      user: user ?? null,
      port: port ?? null,
      rack: rack ?? null,
      groups,
      tags,
      root,
    });
    const where = transport === 'local' ? root : `${user === undefined ? '' : `${user}@`}${address}:${root}`;
    const more = [
      ...groups.map((group) => `group:${group}`),
      ...tags.map((tag) => `tag:${tag}`),
      ...(rack === undefined ? [] : [`rack:${rack}`]),
    ];
    reporter.say(`${name}  ${transport} ${where}  ${more.join(' ')}\n`);
  }
  return 0;
}

export function statusCommand(flags: EachFlags, reporter: Reporter): Promise<number> {
  return each(flags, reporter, 'status', statusOf, ({ current, previous, unfinished, lock, freeBytes }) => ({
    fields: { current, previous, unfinished, lock, free_bytes: freeBytes },
    text: [
      current === null ? 'nothing is deployed' : `runs ${current.name}`,
      ...(previous === null ? [] : [`before it ${previous}`]),
      ...(unfinished === null
        ? []
        : [
            `HALF-SWITCHED from ${unfinished.from ?? 'nothing'} to ${unfinished.to} (${unfinished.phase}): push again, or rollback`,
          ]),
      ...(lock === null ? [] : [`${lock.alive ? 'locked' : 'lock left'} by ${lock.owner} since ${lock.at}`]),
    ].join(', '),
  }));
}

export function releasesCommand(flags: EachFlags, reporter: Reporter): Promise<number> {
  return each(flags, reporter, 'releases', statusOf, ({ current, releases }) => ({
    fields: { current: current?.name ?? null, releases },
    text:
      releases.map(({ name }) => (name === current?.name ? `${name} (current)` : name)).join(', ') || 'none',
  }));
}

export function cleanupCommand(
  flags: EachFlags & { readonly keep?: number },
  reporter: Reporter,
): Promise<number> {
  const { keep } = flags;
  return each(
    flags,
    reporter,
    'cleanup',
    (host, fleet, signal) =>
      fleet.run(host, { step: 'cleanup', ...(keep === undefined ? {} : { keep }) }, { signal }),
    ({ removed }) => ({
      fields: { removed },
      text: removed.length === 0 ? 'nothing to remove' : `removed ${removed.join(', ')}`,
    }),
  );
}

export function unlockCommand(flags: EachFlags, reporter: Reporter): Promise<number> {
  return each(
    flags,
    reporter,
    'unlock',
    (host, fleet, signal) => fleet.run(host, { step: 'unlock' }, { signal }),
    ({ ended }) => ({
      fields: { ended },
      text: ended === null ? 'was not locked' : `ended ${ended.owner}’s deployment (process ${ended.pid})`,
    }),
  );
}

export function statusOf(host: Host, fleet: Fleet, signal: AbortSignal): Promise<HostStatus> {
  return fleet.run(host, { step: 'status' }, { signal });
}

export async function openFleet(flags: HostsFlags, deployment: string = randomUUID()): Promise<Fleet> {
  return createFleet({
    transports: await transportsOf(flags),
    deployment,
    owner: whoami(),
    trust: [],
  });
}

type Said = { readonly fields: Readonly<Record<string, unknown>>; readonly text: string };

async function each<T>(
  flags: EachFlags,
  reporter: Reporter,
  event: string,
  work: (host: Host, fleet: Fleet, signal: AbortSignal) => Promise<T>,
  say: (result: T) => Said,
): Promise<number> {
  const hosts = await hostsOf(flags);
  using interrupt = listenForInterrupt();
  await using fleet = await openFleet(flags);
  const limits = { timeoutMs: flags.timeout * 1000, signal: interrupt.signal };
  return told(
    await onEachHost(hosts, (host, signal) => work(host, fleet, signal), limits),
    reporter,
    event,
    say,
  );
}

export function told<T>(
  done: readonly OnHost<T>[],
  reporter: Reporter,
  event: string,
  say: (result: T) => Said,
): number {
  let failed = 0;
  for (const one of done) {
    const host = one.host.name;
    if ('error' in one) {
      failed++;
      const { code, message, output } = one.error as HostError;
      reporter.event('host_failed', { host, code, message, output });
      reporter.say(`${host}: FAILED: ${code}: ${clean(message)}\n`);
    } else {
      const { fields, text } = say(one.result);
      reporter.event(event, { host, ...fields });
      reporter.say(`${host}: ${text}\n`);
    }
  }
  return failed === 0 ? 0 : 1;
}

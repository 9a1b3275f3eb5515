import { randomUUID } from 'node:crypto';
import { ServiceError } from '@rookery/service';
import { rollbackBegun, rollbackEnded, type WentBackOn } from '../history/rollback.ts';
import type { ReleaseRef, WentBack } from '../host/protocol.ts';
import type { HostStatus } from '../host/status.ts';
import type { Host } from '../inventory/host.ts';
import { type OnHost, onEachHost } from '../push/each.ts';
import { whoami } from '../push/push.ts';
import type { HistoryFlags } from './history.ts';
import { type EachFlags, hostsOf, openFleet, statusOf, told } from './hosts.ts';
import { listenForInterrupt } from './interrupt.ts';
import { openNotebook, thisProcess } from './record.ts';
import type { Reporter } from './report.ts';

export interface RollbackCommand extends EachFlags, HistoryFlags {
  /** Which release. */
  readonly to?: string;
}

/**
 * Puts hosts back to a release: the one before, or one by name. All at once: it is known to work.
 * @throws ServiceError `USAGE`: the hosts would go back to different releases
 */
export async function rollbackCommand(command: RollbackCommand, reporter: Reporter): Promise<number> {
  const hosts = await hostsOf(command);
  using interrupt = listenForInterrupt();
  const id = randomUUID();
  await using fleet = await openFleet(command, id);
  const limits = { timeoutMs: command.timeout * 1000, signal: interrupt.signal };
  const asked = await onEachHost(hosts, (host, signal) => statusOf(host, fleet, signal), limits);
  const { to } = command;
  const began = performance.now();
  const notebook = openNotebook(command.history);
  const begun = rollbackBegun({
    id,
    by: whoami(),
    ...(await thisProcess()),
    began_at: new Date().toISOString(),
    hosts: hosts.map(({ name }) => name),
    target: targetOf(asked, to),
  });
  notebook.write(begun);

  const checking = new Set<Host>();
  const back = async (host: Host, signal: AbortSignal): Promise<WentBack> => {
    const result = await fleet.run(
      host,
      { step: 'rollback', ...(to === undefined ? {} : { to }) },
      { signal },
    );
    checking.add(host);
    const { current } = await statusOf(host, fleet, signal);
    // A folder that somebody else has made has no record, and its check knows no version.
    if (current !== null) await fleet.run(host, { step: 'check', release: checked(current) }, { signal });
    return result;
  };
  const done = await onEachHost(hosts, back, limits);
  const exitCode = told(done, reporter, 'rollback', ({ from, to: now, changed, warnings }) => ({
    fields: { from, to: now, changed, warnings },
    text: changed
      ? `went back from ${from ?? 'nothing'} to ${now ?? 'nothing'}`
      : `runs ${now ?? 'nothing'} already`,
  }));
  const stand = done.map((one): WentBackOn => {
    const on = { host: one.host.name, step: checking.has(one.host) ? 'check' : 'rollback' } as const;
    return 'error' in one ? { ...on, error: one.error } : on;
  });
  notebook.write(
    rollbackEnded(begun, stand, {
      at: new Date().toISOString(),
      seconds: Math.round(performance.now() - began) / 1000,
      cancelled: interrupt.signal.aborted,
    }),
  );
  await notebook.end(reporter);
  return exitCode;
}

/** What hosts go back to, by what they say themselves. @throws ServiceError `USAGE`: not all to the same */
function targetOf(asked: readonly OnHost<HostStatus>[], to: string | undefined) {
  const known = asked.flatMap((one) => ('result' in one ? [one.result] : []));
  const names = new Set(to === undefined ? known.map(({ previous }) => previous ?? 'nothing') : [to]);
  if (names.size > 1) {
    throw new ServiceError(
      'USAGE',
      `The hosts would go back to different releases (${[...names].join(', ')}): give one with --to, or choose hosts with --only`,
    );
  }
  const [name = 'nothing'] = names;
  const listed = known.flatMap(({ releases }) => releases).find((release) => release.name === name);
  const { id = null, app = null, version = null } = listed ?? {};
  return { name, id, app, version };
}

function checked({ name, id, version }: NonNullable<HostStatus['current']>): ReleaseRef {
  return { name, id: id ?? '0'.repeat(64), app: '', version: version ?? '', bytes: 0 };
}

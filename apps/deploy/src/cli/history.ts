import { approximateBytes, ServiceError } from '@rookery/service';
import { historyFolder } from '../history/folder.ts';
import type { DeploymentRecord, HostRecord } from '../history/record.ts';
import { createHistory } from '../history/store.ts';
import { isAlive } from '../process-identity.ts';
import type { Reporter } from './report.ts';

export interface HistoryFlags {
  /** The folder. */
  readonly history?: string;
}

/** Lists deployments, the newest first. @throws HistoryError, ServiceError */
export async function historyCommand(
  { history, app, last }: HistoryFlags & { readonly app?: string; readonly last: number },
  reporter: Reporter,
): Promise<number> {
  const all = await createHistory(folderOf(history)).list();
  const shown = all.filter((record) => app === undefined || record.app === app).slice(0, last);
  if (shown.length === 0) reporter.say('No deployments yet.\n');
  const rows = await Promise.all(
    shown.map(async (record) => {
      const outcome = await outcomeOf(record);
      reporter.event('deployment', { ...told(record), outcome });
      const took = record.seconds === null ? '' : `${record.seconds.toFixed(1)} s`;
      return [
        record.id.slice(0, 8),
        localTime(record.began_at),
        titleOf(record),
        outcome,
        `${record.hosts} ${record.hosts === 1 ? 'host' : 'hosts'}`,
        took,
        record.by,
      ];
    }),
  );
  reporter.say(columns(rows));
  return 0;
}

/** Shows one deployment and its hosts. @throws HistoryError; ServiceError `USAGE`: there is none, or more than one */
export async function historyShowCommand(
  id: string,
  { history }: HistoryFlags,
  reporter: Reporter,
): Promise<number> {
  const store = createHistory(folderOf(history));
  const found = (await store.list()).filter((record) => record.id.startsWith(id));
  const [record] = found;
  if (record === undefined || found.length > 1) {
    const what = record === undefined ? 'There is no deployment' : 'There is more than one deployment';
    throw new ServiceError('USAGE', `${what} ${JSON.stringify(id)}: see rookery-deploy history`);
  }
  const outcome = await outcomeOf(record);
  reporter.event('deployment', { ...told(record), outcome });
  const hosts = await store.hosts(record.id);
  for (const host of hosts) reporter.event('host', { ...host });
  const facts: [string, string | null][] = [
    ['id', record.id],
    ['outcome', UNENDED[outcome] ?? outcome],
    ['release', record.release_id],
    ['commit', record.commit],
    ['by', `${record.by}, in ${record.folder}`],
    ['began', localTime(record.began_at)],
    ['took', record.seconds === null ? null : `${record.seconds.toFixed(1)} s`],
    ['waves', record.waves.join(', ')],
  ];
  reporter.say(`${titleOf(record)}\n`);
  for (const [name, value] of facts) if (value !== null) reporter.say(`  ${name.padEnd(9)}${value}\n`);
  reporter.say(`\n${columns(hosts.map(hostRow))}`);
  return 0;
}

const UNENDED: Readonly<Record<string, string>> = {
  running: 'running: it has not ended yet',
  unfinished:
    'unfinished: its process was killed; this is how hosts stood when it last wrote. `status` asks them, `push` goes on',
};

function folderOf(given: string | undefined): string {
  const folder = historyFolder(given, process.env);
  if (folder !== undefined) return folder;
  throw new ServiceError('USAGE', 'There is no history: ROOKERY_DEPLOY_HISTORY is `none`');
}

function titleOf({ app, version, kind }: DeploymentRecord): string {
  return `${app} ${version}${kind === 'rollback' ? ' (rollback)' : ''}`.trim();
}

/** How it ended; of one that hasn't, whether it still may. */
async function outcomeOf({ outcome, process: one }: DeploymentRecord): Promise<string> {
  return outcome ?? ((await isAlive(one)) ? 'running' : 'unfinished');
}

function told({ process: _, ...record }: DeploymentRecord): Omit<DeploymentRecord, 'process'> {
  return record;
}

function hostRow(host: HostRecord): string[] {
  const { fetched_bytes: fetched, reused_bytes: reused } = host;
  const bytes = [
    ...(fetched > 0 ? [`${approximateBytes(fetched)} fetched`] : []),
    ...(reused > 0 ? [`${approximateBytes(reused)} reused`] : []),
  ].join(', ');
  const took = [
    ...(host.fetch_seconds === null ? [] : [`fetch ${host.fetch_seconds.toFixed(1)} s`]),
    ...(host.switch_seconds === null ? [] : [`switch ${host.switch_seconds.toFixed(1)} s`]),
  ].join(', ');
  const why = host.code === null ? '' : `${host.code}: ${host.message ?? ''}`;
  return [`  ${host.host}`, host.state, host.wave === null ? '' : `wave ${host.wave}`, bytes, took, why];
}

/** `2026-01-31 14:05`, in the time zone of whoever looks. */
function localTime(time: string): string {
  const date = new Date(time);
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** Each column as wide as its widest cell; empty columns are left out. */
function columns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, index) => Math.max(0, ...rows.map((row) => row[index]!.length))) ?? [];
  return rows
    .map((row) => {
      const cells = row.flatMap((cell, index) => (widths[index] === 0 ? [] : [cell.padEnd(widths[index]!)]));
      return `${cells.join('  ').trimEnd()}\n`;
    })
    .join('');
}

/** Imports into a server that runs, or into a data folder that no server has open. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { approximateBytes } from '@rookery/service';
import { QueueServer } from '../../server.ts';
import { type Target, withClient } from '../target.ts';
import { type Imported, type ImportKind, importFolder } from './import.ts';

export interface ImportOptions {
  readonly kind: ImportKind;
  readonly directory: string;
  /** The data folder to write to; without it, the server. */
  readonly data: string | undefined;
  readonly json: boolean;
}

/** Resolves to what to print, and whether all could be read. */
export async function importCommand(
  target: Target,
  options: ImportOptions,
  signal: AbortSignal,
): Promise<{ readonly text: string; readonly whole: boolean }> {
  const { kind, directory, data, json } = options;
  const run = (server: Target): Promise<Imported[]> =>
    withClient(server, signal, (client) => importFolder(client, kind, directory, signal));
  const imported = data === undefined ? await run(target) : await withServer(data, run);
  const whole = imported.every(({ damaged }) => damaged === undefined);
  return { text: json ? asJson(imported) : forPeople(imported), whole };
}

/** A server of its own on the folder, for this process alone; when it has stopped all is on the device. */
async function withServer<T>(data: string, run: (server: Target) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'rookery-queue-'));
  const socket = join(folder, 'socket');
  const server = new QueueServer({ settings: { data, socket, port: 0, adminPort: 0, sync: 'never' } });
  try {
    await server.start();
    return await run({ address: `unix:${socket}`, options: {} });
  } finally {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

function asJson(imported: readonly Imported[]): string {
  return imported
    .map(({ queue, messages, returned, expired, tornBytes, damaged }) => {
      const line = {
        queue,
        messages,
        returned,
        expired,
        torn_bytes: tornBytes,
        damaged: damaged === undefined ? null : { file: damaged.file, position: damaged.position },
      };
      return `${JSON.stringify(line)}\n`;
    })
    .join('');
}

function forPeople(imported: readonly Imported[]): string {
  const lines = imported.map(({ queue, messages, returned, expired, tornBytes, damaged }) =>
    [
      `${queue}: ${messages} messages`,
      ...(returned > 0 ? [`${returned} of them were open and not acknowledged`] : []),
      ...(expired > 0 ? [`${expired} left out: expired`] : []),
      ...(tornBytes > 0
        ? [`the last ${approximateBytes(tornBytes)} left out: cut off in the middle of a write`]
        : []),
      ...(damaged === undefined
        ? []
        : [`what is behind byte ${damaged.position} of ${damaged.file} left out: it makes no sense`]),
    ].join('; '),
  );
  return `${lines.join('\n')}\n`;
}

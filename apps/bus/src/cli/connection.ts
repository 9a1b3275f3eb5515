/** How the client commands find a daemon and are let in. */
import { readFile } from 'node:fs/promises';
import { ServiceError } from '@rookery/service';
import { type Bus, BusError, type ConnectOptions, connect } from '../client/node.ts';

export interface ConnectionFlags {
  readonly url?: readonly string[];
  readonly tokenFile?: string;
}

export interface Target {
  readonly urls: readonly string[];
  readonly token: string | undefined;
}

export type Environment = Readonly<Record<string, string | undefined>>;

export const DEFAULT_URL = 'ws://127.0.0.1:4804';

/** Variables of the client commands, which begin as the daemon's settings do and are none. */
export const CLIENT_VARIABLES: readonly string[] = [
  'ROOKERY_BUS_URL',
  'ROOKERY_BUS_TOKEN',
  'ROOKERY_BUS_ADMIN_URL',
  'ROOKERY_BUS_SPOOL',
];

/** Flags, else the environment, else a daemon on this machine. */
export async function targetOf(flags: ConnectionFlags, environment: Environment): Promise<Target> {
  const urls = flags.url ?? environment.ROOKERY_BUS_URL?.split(',').map((url) => url.trim()) ?? [DEFAULT_URL];
  for (const url of urls) {
    if (!URL.canParse(url) || !/^wss?:$/.test(new URL(url).protocol)) {
      throw new ServiceError('USAGE', `${JSON.stringify(url)} is no WebSocket URL, such as ${DEFAULT_URL}`);
    }
  }
  return { urls, token: await tokenOf(flags.tokenFile, environment) };
}

async function tokenOf(file: string | undefined, environment: Environment): Promise<string | undefined> {
  if (file === undefined && environment.ROOKERY_BUS_TOKEN) return environment.ROOKERY_BUS_TOKEN;
  const path = file ?? environment.ROOKERY_BUS_TOKEN_FILE;
  if (!path) return undefined;
  const text = await readFile(path, 'utf8').catch((error: Error) => {
    throw new ServiceError('USAGE', `the token file can't be read: ${error.message}`, { cause: error });
  });
  // As the daemon reads its own list, so that one file may serve both.
  const token = text.split('\n').find((line) => line.trim() !== '' && !line.startsWith('#'));
  if (token === undefined) throw new ServiceError('USAGE', `${path} holds no token`);
  return token.trim();
}

/**
 * Resolves when a daemon has let the session in. `signal` gives that up; afterwards it has no effect.
 *
 * @throws ServiceError `USAGE` for what no daemon would take; else what `explained` makes of a BusError
 */
export async function openBus(target: Target, signal: AbortSignal, options: ConnectOptions): Promise<Bus> {
  const { urls, token } = target;
  const opening = new AbortController();
  const abort = (): void => opening.abort();
  signal.addEventListener('abort', abort);
  try {
    return await connect(urls, {
      signal: opening.signal,
      ...(token === undefined ? {} : { token }),
      ...options,
    });
  } catch (error) {
    throw explained(error, urls);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** Says what to do about an error of the client. */
export function explained(error: unknown, urls: readonly string[] = []): unknown {
  if (!(error instanceof BusError)) return error;
  const options = { cause: error };
  switch (error.code) {
    case 'BAD_ARGUMENT':
      return new ServiceError('USAGE', error.message, options);
    case 'COULD_NOT_CONNECT':
      return new Error(
        `${urls.join(' and ')}: ${error.message}. Is a daemon running there? Start one with "rookery-bus daemon", or name another with --url`,
        options,
      );
    case 'UNAUTHORIZED':
      return new Error(`${error.message}: give --token-file, or ROOKERY_BUS_TOKEN`, options);
    default:
      return error;
  }
}

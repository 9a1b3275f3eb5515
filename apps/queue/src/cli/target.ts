/** How the client commands find a server. */
import { readFileSync } from 'node:fs';
import { ServiceError } from '@rookery/service';
import {
  type ClientSettings,
  type ConnectOptions,
  connect,
  type QueueClient,
  QueueError,
  type StateChange,
} from '../client/index.ts';

export interface TargetFlags {
  readonly server?: string;
  readonly user?: string;
  readonly tokenFile?: string;
  readonly tls?: boolean;
  readonly ca?: string;
  readonly certificate?: string;
  readonly key?: string;
}

/** A server, and how to come in. */
export interface Target {
  readonly address: string;
  readonly options: Pick<ConnectOptions, 'user' | 'token' | 'tls'>;
}

export type Environment = Readonly<Record<string, string | undefined>>;

export const DEFAULT_SERVER = '127.0.0.1:22122';

/** Variables of the client commands, which begin as the server's settings do and are none. */
export const CLIENT_VARIABLES: readonly string[] = [
  'ROOKERY_QUEUE_SERVER',
  'ROOKERY_QUEUE_USER',
  'ROOKERY_QUEUE_TOKEN',
  'ROOKERY_QUEUE_TOKEN_FILE',
  'ROOKERY_QUEUE_TLS',
  'ROOKERY_QUEUE_CA',
];

/**
 * Flag, else the environment, else a server on this machine. The token has no flag: command lines are for all to see.
 * @throws ServiceError `USAGE`
 */
export function targetOf(flags: TargetFlags, environment: Environment): Target {
  const user = flags.user ?? (environment.ROOKERY_QUEUE_USER || undefined);
  const tokenFile = flags.tokenFile ?? (environment.ROOKERY_QUEUE_TOKEN_FILE || undefined);
  const token = tokenFile === undefined ? environment.ROOKERY_QUEUE_TOKEN || undefined : read(tokenFile);
  if (user !== undefined && token === undefined) {
    throw new ServiceError('USAGE', `${user} has no token: set ROOKERY_QUEUE_TOKEN, or give --token-file`);
  }
  if (user === undefined && token !== undefined) {
    throw new ServiceError('USAGE', 'a token goes with a user: give --user, or set ROOKERY_QUEUE_USER');
  }
  const ca = flags.ca ?? (environment.ROOKERY_QUEUE_CA || undefined);
  const { certificate, key } = flags;
  const files = Object.entries({ ca, certificate, key }).filter(([, path]) => path !== undefined);
  const wanted =
    flags.tls === true || files.length > 0 || /^(1|true|yes|on)$/i.test(environment.ROOKERY_QUEUE_TLS ?? '');
  return {
    address: flags.server ?? (environment.ROOKERY_QUEUE_SERVER || DEFAULT_SERVER),
    options: {
      ...(user === undefined || token === undefined ? {} : { user, token }),
      ...(wanted ? { tls: Object.fromEntries(files.map(([name, path]) => [name, read(path!)])) } : {}),
    },
  };
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw new ServiceError('USAGE', `${path} can't be read: ${(error as Error).message}`, { cause: error });
  }
}

/** A restart of the server is over by then; who waits for a command wants an answer some time. */
const RECONNECT_ATTEMPTS = 10;

/**
 * Runs with a client, and closes it. `signal` gives connecting up; afterwards it is for `run` to end well.
 *
 * @throws what `explained` makes of a QueueError
 */
export async function withClient<T>(
  { address, options }: Target,
  signal: AbortSignal,
  run: (client: QueueClient) => Promise<T>,
  settings: Partial<ClientSettings> = {},
): Promise<T> {
  const opening = new AbortController();
  const abort = (): void => opening.abort();
  signal.addEventListener('abort', abort);
  try {
    await using client = await connect(address, {
      ...options,
      signal: opening.signal,
      settings: { reconnectAttempts: RECONNECT_ATTEMPTS, closeMs: 1000, ...settings },
      onState: createStateTeller(),
    });
    signal.removeEventListener('abort', abort);
    return await run(client);
  } catch (error) {
    throw explained(error);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** Says what to do about an error of the client. */
export function explained(error: unknown): unknown {
  if (!(error instanceof QueueError)) return error;
  const options = { cause: error };
  switch (error.code) {
    case 'BAD_ARGUMENT':
      return new ServiceError('USAGE', error.message, options);
    case 'COULD_NOT_CONNECT':
      return new Error(
        `${error.message}. Is a server running there? Start one with "rookery-queue serve", or name another with --server`,
        options,
      );
    case 'OUTCOME_UNKNOWN':
      return new Error(`${error.message}. It may have been carried out: look before you repeat it`, options);
    default:
      return error;
  }
}

/** Says once that a connection broke, and once that it is there again. */
function createStateTeller(): (change: StateChange) => void {
  let state: 'first' | 'connected' | 'broken' = 'first';
  return (change) => {
    if (change.state === 'connected') {
      if (state === 'broken') process.stderr.write('* connected again\n');
      state = 'connected';
    } else if (change.state === 'disconnected' && state === 'connected') {
      process.stderr.write(`* the connection broke (${change.reason}); trying again\n`);
      state = 'broken';
    }
  };
}

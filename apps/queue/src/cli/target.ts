/** How the client commands find a server. */
import { ServiceError } from '@rookery/service';
import {
  type ClientSettings,
  connect,
  type QueueClient,
  QueueError,
  type StateChange,
} from '../client/index.ts';

export interface TargetFlags {
  readonly server?: string;
}

export type Environment = Readonly<Record<string, string | undefined>>;

export const DEFAULT_SERVER = '127.0.0.1:22122';

/** Variables of the client commands, which begin as the server's settings do and are none. */
export const CLIENT_VARIABLES: readonly string[] = ['ROOKERY_QUEUE_SERVER'];

/** Flag, else the environment, else a server on this machine. */
export function targetOf({ server }: TargetFlags, environment: Environment): string {
  return server ?? (environment.ROOKERY_QUEUE_SERVER || DEFAULT_SERVER);
}

/** A restart of the server is over by then; who waits for a command wants an answer some time. */
const RECONNECT_ATTEMPTS = 10;

/**
 * Runs with a client, and closes it. `signal` gives connecting up; afterwards it is for `run` to end well.
 *
 * @throws what `explained` makes of a QueueError
 */
export async function withClient<T>(
  target: string,
  signal: AbortSignal,
  run: (client: QueueClient) => Promise<T>,
  settings: Partial<ClientSettings> = {},
): Promise<T> {
  const opening = new AbortController();
  const abort = (): void => opening.abort();
  signal.addEventListener('abort', abort);
  try {
    await using client = await connect(target, {
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

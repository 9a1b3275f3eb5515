import { errorMessage, ServiceError } from '../errors.ts';

/** What to do when an address can't be listened on; for the app's own listeners too. */
export function listenError(
  error: NodeJS.ErrnoException,
  what: string,
  host: string,
  port: number,
): ServiceError {
  const why: Readonly<Record<string, string>> = {
    EADDRINUSE: 'the port is taken: stop what listens there, or choose another port',
    EACCES: 'this user may not take that port: choose one from 1024 up',
    EADDRNOTAVAIL: 'this machine does not have that address',
    ENOTFOUND: 'there is no host of that name',
  };
  const place = port === 0 ? host : `${host}:${port}`;
  const message = `${what} can't listen on ${place}: ${why[error.code ?? ''] ?? errorMessage(error)}`;
  return new ServiceError('LISTEN_FAILED', message, { cause: error });
}

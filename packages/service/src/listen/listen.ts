import { lstat, unlink } from 'node:fs/promises';
import { connect, type Server } from 'node:net';
import { listenError } from './error.ts';

/** Resolves when the server listens. @throws ServiceError `LISTEN_FAILED`, which says what to do */
export function listenTcp(server: Server, what: string, host: string, port: number): Promise<void> {
  return listening(server, () => server.listen(port, host), what, host, port);
}

/**
 * Listens on a unix socket. One that was left behind by a killed server is removed; any other is in use.
 * @throws ServiceError `LISTEN_FAILED`
 */
export async function listenUnix(server: Server, what: string, path: string): Promise<void> {
  await removeStaleSocket(path);
  await listening(server, () => server.listen(path), what, path, 0);
}

/** Resolves when the server has stopped listening and its last connection is gone. */
export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}

function listening(
  server: Server,
  start: () => void,
  what: string,
  host: string,
  port: number,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const refuse = (error: NodeJS.ErrnoException): void => reject(listenError(error, what, host, port));
    server.once('error', refuse);
    server.once('listening', () => {
      server.off('error', refuse);
      resolve();
    });
    start();
  });
}

async function removeStaleSocket(path: string): Promise<void> {
  const stat = await lstat(path).catch(() => undefined);
  if (stat === undefined || !stat.isSocket()) return;
  const refused = await new Promise<boolean>((resolve) => {
    const probe = connect(path);
    // Anything else is said of one that is there: too busy to answer (EAGAIN), or another user's (EACCES).
    probe.on('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
    probe.once('connect', () => {
      probe.destroy();
      resolve(false);
    });
  });
  if (refused) await unlink(path);
}

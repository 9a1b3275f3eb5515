/** Where a server listens. */
import { QueueError } from './errors.ts';

export type QueueAddress =
  | { readonly host: string; readonly port: number }
  /** A unix socket. */
  | { readonly path: string };

export const DEFAULT_ADDRESS = { host: '127.0.0.1', port: 22_122 } as const;

/**
 * `host`, `host:port`, `[::1]:port`, `:port`, or a unix socket as `unix:PATH` or a path with a slash.
 * @throws QueueError `BAD_ARGUMENT`
 */
export function parseAddress(text: string): QueueAddress {
  if (text.startsWith('unix:') && text.length > 5) return { path: text.slice(5) };
  if (text.includes('/')) return { path: text };
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]\s]*))(?::(\d{1,5}))?$/i.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? DEFAULT_ADDRESS.port : Number(match[3]);
  if (match === null || text === '' || port < 1 || port > 65_535) {
    throw new QueueError(
      'BAD_ARGUMENT',
      `${JSON.stringify(text)} is no address: give host:port, or a unix socket as unix:/path`,
    );
  }
  return { host: host || DEFAULT_ADDRESS.host, port };
}

export function formatAddress(address: QueueAddress): string {
  if ('path' in address) return `unix:${address.path}`;
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

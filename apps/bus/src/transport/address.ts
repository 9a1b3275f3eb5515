/**
 * An address in the one form in which it is kept and compared: as the socket shows it. A dual-stack socket shows IPv4
 * as ::ffff:a.b.c.d; IPv6 is in the system's short form.
 */
import { isIPv4, isIPv6, SocketAddress } from 'node:net';
import { networkInterfaces } from 'node:os';

/** What a socket can reach. `dual`: IPv6 and mapped IPv4. */
export type Reach = 'ipv4' | 'ipv6' | 'dual';

export interface Address {
  readonly host: string;
  readonly port: number;
  /** For maps. */
  readonly key: string;
}

const MAPPED = '::ffff:';

export function addressOf(host: string, port: number): Address {
  return { host, port, key: `${host} ${port}` };
}

/** `undefined` for what is no IP address, or one that a socket of this reach can't send to. */
export function normalAddress(host: string, port: number, reach: Reach): Address | undefined {
  const plain = plainHost(host);
  if (isIPv4(plain)) {
    if (reach === 'ipv6') return undefined;
    return addressOf(reach === 'dual' ? MAPPED + plain : plain, port);
  }
  if (!isIPv6(plain) || reach === 'ipv4') return undefined;
  // A zone is a name of this machine's: the system wrote it, so the form is its own already.
  return addressOf(
    plain.includes('%') ? plain : new SocketAddress({ address: plain, family: 'ipv6' }).address,
    port,
  );
}

/** For people, and for other machines: IPv4 without its mapping. */
export function plainHost(host: string): string {
  return host.toLowerCase().startsWith(MAPPED) && host.includes('.') ? host.slice(MAPPED.length) : host;
}

export function showAddress(address: { readonly host: string; readonly port: number }): string {
  const host = plainHost(address.host);
  return host.includes(':') ? `[${host}]:${address.port}` : `${host}:${address.port}`;
}

/** The addresses of this machine's interfaces, as `plainHost` gives them. */
export function ownHosts(): ReadonlySet<string> {
  const hosts = new Set<string>();
  for (const addresses of Object.values(networkInterfaces())) {
    for (const { address } of addresses ?? []) hosts.add(address);
  }
  return hosts;
}

/** Whether an address that we know means the same to who is at `to`: those of one machine or one link don't elsewhere. */
export function meansTheSame(host: string, to: string): boolean {
  const scope = scopeOf(plainHost(host));
  return scope === 'everywhere' || (scope === 'machine' && scopeOf(plainHost(to)) === 'machine');
}

function scopeOf(host: string): 'machine' | 'link' | 'everywhere' {
  if (host === '::1' || (isIPv4(host) && host.startsWith('127.'))) return 'machine';
  return /^fe[89ab][0-9a-f]:/i.test(host) ? 'link' : 'everywhere';
}

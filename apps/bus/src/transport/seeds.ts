/** Configured peers: names are resolved, and again now and then, because what they name may move. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { errorMessage, type Log } from '@rookery/service';
import { type Address, normalAddress, plainHost, type Reach } from './address.ts';

/** As long as names of orchestrators commonly live. */
const AGAIN_MS = 30_000;
const FAILED_AGAIN_MS = 2000;
/** Addresses of all names together. */
const ADDRESSES_MAX = 1024;

export interface SeedsOptions {
  readonly peers: readonly { readonly host: string; readonly port: number }[];
  readonly reach: Reach;
  readonly log: Log;
  /** All of them, each time. */
  readonly onAddresses: (addresses: readonly Address[]) => void;
}

export interface Seeds {
  close(): void;
}

export function followSeeds(options: SeedsOptions): Seeds {
  const { peers, reach, log, onAddresses } = options;
  /** A name that stops to resolve keeps the addresses it had. */
  const found = new Map<string, string[]>();
  const failing = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let open = true;

  const names: string[] = [];
  for (const { host } of peers) {
    if (isIP(plainHost(host)) !== 0) found.set(host, [host]);
    else if (!names.includes(host)) names.push(host);
  }

  function tell(): void {
    const addresses = new Map<string, Address>();
    for (const { host, port } of peers) {
      for (const each of found.get(host) ?? []) {
        const address = normalAddress(each, port, reach);
        if (address !== undefined && addresses.size < ADDRESSES_MAX) addresses.set(address.key, address);
      }
    }
    onAddresses([...addresses.values()]);
  }

  async function resolve(name: string): Promise<void> {
    try {
      const answers = await lookup(name, { all: true });
      found.set(
        name,
        answers.map(({ address }) => address),
      );
      failing.delete(name);
    } catch (error) {
      if (open && !failing.has(name)) {
        log.warn({ peer: name, reason: errorMessage(error) }, "a peer's name can't be resolved; trying on");
      }
      failing.add(name);
    }
  }

  async function resolveAll(): Promise<void> {
    await Promise.all(names.map(resolve));
    if (!open) return;
    tell();
    timer = setTimeout(() => void resolveAll(), failing.size > 0 ? FAILED_AGAIN_MS : AGAIN_MS).unref();
  }

  tell();
  if (names.length > 0) void resolveAll();
  return {
    close() {
      open = false;
      clearTimeout(timer);
    },
  };
}

import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import { AdminError } from './errors.ts';

export interface GuardOptions {
  /** The address that is listened on. */
  readonly host: string;
  readonly token: string | undefined;
  /** Whether somebody else's token is as good as `token`. */
  readonly authorize: ((token: string) => boolean) | undefined;
  readonly allowedHosts: readonly string[];
}

/** Decides who may ask, by headers alone. */
export class Guard {
  readonly #checkHost: boolean;
  readonly #allowed: ReadonlySet<string>;
  readonly #tokenHash: Buffer | undefined;
  readonly #authorize: ((token: string) => boolean) | undefined;

  constructor(options: GuardOptions) {
    this.#checkHost = isLoopback(options.host) || options.allowedHosts.length > 0;
    this.#allowed = new Set(options.allowedHosts.map((host) => host.toLowerCase()));
    this.#authorize = options.authorize;
    this.#tokenHash = options.token === undefined ? undefined : hash(options.token);
  }

  /**
   * Refuses what a web page of somebody else may have sent from a user's browser.
   *
   * A page can't choose its Host header, so a name that resolves to 127.0.0.1 (DNS rebinding) gives itself away by it;
   * and browsers say in Origin and Sec-Fetch-Site when a request crosses sites. There are no CORS headers at all.
   */
  checkBrowser(headers: IncomingHttpHeaders): void {
    const host = headers.host ?? '';
    if (this.#checkHost && !this.#hostAllowed(hostName(host))) {
      throw new AdminError(
        'misdirected',
        'this Host is not served here: use localhost, or add it to admin_allowed_hosts',
      );
    }
    const site = headers['sec-fetch-site'];
    const crossing = site !== undefined && site !== 'same-origin' && site !== 'none';
    if (crossing || (headers.origin !== undefined && originHost(headers.origin) !== host.toLowerCase())) {
      throw new AdminError('forbidden', 'requests from other web sites are refused');
    }
  }

  checkToken(headers: IncomingHttpHeaders): void {
    if (this.#tokenHash === undefined && this.#authorize === undefined) return;
    const given = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1];
    // Hashes are of one length, so that the comparison tells nothing, not even the token's length.
    const isOurs =
      given !== undefined && this.#tokenHash !== undefined && timingSafeEqual(hash(given), this.#tokenHash);
    if (given === undefined || (!isOurs && this.#authorize?.(given) !== true)) {
      throw new AdminError('unauthorized', 'send the admin token: Authorization: Bearer <admin_token>');
    }
  }

  #hostAllowed(name: string): boolean {
    // An address needs no resolving, so it can't have been rebound; probes of Kubernetes come by address.
    return name === 'localhost' || isIP(name) !== 0 || this.#allowed.has(name);
  }
}

/** True for addresses that only this machine can reach. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[|\]$/g, '');
  return name === 'localhost' || name === '::1' || (isIP(name) === 4 && name.startsWith('127.'));
}

function hostName(host: string): string {
  const name = host.toLowerCase().replace(/:[0-9]*$/, '');
  return name.replace(/^\[|\]$/g, '');
}

function originHost(origin: string): string | undefined {
  try {
    return new URL(origin).host;
  } catch {
    return undefined;
  }
}

function hash(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

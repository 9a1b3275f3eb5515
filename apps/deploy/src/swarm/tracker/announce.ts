import { get } from 'node:http';
import { get as getSecure } from 'node:https';
import { SWARM_LIMITS } from '../limits.ts';
import { type Bdecoded, bdecode } from './bdecode.ts';

/** What a peer learns from a tracker. */
export interface Announcement {
  /** Whom to dial: `host:port`. */
  readonly peers: readonly string[];
  readonly complete: number;
  readonly incomplete: number;
  readonly intervalSeconds: number;
  /** Whether others may still need this peer; undefined when the tracker isn't one of this program. */
  readonly stay: boolean | undefined;
  /** Origins' HTTP: `host:port`. */
  readonly webSeeds: readonly string[];
}

export interface Announcer {
  /** Says so at once; otherwise it says how it stands every now and then. */
  completed(): void;
  /** Says goodbye, for at most a second. */
  close(): Promise<void>;
}

export interface AnnouncerOptions {
  readonly trackers: readonly string[];
  /** Hexadecimal. */
  readonly infoHash: string;
  readonly peerId: string;
  readonly port: number;
  readonly rack?: string;
  readonly webSeedPort?: number;
  readonly origin: boolean;
  /** Bytes that are missing here. */
  readonly left: () => number;
  readonly fetchedBytes: () => number;
  readonly sentBytes: () => number;
  readonly onAnnouncement: (announcement: Announcement) => void;
  readonly onFailure: (tracker: string, message: string) => void;
}

const ANSWER_WITHIN_MS = 5_000;
const GOODBYE_WITHIN_MS = 1_000;
const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 8_000;
/** What a foreign tracker may ask for is kept within these. */
const INTERVAL_MIN_SECONDS = 2;
const INTERVAL_MAX_SECONDS = 300;
/** After an answer that was kept back, before the next is asked for. */
const ASK_AGAIN_MS = 500;
const PEERS_WANTED = 80;
/** As many as a tracker of this program names. */
const WEB_SEEDS_MAX = 8;
/** Nothing that would lead to another path, and no name to be looked up. */
const ADDRESS = /^(?:[\d.]{7,15}|\[[\da-f:.]{2,45}\]):\d{1,5}$/i;

/**
 * Announces to each tracker for as long as it lives, by HTTP (BEP 3, 23 and 7). bittorrent-tracker's client is not
 * used: after a first announce that fails it waits for half an hour, and an answer that is cut off ends the process.
 */
export function startAnnouncing(options: AnnouncerOptions): Announcer {
  const controller = new AbortController();
  const loops = options.trackers.map((tracker) => announceTo(tracker, options, controller.signal));
  return {
    completed() {
      for (const { wake } of loops) wake('completed');
    },
    async close() {
      controller.abort();
      await Promise.all(
        options.trackers.map((tracker) =>
          announceOnce(tracker, options, 'stopped', { withinMs: GOODBYE_WITHIN_MS }).catch(() => undefined),
        ),
      );
    },
  };
}

type Event = 'started' | 'completed' | 'stopped' | undefined;

function announceTo(
  tracker: string,
  options: AnnouncerOptions,
  signal: AbortSignal,
): { readonly wake: (event: Event) => void } {
  let event: Event = 'started';
  let retryMs = RETRY_FIRST_MS;
  let timer: NodeJS.Timeout | undefined;
  let busy = false;
  /** How long the tracker may keep the next answer back; 0 when it is to answer at once. */
  let keptBackMs = 0;

  const again = (ms: number): void => {
    clearTimeout(timer);
    timer = setTimeout(() => void turn(), ms);
  };
  const turn = async (): Promise<void> => {
    if (signal.aborted || busy) return;
    busy = true;
    const saying = event;
    let nextMs: number;
    try {
      const waits = keptBackMs > 0 && saying === undefined && options.left() === 0;
      const began = performance.now();
      const announcement = await announceOnce(tracker, options, saying, {
        withinMs: ANSWER_WITHIN_MS + (waits ? keptBackMs : 0),
        waits,
        signal,
      });
      if (event === saying) event = undefined;
      retryMs = RETRY_FIRST_MS;
      const intervalMs = announcement.intervalSeconds * 1000;
      // A tracker of this program keeps its answer back from who has everything until there is something to tell.
      const keepsBack = !waits || performance.now() - began > intervalMs / 2;
      const mayWait = !options.origin && announcement.stay === true && options.left() === 0;
      keptBackMs = mayWait && keepsBack ? intervalMs : 0;
      nextMs = keptBackMs > 0 ? ASK_AGAIN_MS : intervalMs;
      if (!signal.aborted) options.onAnnouncement(announcement);
    } catch (error) {
      if (!signal.aborted) options.onFailure(tracker, (error as Error).message);
      nextMs = retryMs;
      retryMs = Math.min(2 * retryMs, RETRY_MAX_MS);
    }
    busy = false;
    if (!signal.aborted)
      again(event === undefined || nextMs === retryMs ? nextMs : Math.min(nextMs, RETRY_MAX_MS));
  };
  signal.addEventListener('abort', () => clearTimeout(timer));
  void turn();
  return {
    wake(next) {
      event = next;
      if (!busy) again(0);
    },
  };
}

async function announceOnce(
  tracker: string,
  options: AnnouncerOptions,
  event: Event,
  how: { readonly withinMs: number; readonly waits?: boolean; readonly signal?: AbortSignal },
): Promise<Announcement> {
  const url = announceUrl(tracker, options, event, how.waits === true);
  const timeout = AbortSignal.timeout(how.withinMs);
  const bytes = await fetchBounded(
    url,
    how.signal === undefined ? timeout : AbortSignal.any([timeout, how.signal]),
  );
  const answer = bdecode(bytes);
  if (answer === undefined || !isDictionary(answer)) throw new Error('the answer is not that of a tracker');
  const failure = answer['failure reason'];
  if (Buffer.isBuffer(failure)) throw new Error(failure.toString('utf8').slice(0, 200));
  const own = answer.rookery !== undefined && isDictionary(answer.rookery) ? answer.rookery : undefined;
  return {
    // More than it was asked for are not taken: each costs a connection or a timer.
    peers: [...compact(answer.peers, 4), ...compact(answer.peers6, 16)].slice(0, PEERS_WANTED),
    complete: count(answer.complete),
    incomplete: count(answer.incomplete),
    intervalSeconds: Math.min(INTERVAL_MAX_SECONDS, Math.max(INTERVAL_MIN_SECONDS, count(answer.interval))),
    stay: own === undefined ? undefined : own.stay === 1,
    webSeeds: addresses(own?.web_seeds),
  };
}

function addresses(listed: Bdecoded | undefined): string[] {
  if (!Array.isArray(listed)) return [];
  return listed
    .filter((one) => Buffer.isBuffer(one))
    .map((one) => one.toString('latin1'))
    .filter((address) => ADDRESS.test(address))
    .slice(0, WEB_SEEDS_MAX);
}

function announceUrl(tracker: string, options: AnnouncerOptions, event: Event, waits: boolean): URL {
  const url = new URL(tracker);
  const parameters: Record<string, string | number | undefined> = {
    port: options.port,
    uploaded: options.sentBytes(),
    downloaded: options.fetchedBytes(),
    left: options.left(),
    compact: 1,
    numwant: event === 'stopped' ? 0 : PEERS_WANTED,
    event,
    origin: options.origin ? 1 : undefined,
    rack: options.rack,
    web_seed: options.webSeedPort,
    wait: waits ? 1 : undefined,
  };
  const query = Object.entries(parameters).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`],
  );
  // Bytes, which URLSearchParams can't hold.
  const binary = [`info_hash=${percent(options.infoHash)}`, `peer_id=${percent(options.peerId)}`];
  url.search = [...(url.search === '' ? [] : [url.search.slice(1)]), ...binary, ...query].join('&');
  return url;
}

function percent(hexadecimal: string): string {
  return hexadecimal.replaceAll(/../g, '%$&');
}

function fetchBounded(url: URL, signal: AbortSignal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const request = (url.protocol === 'https:' ? getSecure : get)(url, {
      agent: false,
      signal,
      maxHeaderSize: 8 * 1024,
    });
    request.on('error', reject);
    request.on('response', (response) => {
      const parts: Buffer[] = [];
      let length = 0;
      response.on('error', reject);
      response.on('data', (part: Buffer) => {
        length += part.length;
        parts.push(part);
        if (length > SWARM_LIMITS.announceBytes) request.destroy(new Error('the answer is too long'));
      });
      response.on('end', () => {
        if (response.statusCode === 200) resolve(Buffer.concat(parts));
        else reject(new Error(`HTTP ${response.statusCode}`));
      });
    });
  });
}

function compact(peers: Bdecoded | undefined, addressBytes: 4 | 16): string[] {
  if (!Buffer.isBuffer(peers)) return addressBytes === 4 ? listed(peers) : [];
  const found: string[] = [];
  for (let at = 0; at + addressBytes + 2 <= peers.length; at += addressBytes + 2) {
    const address = peers.subarray(at, at + addressBytes);
    const port = peers.readUInt16BE(at + addressBytes);
    const groups = Array.from({ length: 8 }, (_, i) =>
      addressBytes === 16 ? address.readUInt16BE(2 * i).toString(16) : '',
    );
    found.push(addressBytes === 4 ? `${address.join('.')}:${port}` : `[${groups.join(':')}]:${port}`);
  }
  return found;
}

/** The older form: a list of dictionaries. */
function listed(peers: Bdecoded | undefined): string[] {
  if (!Array.isArray(peers)) return [];
  return peers.flatMap((peer: Bdecoded) => {
    if (!isDictionary(peer) || !Buffer.isBuffer(peer.ip) || typeof peer.port !== 'number') return [];
    const ip = peer.ip.toString('latin1');
    return [`${ip.includes(':') ? `[${ip}]` : ip}:${peer.port}`];
  });
}

function isDictionary(value: Bdecoded): value is { readonly [key: string]: Bdecoded } {
  return typeof value === 'object' && !Buffer.isBuffer(value) && !Array.isArray(value);
}

function count(value: Bdecoded | undefined): number {
  return typeof value === 'number' && value >= 0 ? value : 0;
}

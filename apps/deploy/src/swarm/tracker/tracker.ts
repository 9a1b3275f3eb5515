import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import Server, { type AnnounceParams, type AnnounceReply, type Swarm } from 'bittorrent-tracker/server';
import { ReleaseError } from '../../errors.ts';
import { createMesh, type Mesh } from './mesh.ts';

export interface TrackerOptions {
  /** Default: all interfaces. */
  readonly host?: string;
  /** 0 for any that is free. */
  readonly port: number;
  /** For tests and previews: what chooses neighbours. From 0 to below 1. */
  readonly random?: () => number;
  /** Of a swarm. Default 20,000. */
  readonly peersMax?: number;
}

export interface TrackerSwarm {
  readonly infoHash: string;
  readonly peers: number;
  readonly complete: number;
}

/** As a peer has said of itself when it last announced: every few seconds. */
export interface TrackerPeer {
  /** `?host=NAME` of the URL that it was given; undefined without. */
  readonly name: string | undefined;
  /** `host:port` */
  readonly address: string;
  readonly rack: string | undefined;
  readonly origin: boolean;
  readonly complete: boolean;
  /** Of the payload. */
  readonly missingBytes: number;
  readonly fetchedBytes: number;
  readonly sentBytes: number;
  /** Its neighbours: places in the list that holds it. */
  readonly links: readonly number[];
}

export interface Tracker extends AsyncDisposable {
  readonly port: number;
  swarms(): TrackerSwarm[];
  /** Who is in a swarm, and who is joined with whom. */
  peers(infoHash: string): TrackerPeer[];
  /** Peers that have everything and are told at once when they may go. */
  waiting(infoHash: string): number;
  /** Peers stay and go on seeding until they are let go; without it, until nobody is known to be fetching. */
  hold(infoHash: string): void;
  letGo(infoHash: string): void;
  close(): Promise<void>;
}

/** What a tracker may cost: anybody who reaches it can announce. */
const SWARMS_MAX = 1_000;
const PEERS_MAX = 20_000;
const REQUEST_BYTES_MAX = 8 * 1024;
const RACK_CHARACTERS_MAX = 64;
const NAME_CHARACTERS_MAX = 255;
/** How often peers announce: soon enough to notice a loss, and for 5,000 of them still fewer than 100 a second. */
const INTERVAL_SECONDS_MIN = 10;
const PEERS_PER_SECOND = 100;
/** By then those that began together are all known. */
const NEWCOMER_INTERVAL_SECONDS = 2;
/** A peer that has missed three is gone. */
const INTERVALS_UNTIL_GONE = 3;

interface Known {
  readonly mesh: Mesh;
  held: boolean;
  /** Answers that are kept back until their peers may go, one for each peer; calling gives them. */
  readonly waiting: Map<string, () => void>;
}

/** Whether who has everything may be needed still. */
function stays({ mesh, held }: Known): boolean {
  return held || mesh.complete < mesh.size;
}

function tellIfOver(known: Known): void {
  if (!stays(known)) for (const give of [...known.waiting.values()]) give();
}

/**
 * Starts a tracker: bittorrent-tracker's HTTP server, which any client can use, with answers that deal out a mesh
 * instead of drawing lots.
 * @throws ReleaseError `address-unusable`
 */
export async function createTracker(options: TrackerOptions): Promise<Tracker> {
  const { random = Math.random, peersMax = PEERS_MAX } = options;
  const swarms = new Map<string, Known>();
  const held = new Set<string>();
  const server = new Server({
    udp: false,
    ws: false,
    stats: false,
    http: { maxHeaderSize: REQUEST_BYTES_MAX, requestTimeout: 10_000, headersTimeout: 10_000 },
    filter: (infoHash, _params, done) => {
      const full = !swarms.has(infoHash) && swarms.size >= SWARMS_MAX;
      done(full ? new Error('this tracker has as many swarms as it may have') : null);
    },
  });
  server.createSwarm = (infoHash, done) => {
    const known: Known = { mesh: createMesh(random), held: held.has(infoHash), waiting: new Map() };
    swarms.set(infoHash, known);
    done(null, answering(known, peersMax));
  };
  server.getSwarm = (infoHash, done) => {
    const known = swarms.get(infoHash);
    done(null, known === undefined ? undefined : answering(known, peersMax));
  };
  server.on('warning', () => undefined);

  const failed = once(server, 'error').then(([error]) => {
    throw error;
  });
  try {
    await Promise.race([
      new Promise<void>((resolve) => server.listen(options.port, options.host ?? '::', resolve)),
      failed,
    ]);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new ReleaseError(
      'address-unusable',
      `The tracker can't listen on ${options.host ?? '*'}:${options.port}: ${code ?? message}`,
      { cause },
    );
  }
  failed.catch(() => undefined);
  const sweep = setInterval(() => {
    for (const [infoHash, known] of swarms) {
      const { mesh } = known;
      mesh.expire(performance.now() - INTERVALS_UNTIL_GONE * intervalSeconds(mesh) * 1000);
      tellIfOver(known);
      if (mesh.size === 0) swarms.delete(infoHash);
    }
  }, 5_000);

  const close = async (): Promise<void> => {
    clearInterval(sweep);
    for (const { waiting } of swarms.values()) for (const give of [...waiting.values()]) give();
    const closed = new Promise<void>((resolve) => server.close(resolve));
    server.http.closeAllConnections();
    await closed;
  };
  const setHeld = (infoHash: string, value: boolean): void => {
    if (value) held.add(infoHash);
    else held.delete(infoHash);
    const known = swarms.get(infoHash);
    if (known === undefined) return;
    known.held = value;
    tellIfOver(known);
  };
  return {
    port: (server.http.address() as AddressInfo).port,
    swarms: () =>
      [...swarms].map(([infoHash, { mesh }]) => ({ infoHash, peers: mesh.size, complete: mesh.complete })),
    peers: (infoHash) => {
      const known = swarms.get(infoHash);
      return known === undefined ? [] : peersOf(known.mesh);
    },
    waiting: (infoHash) => swarms.get(infoHash)?.waiting.size ?? 0,
    hold: (infoHash) => setHeld(infoHash, true),
    letGo: (infoHash) => setHeld(infoHash, false),
    close,
    [Symbol.asyncDispose]: close,
  };
}

function peersOf(mesh: Mesh): TrackerPeer[] {
  const members = [...mesh.members()];
  const places = new Map(members.map(({ key }, place) => [key, place]));
  return members.map(
    ({ name, ip, port, rack, origin, complete, left, fetchedBytes, sentBytes, neighbours }) => ({
      name,
      address: hostPort(ip, port),
      rack,
      origin,
      complete,
      missingBytes: left,
      fetchedBytes,
      sentBytes,
      links: [...neighbours].flatMap((key) => places.get(key) ?? []),
    }),
  );
}

function answering(known: Known, peersMax: number): Swarm {
  const { mesh } = known;
  return {
    announce(params, done) {
      if (mesh.size >= peersMax && !mesh.has(params.addr)) {
        done(new Error('this swarm has as many peers as it may have'));
        return;
      }
      const reply = answer(known, params);
      tellIfOver(known);
      const waits = params.wait === '1' && params.left === 0 && params.event === 'update';
      if (waits && stays(known))
        keepBack(known, params, () => done(null, { ...reply, ...extension(known, params) }));
      else done(null, { ...reply, ...extension(known, params) });
    },
    scrape: (_params, done) => done(null, { complete: mesh.complete, incomplete: mesh.size - mesh.complete }),
  };
}

/**
 * Gives an answer when its peer may go, and otherwise when it would ask again anyway: so those who have everything are
 * told at once, and need not ask all the time.
 */
function keepBack({ mesh, waiting }: Known, params: AnnounceParams, answerNow: () => void): void {
  const { addr, httpReq } = params;
  const forget = (): void => {
    clearTimeout(timer);
    httpReq.socket.off('close', forget);
    if (waiting.get(addr) === give) waiting.delete(addr);
  };
  const give = (): void => {
    forget();
    answerNow();
  };
  waiting.get(addr)?.();
  waiting.set(addr, give);
  const timer = setTimeout(give, intervalSeconds(mesh) * 1000);
  httpReq.socket.once('close', forget);
}

function answer({ mesh }: Known, params: AnnounceParams): AnnounceReply {
  const stopped = params.event === 'stopped';
  if (stopped) mesh.leave(params.addr);
  const rack = text(params.rack, RACK_CHARACTERS_MAX);
  const name = text(params.host, NAME_CHARACTERS_MAX);
  const webSeedPort = portOf(params.web_seed);
  const dials = stopped
    ? []
    : mesh.announce(
        {
          key: params.addr,
          peerId: params.peer_id,
          ip: params.ip,
          port: params.port,
          complete: params.left === 0,
          origin: params.origin === '1',
          left: bytesOf(params.left),
          fetchedBytes: bytesOf(params.downloaded),
          sentBytes: bytesOf(params.uploaded),
          ...(name === undefined ? {} : { name }),
          ...(rack === undefined ? {} : { rack }),
          ...(webSeedPort === undefined ? {} : { webSeedPort }),
        },
        performance.now(),
      );
  const seenFrom = seenBy(params);
  return {
    complete: mesh.complete,
    incomplete: mesh.size - mesh.complete,
    interval:
      params.event === 'started' && mesh.isLacking(params.addr)
        ? NEWCOMER_INTERVAL_SECONDS
        : intervalSeconds(mesh),
    peers: dials.slice(0, params.numwant).map(({ peerId, ip, port }) => ({ peerId, ip: seenFrom(ip), port })),
  };
}

/** For peers of this program; others ignore it. */
function extension(known: Known, params: AnnounceParams): Readonly<Record<string, unknown>> {
  const { mesh } = known;
  const seenFrom = seenBy(params);
  const webSeeds: string[] = [];
  for (const { ip, webSeedPort: at } of mesh.members()) {
    if (at !== undefined && webSeeds.length < 8) webSeeds.push(hostPort(seenFrom(ip), at));
  }
  return { rookery: { stay: stays(known) ? 1 : 0, web_seeds: webSeeds } };
}

/**
 * A peer on the tracker's own host announces itself from a loopback address, which leads nowhere from elsewhere. The
 * address by which the asker has reached the tracker leads there.
 */
function seenBy({ ip: asker, httpReq }: AnnounceParams): (ip: string) => string {
  const reached = httpReq.socket.localAddress?.replace(/^::ffff:/, '');
  return (ip) => (isLoopback(ip) && !isLoopback(asker) && reached !== undefined ? reached : ip);
}

function isLoopback(ip: string): boolean {
  return ip.startsWith('127.') || ip === '::1';
}

function intervalSeconds({ size }: Mesh): number {
  return INTERVAL_SECONDS_MIN + Math.ceil(size / PEERS_PER_SECOND);
}

function text(value: unknown, charactersMax: number): string | undefined {
  return typeof value === 'string' && value !== '' && value.length <= charactersMax ? value : undefined;
}

/** 0 for what is no number: it is only shown. */
function bytesOf(value: unknown): number {
  const bytes = Number(value);
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : 0;
}

function portOf(value: unknown): number | undefined {
  const port = Number(value);
  return Number.isInteger(port) && port > 0 && port < 65_536 ? port : undefined;
}

function hostPort(ip: string, port: number): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
}

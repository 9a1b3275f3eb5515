import type { Wire } from 'webtorrent';
import { ReleaseError } from '../../errors.ts';
import type { Layout } from '../../release/layout.ts';
import { createBuffers } from '../../tree/buffers.ts';
import { isOwnPeer } from '../client/client.ts';
import { socketOf } from '../client/plumbing.ts';
import { OWN_BLOCK_BYTES, PROGRESS_WITHIN_MS, SWARM_LIMITS, UNIT_BYTES } from '../limits.ts';
import { createPicker, type Request, type Source } from '../picker/picker.ts';
import { type Allowance, limitMessages } from './allowance.ts';
import { createBans } from './bans.ts';
import { toBitfield } from './bitfield.ts';
import { createEvidence, type Filling } from './evidence.ts';
import { createPieceCache, type PieceCache } from './piece-cache.ts';
import { type Audience, createReveal, type Reveal } from './reveal.ts';
import { serveUploads, type Uploads } from './uploads.ts';
import { createWindow, type Window } from './window.ts';

/** Where pieces are kept. */
export interface PieceStore {
  /** Undefined when it isn't there as it should be. @param into of just its length; without it, a new buffer */
  read(piece: number, into?: Buffer): Promise<Buffer | undefined>;
  /** @throws ReleaseError `piece-wrong`, or why it could not be written */
  write(piece: number, bytes: Buffer): Promise<void>;
}

export interface ExchangeOptions {
  readonly layout: Layout;
  readonly store: PieceStore;
  /** Pieces that are there at the beginning. */
  readonly has: (piece: number) => boolean;
  readonly superSeed: boolean;
  readonly onWhole: (piece: number) => void;
  /** The store can't go on. */
  readonly onFailure: (error: unknown) => void;
  readonly onBanned: (peer: string) => void;
  /** Super-seeding only: the peers have a whole copy between them. */
  readonly onCopied: () => void;
}

/** Pieces for pieces, with all peers of one swarm. */
export interface Exchange {
  readonly missing: number;
  readonly connections: number;
  /** Peers that sent something. */
  readonly senders: number;
  /** Bytes of blocks that came from peers and were new. */
  readonly fetchedBytes: number;
  readonly sentBytes: number;
  /** When a peer last sent a new block. */
  readonly progressAt: number;
  /** Whether a connected peer lacks a piece. */
  readonly othersMissing: boolean;
  readonly cache: PieceCache;
  has(piece: number): boolean;
  add(wire: Wire, ownPeerId: string): void;
  /** A piece from elsewhere. Resolves to whether it was right. */
  deliver(piece: number, bytes: Buffer): Promise<boolean>;
  /** A piece is not there any more: fetches it again. */
  lose(piece: number): void;
  neglected(skip: (piece: number) => boolean): number | undefined;
  isBanned(address: string): boolean;
  close(): void;
}

interface Connection {
  readonly wire: Wire;
  readonly source: Source;
  readonly audience: Audience | undefined;
  readonly uploads: Uploads;
  readonly allowance: Allowance;
  readonly window: Window;
  outstandingBytes: number;
  /** How many of the pieces that came. */
  havesTold: number;
  /** When it last sent a block, or was first asked for one after having answered all. */
  answeredAt: number;
  bytesReadThen: number;
  snubbed: boolean;
  heardAt: number;
  bytesHeard: number;
}

/** What waits at a peer with a full line can't be asked of an idle one: little is, and more of who answers at once. */
const QUICK_MS = 100;
const SLOW_MS = 300;
/** Watches silence and the endgame. */
const TICK_MS = 100;
/**
 * Haves are gathered, as each write is a packet, and go along with what is sent anyway. A piece that hardly anybody
 * has is what others wait for: it is told soon.
 */
const RARE_COPIES = 2;
const RARE_HAVES_WITHIN_MS = 20;
const HAVES_WITHIN_MS = 200;
/** Keep-alives come every minute. */
const SILENT_MS = 150_000;
/** In the extended handshake (BEP 10): tell me of every piece. */
const COUNTS_COPIES = 'rookery_counts';
/** Fewer bytes in PROGRESS_WITHIN_MS are chatter and no part of a block. */
const CHATTER_BYTES = 8 * 1024;

export function createExchange(options: ExchangeOptions): Exchange {
  const { layout, store, superSeed } = options;
  const { pieceCount } = layout;
  const here = new Uint8Array(pieceCount);
  for (let piece = 0; piece < pieceCount; piece++) here[piece] = options.has(piece) ? 1 : 0;
  const pieceBytes = (piece: number): number => layout.pieceBytes(piece);
  const picker = createPicker({
    pieceCount,
    pieceBytes,
    has: (piece) => here[piece] === 1,
    fetchingBytes: SWARM_LIMITS.fetchingBytes,
    random: Math.random,
  });
  const reveal: Reveal | undefined = superSeed
    ? createReveal({
        pieceCount,
        pieceBytes,
        // What it has a peer says after 20 ms: so much in that time is more than a disk takes.
        windowBytesMax: 16 * SWARM_LIMITS.pipelineBytes,
        random: Math.random,
      })
    : undefined;
  const buffers = createBuffers(pieceBytes(0), SWARM_LIMITS.fetchingBytes);
  const blocks = createBuffers(Math.min(OWN_BLOCK_BYTES, pieceBytes(0)), 16 * SWARM_LIMITS.socketBytes);
  const cache = createPieceCache({
    bytesMax: superSeed ? SWARM_LIMITS.originCacheBytes : SWARM_LIMITS.cacheBytes,
    pieceBytes,
    buffers,
    read: (piece, into) => store.read(piece, into),
  });
  const connections = new Set<Connection>();
  const audiences = new Map<Audience, Connection>();
  const fillings = new Map<number, Filling<Connection>>();
  const evidence = createEvidence<Connection>();
  const senders = new Set<string>();
  const bans = createBans();
  /** Pieces in the order in which they came; each connection was told of them up to its own place. */
  const haves: number[] = [];
  let havesTimer: NodeJS.Timeout | undefined;
  let havesDueAt = 0;
  let fetchedBytes = 0;
  let sentBefore = 0;
  let progressAt = now();
  let copied = false;
  let closed = false;

  const fill = (connection: Connection): void => {
    const { wire, source, window } = connection;
    if (closed || wire.peerChoking || picker.missing === 0) return;
    const room = connection.snubbed ? 1 : window.bytes;
    while (connection.outstandingBytes < room) {
      const request = picker.next(source, now());
      if (request === undefined) return;
      if (connection.outstandingBytes === 0) connection.answeredAt = now();
      connection.outstandingBytes += request.length;
      ask(connection, request);
    }
  };

  const fillAll = (): void => {
    for (const connection of connections) fill(connection);
  };

  const ask = (connection: Connection, request: Request): void => {
    const { piece, offset, length } = request;
    tellHavesTo(connection);
    connection.wire.request(piece, offset, length, (error, bytes) => {
      connection.outstandingBytes -= length;
      if (closed) return;
      if (error !== null) {
        picker.lost(request);
        return;
      }
      onBlock(connection, request, bytes);
      fill(connection);
    });
  };

  const cancelAll = (requests: readonly Request[]): void => {
    for (const { source, piece, offset, length } of requests) {
      const connection = connectionOf(source);
      connection?.wire.cancel(piece, offset, length);
    }
  };

  const connectionOf = (source: Source): Connection | undefined => {
    for (const connection of connections) if (connection.source === source) return connection;
    return undefined;
  };

  const onBlock = (connection: Connection, request: Request, bytes: Uint8Array): void => {
    const { piece, offset } = request;
    const at = now();
    connection.window.answered(at - request.askedAt, request.length);
    connection.answeredAt = at;
    connection.bytesReadThen = socketOf(connection.wire)?.bytesRead ?? 0;
    connection.snubbed = false;
    const { cancel, fresh, complete } = picker.received(request);
    if (fresh) {
      connection.allowance.earn(bytes.length);
      let filling = fillings.get(piece);
      if (filling === undefined) {
        filling = { bytes: buffers.take(pieceBytes(piece)), senders: [] };
        fillings.set(piece, filling);
      }
      filling.bytes.set(bytes, offset);
      for (let unit = offset / UNIT_BYTES; unit * UNIT_BYTES < offset + bytes.length; unit++) {
        filling.senders[unit] = connection;
      }
      fetchedBytes += bytes.length;
      progressAt = at;
      senders.add(connection.wire.peerId);
    }
    cancelAll(cancel);
    if (complete !== undefined) void finish(piece);
  };

  const finish = async (piece: number): Promise<void> => {
    const filling = fillings.get(piece);
    if (filling === undefined) return;
    fillings.delete(piece);
    try {
      await store.write(piece, filling.bytes);
    } catch (error) {
      if (!(error instanceof ReleaseError && error.code === 'piece-wrong')) {
        options.onFailure(error);
        return;
      }
      picker.broken(piece);
      for (const guilty of evidence.wrong(piece, filling)) ban(guilty);
      fillAll();
      return;
    }
    for (const guilty of evidence.right(piece, filling.bytes)) ban(guilty);
    keep(piece, filling.bytes);
  };

  const keep = (piece: number, bytes: Buffer): void => {
    if (closed) return;
    cancelAll(picker.whole(piece));
    fillings.delete(piece);
    here[piece] = 1;
    cache.put(piece, bytes);
    tellAll(piece);
    options.onWhole(piece);
    if (picker.missing === 0) for (const { wire } of connections) wire.uninterested();
  };

  const tellAll = (piece: number): void => {
    haves.push(piece);
    const isRare = picker.availability(piece) <= RARE_COPIES;
    const dueAt = now() + (isRare ? RARE_HAVES_WITHIN_MS : HAVES_WITHIN_MS);
    if (havesTimer !== undefined && havesDueAt <= dueAt) return;
    clearTimeout(havesTimer);
    havesDueAt = dueAt;
    havesTimer = setTimeout(tellHaves, dueAt - now());
  };

  const tellHaves = (): void => {
    clearTimeout(havesTimer);
    havesTimer = undefined;
    for (const connection of connections) tellHavesTo(connection);
  };

  const tellHavesTo = (connection: Connection): void => {
    // Who has a piece need not know who else has it, unless it counts copies: an origin that super-seeds.
    const { wire, source } = connection;
    if (connection.havesTold === haves.length) return;
    const counts = wire.peerExtendedHandshake[COUNTS_COPIES] === 1;
    for (; connection.havesTold < haves.length; connection.havesTold++) {
      const piece = haves[connection.havesTold]!;
      if (counts || !source.has(piece)) wire.have(piece);
    }
  };

  const gained = (connection: Connection, piece: number): void => {
    if (!(piece >= 0 && piece < pieceCount)) return;
    picker.gained(connection.source, piece);
    if (connection.audience !== undefined) reveal?.gained(connection.audience, piece, now());
  };

  const afterGain = (connection: Connection): void => {
    const { wire, source } = connection;
    if (picker.missing > 0 && !wire.amInterested && picker.wants(source)) wire.interested();
    fill(connection);
    tell();
  };

  /** Super-seeding: the next pieces for those whose turn it is. */
  const tell = (): void => {
    if (reveal === undefined || reveal.ended) return;
    for (const { audience, piece } of reveal.next(now())) audiences.get(audience)?.wire.have(piece);
  };

  const endSuperSeeding = (): void => {
    for (const { wire, audience } of connections) {
      if (audience === undefined) continue;
      for (let piece = 0; piece < pieceCount; piece++) {
        if (here[piece] === 1 && audience.knows[piece] === 0 && audience.has[piece] === 0) wire.have(piece);
      }
    }
  };

  const importPieces = (connection: Connection): void => {
    for (let piece = 0; piece < pieceCount; piece++)
      if (connection.wire.peerPieces.get(piece)) gained(connection, piece);
    afterGain(connection);
  };

  const greet = (connection: Connection): void => {
    const { wire, audience } = connection;
    if (wire.destroyed) return;
    connection.havesTold = haves.length;
    const count = here.reduce((sum, one) => sum + one, 0);
    if (audience !== undefined && wire.hasFast) wire.haveNone();
    else if (audience !== undefined) wire.bitfield(new Uint8Array(Math.ceil(pieceCount / 8)));
    else if (count === pieceCount && wire.hasFast) wire.haveAll();
    else if (count === 0 && wire.hasFast) wire.haveNone();
    else wire.bitfield(toBitfield(here));
    // Everybody is served: who is slow is slow by its own socket, and upload slots would only leave lines idle.
    wire.unchoke();
  };

  const ban = ({ wire }: Connection): void => {
    options.onBanned(bans.add(wire));
    wire.destroy();
  };

  /** Of two connections with one peer both ends keep the one that the lower id has dialled. */
  const isSecond = (wire: Wire, ownPeerId: string): boolean => {
    for (const connection of connections) {
      if (connection.wire.peerId !== wire.peerId) continue;
      const dialled = wire.type.includes('Outgoing');
      if (dialled === connection.wire.type.includes('Outgoing')) return true;
      const keepsDialled = ownPeerId < wire.peerId;
      if (dialled !== keepsDialled) return true;
      connection.wire.destroy();
      return false;
    }
    return false;
  };

  const tick = setInterval(() => {
    const at = now();
    for (const connection of connections) watch(connection, at);
    fillAll();
    if (reveal?.copied === true && !copied) {
      copied = true;
      options.onCopied();
    }
    if (reveal !== undefined && !reveal.ended) {
      if (reveal.endIfDone(at)) endSuperSeeding();
      else tell();
    }
  }, TICK_MS);

  /** Takes back what a silent peer was asked for. */
  const watch = (connection: Connection, at: number): void => {
    const { wire, source } = connection;
    const bytesRead = socketOf(wire)?.bytesRead ?? 0;
    if (bytesRead !== connection.bytesHeard) {
      connection.bytesHeard = bytesRead;
      connection.heardAt = at;
    } else if (at - connection.heardAt > SILENT_MS) {
      wire.destroy();
      return;
    }
    if (source.requests.size === 0 || at - connection.answeredAt < PROGRESS_WITHIN_MS) return;
    const arriving = bytesRead - connection.bytesReadThen > CHATTER_BYTES;
    connection.answeredAt = at;
    connection.bytesReadThen = bytesRead;
    // A large block on a slow line arrives in parts.
    if (arriving) return;
    connection.snubbed = true;
    connection.window.reset();
    cancelAll([...source.requests]);
  };

  return {
    get missing() {
      return picker.missing;
    },
    get connections() {
      return connections.size;
    },
    get senders() {
      return senders.size;
    },
    get fetchedBytes() {
      return fetchedBytes;
    },
    get sentBytes() {
      let bytes = sentBefore;
      for (const { uploads } of connections) bytes += uploads.sentBytes;
      return bytes;
    },
    get progressAt() {
      return progressAt;
    },
    get othersMissing() {
      for (const { source } of connections) {
        for (let piece = 0; piece < pieceCount; piece++) if (!source.has(piece)) return true;
      }
      return false;
    },
    cache,
    has: (piece) => here[piece] === 1,
    add(wire, ownPeerId) {
      const socket = socketOf(wire);
      if (
        closed ||
        socket === undefined ||
        wire.peerId === ownPeerId ||
        bans.has(wire) ||
        connections.size >= SWARM_LIMITS.connections ||
        isSecond(wire, ownPeerId)
      ) {
        wire.destroy();
        return;
      }
      const blockBytes = isOwnPeer(wire) ? OWN_BLOCK_BYTES : UNIT_BYTES;
      const allowance = limitMessages(wire, pieceCount, () => ban(connection));
      const connection: Connection = {
        wire,
        allowance,
        source: picker.join(blockBytes),
        audience: reveal === undefined || reveal.ended ? undefined : reveal.join(),
        uploads: serveUploads(wire, socket, {
          cache,
          blocks,
          pieceBytes: (piece) => (here[piece] === 1 ? pieceBytes(piece) : undefined),
          onSent: (bytes) => {
            allowance.earn(bytes);
            tellHavesTo(connection);
          },
          onUnreadable: (piece) => lose(piece),
        }),
        window: createWindow({
          leastBytes: UNIT_BYTES,
          mostBytes: SWARM_LIMITS.pipelineBytes,
          quickMs: QUICK_MS,
          slowMs: SLOW_MS,
        }),
        outstandingBytes: 0,
        havesTold: haves.length,
        answeredAt: now(),
        bytesReadThen: 0,
        snubbed: false,
        heardAt: now(),
        bytesHeard: 0,
      };
      connections.add(connection);
      if (connection.audience !== undefined) audiences.set(connection.audience, connection);
      wire.extendedHandshake.reqq = SWARM_LIMITS.requestsPerPeer;
      if (superSeed) wire.extendedHandshake[COUNTS_COPIES] = 1;
      wire.on('bitfield', () => importPieces(connection));
      wire.on('have-all', () => importPieces(connection));
      wire.on('have', (piece: number) => {
        gained(connection, piece);
        afterGain(connection);
      });
      wire.lt_donthave.on('donthave', (piece: number) => {
        if (piece >= 0 && piece < pieceCount) picker.dropped(connection.source, piece);
      });
      wire.on('unchoke', () => fill(connection));
      wire.once('close', () => remove(connection));
      wire.once('finish', () => remove(connection));
      const begin = (): void => {
        greet(connection);
        // An incoming peer may have told its pieces before it was let in here.
        importPieces(connection);
      };
      // The bitfield comes first on a wire. Who was dialled gets it now, before its own is read; who dialled us gets
      // our handshake only when this event is over.
      if (wire.type.includes('Outgoing')) begin();
      else queueMicrotask(begin);
    },
    async deliver(piece, bytes) {
      try {
        await store.write(piece, bytes);
      } catch (error) {
        if (error instanceof ReleaseError && error.code === 'piece-wrong') return false;
        options.onFailure(error);
        return false;
      }
      if (here[piece] === 0) keep(piece, bytes);
      return true;
    },
    lose,
    neglected: (skip) => picker.neglected(skip),
    isBanned: bans.hasAddress,
    close() {
      closed = true;
      clearInterval(tick);
      clearTimeout(havesTimer);
      for (const connection of [...connections]) remove(connection);
    },
  };

  function lose(piece: number): void {
    if (here[piece] === 0) return;
    here[piece] = 0;
    cache.delete(piece);
    picker.broken(piece);
    tellHaves();
    for (const { wire } of connections) wire.lt_donthave.donthave(piece);
    fillAll();
  }

  function remove(connection: Connection): void {
    if (!connections.delete(connection)) return;
    sentBefore += connection.uploads.sentBytes;
    connection.uploads.close();
    picker.leave(connection.source);
    if (connection.audience !== undefined) {
      reveal?.leave(connection.audience);
      audiences.delete(connection.audience);
    }
    fillAll();
  }
}

function now(): number {
  return performance.now();
}

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import WebTorrent, { type Torrent, type Wire } from 'webtorrent';
import { torrentFile } from '../../release/torrent.ts';
import { SWARM_LIMITS } from '../limits.ts';
import './plumbing.ts';

/** A peer of this program is known by it: its wires may carry larger blocks. */
const PEER_ID_PREFIX = '-RK0001-';

export interface SwarmClient {
  /** Hexadecimal. */
  readonly peerId: string;
  readonly port: number;
  /** Dials `host:port`; again and again while it is not reached. */
  connect(address: string): void;
  /** Hangs up on `host:port` and never takes it back. */
  readonly close: () => Promise<void>;
}

/**
 * Joins a swarm with webtorrent: its listener, connections, retries, handshakes and wires. Which pieces go where is
 * the business of whoever gets the wires.
 * @param port 0 for any
 * @throws ReleaseError `payload-empty`
 */
export async function joinSwarm(options: {
  readonly info: Uint8Array;
  readonly port: number;
  readonly onWire: (wire: Wire) => void;
  readonly onError: (error: Error) => void;
}): Promise<SwarmClient> {
  // First: without bytes there is none, and nothing must be left that listens.
  const torrentBytes = torrentFile(options.info);
  const client = new WebTorrent({
    peerId: Buffer.concat([Buffer.from(PEER_ID_PREFIX), randomBytes(12)]),
    torrentPort: options.port,
    maxConns: SWARM_LIMITS.connections,
    utp: false,
    dht: false,
    lsd: false,
    utPex: false,
    natUpnp: false,
    natPmp: false,
    // Both have a place of their own here: see tracker/announce.ts and web-seed/.
    tracker: false,
    webSeeds: false,
    secure: 0,
  });
  const failed = new Promise<never>((_, reject) => {
    client.once('error', reject);
  });
  client.on('error', options.onError);
  await Promise.race([once(client, 'listening'), failed]);
  failed.catch(() => undefined);
  client._connPool.tcpServer.maxConnections = SWARM_LIMITS.connections;
  const torrent: Torrent = client.add(torrentBytes, {
    store: UnusedStore,
    storeCacheSlots: 0,
    skipVerify: true,
    private: true,
  });
  // webtorrent's picking, serving and choking: all of it stands aside.
  torrent._onWireWithMetadata = () => undefined;
  torrent._rechoke = () => undefined;
  torrent.on('error', options.onError);
  torrent.on('warning', () => undefined);
  torrent.on('wire', options.onWire);
  await once(torrent, 'ready');
  // It counts every piece of every peer anew at each wire, and a `have` of a piece that isn't there makes it count to it.
  torrent._rarityMap?.destroy();
  torrent._rarityMap = null;
  return {
    peerId: client.peerId,
    port: client.torrentPort,
    connect: (address) => {
      if (!torrent.destroyed) torrent.addPeer(address);
    },
    close: async () => {
      if (!client.destroyed) await new Promise<void>((resolve) => client.destroy(() => resolve()));
    },
  };
}

export function isOwnPeer(wire: Wire): boolean {
  return Buffer.from(wire.peerId, 'hex').toString('latin1').startsWith('-RK');
}

/** Pieces don't pass through webtorrent, which wants to own a store all the same. */
class UnusedStore {
  get(_piece: number, _options: unknown, done: (error: Error) => void): void {
    done(new Error('pieces are served elsewhere'));
  }
  put(_piece: number, _bytes: Uint8Array, done: (error: Error) => void): void {
    done(new Error('pieces are written elsewhere'));
  }
  close(done: (error: null) => void): void {
    done(null);
  }
  destroy(done: (error: null) => void): void {
    done(null);
  }
}

/** What is used of webtorrent 3 and bittorrent-tracker 11. They bring no declarations of their own. */

declare module 'webtorrent' {
  import type { EventEmitter } from 'node:events';

  export interface BitField {
    get(index: number): boolean;
  }

  /** A connection that speaks BitTorrent: `bittorrent-protocol`. */
  export interface Wire extends EventEmitter {
    /** Hexadecimal. */
    readonly peerId: string;
    readonly type: string;
    readonly destroyed: boolean;
    readonly hasFast: boolean;
    readonly peerChoking: boolean;
    readonly peerInterested: boolean;
    readonly amInterested: boolean;
    readonly peerPieces: BitField;
    readonly peerExtendedHandshake: Readonly<Record<string, unknown>>;
    readonly peerRequests: readonly unknown[];
    readonly extendedHandshake: Record<string, unknown>;
    readonly remoteAddress?: string;
    readonly remotePort?: number;
    readonly lt_donthave: EventEmitter & { donthave(index: number): void };
    haveAll(): void;
    haveNone(): void;
    have(index: number): void;
    bitfield(bits: Uint8Array): void;
    interested(): void;
    uninterested(): void;
    unchoke(): void;
    request(
      index: number,
      offset: number,
      length: number,
      callback: (error: Error | null, bytes: Uint8Array) => void,
    ): void;
    cancel(index: number, offset: number, length: number): void;
    destroy(): void;
    /** Of its streams: what it sends goes through here; null ends it. */
    push: (bytes: Uint8Array | null) => boolean;
    resume(): void;
    /** Called with as many bytes as it waits for. */
    readonly _parserSize: number;
    readonly _parser: (bytes: Uint8Array) => void;
    readonly _onMessageLength: (buffer: Uint8Array) => void;
    _onMessage: (buffer: Uint8Array) => void;
  }

  export interface Torrent extends EventEmitter {
    readonly infoHash: string;
    readonly destroyed: boolean;
    readonly wires: readonly Wire[];
    /** `host:port`; false when it is known or can't be right. */
    addPeer(address: string): boolean;
    removePeer(address: string): void;
    _onWireWithMetadata: (wire: Wire) => void;
    _rechoke: () => void;
    _rarityMap: { destroy(): void } | null;
  }

  export interface ClientOptions {
    readonly peerId: Uint8Array;
    readonly torrentPort: number;
    readonly maxConns: number;
    readonly utp: false;
    readonly dht: false;
    readonly lsd: false;
    readonly utPex: false;
    readonly natUpnp: false;
    readonly natPmp: false;
    readonly tracker: false;
    readonly webSeeds: false;
    readonly secure: 0;
  }

  export interface TorrentOptions {
    readonly store: new () => object;
    readonly storeCacheSlots: 0;
    readonly skipVerify: true;
    readonly private: true;
  }

  // biome-ignore lint/style/noDefaultExport: it is how the package is made
  export default class WebTorrent extends EventEmitter {
    constructor(options: ClientOptions);
    readonly peerId: string;
    readonly torrentPort: number;
    readonly destroyed: boolean;
    readonly _connPool: { readonly tcpServer: import('node:net').Server };
    add(torrentFile: Uint8Array, options: TorrentOptions): Torrent;
    destroy(done: (error?: Error) => void): void;
  }
}

declare module 'webtorrent/lib/peer.js' {
  import type { EventEmitter } from 'node:events';
  import type { Socket } from 'node:net';
  import type { Wire } from 'webtorrent';

  // biome-ignore lint/style/noDefaultExport: it is how the package is made
  export default class Peer extends EventEmitter {
    readonly conn: Socket;
    readonly wire: Wire;
    setThrottlePipes(): void;
  }
}

declare module 'bittorrent-tracker/server' {
  import type { EventEmitter } from 'node:events';
  import type { Server as HttpServer, IncomingMessage } from 'node:http';

  export interface AnnounceParams {
    readonly info_hash: string;
    readonly peer_id: string;
    readonly ip: string;
    readonly port: number;
    readonly addr: string;
    readonly left: number;
    readonly event: string;
    readonly numwant: number;
    readonly httpReq: IncomingMessage;
    readonly [parameter: string]: unknown;
  }

  export interface AnnouncedPeer {
    readonly peerId: string;
    readonly ip: string;
    readonly port: number;
  }

  export interface AnnounceReply {
    readonly complete: number;
    readonly incomplete: number;
    readonly interval: number;
    readonly peers: readonly AnnouncedPeer[];
    readonly [extension: string]: unknown;
  }

  type Done<T> = (error: Error | null, value?: T) => void;

  /** What a Server asks about one info hash. */
  export interface Swarm {
    announce(params: AnnounceParams, done: Done<AnnounceReply>): void;
    scrape(params: unknown, done: Done<{ readonly complete: number; readonly incomplete: number }>): void;
  }

  export interface ServerOptions {
    readonly udp: false;
    readonly ws: false;
    readonly stats: false;
    readonly http: import('node:http').ServerOptions;
    readonly filter: (infoHash: string, params: AnnounceParams, done: (error: Error | null) => void) => void;
  }

  // biome-ignore lint/style/noDefaultExport: it is how the package is made
  export default class Server extends EventEmitter {
    constructor(options: ServerOptions);
    readonly http: HttpServer;
    listen(port: number, host: string, done: () => void): void;
    close(done: () => void): void;
    createSwarm(infoHash: string, done: Done<Swarm>): void;
    getSwarm(infoHash: string, done: Done<Swarm>): void;
  }
}

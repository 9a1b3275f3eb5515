import { ReleaseError } from '../errors.ts';
import type { Release } from '../release/container.ts';
import type { Layout } from '../release/layout.ts';
import { joinSwarm } from './client/client.ts';
import { createExchange, type Exchange, type PieceStore } from './exchange/exchange.ts';
import { type Announcement, startAnnouncing } from './tracker/announce.ts';
import { startWatchdog } from './watchdog.ts';
import { serveWebSeed } from './web-seed/server.ts';

/** One host's part in a swarm: connections, pieces, announcements, and HTTP where that is needed. */
export interface Membership {
  readonly exchange: Exchange;
  readonly port: number;
  /** Of the HTTP that an origin serves. */
  readonly webSeedPort: number | undefined;
  /** Bytes that came from an origin by HTTP. */
  readonly webSeedBytes: number;
  /** When a piece last came that way. */
  readonly webSeedProgressAt: number;
  /** The latest of each tracker that answers. */
  readonly announcements: ReadonlyMap<string, Announcement>;
  readonly trackerProblems: ReadonlyMap<string, string>;
  /** Tells the trackers that everything is here. */
  completed(): void;
  close(): Promise<void>;
}

export interface MembershipOptions {
  readonly release: Release;
  readonly layout: Layout;
  readonly store: PieceStore;
  readonly has: (piece: number) => boolean;
  readonly trackers: readonly string[];
  readonly origin: boolean;
  /** For other peers; 0 for any. */
  readonly port: number;
  /** For an origin's HTTP; 0 for any. */
  readonly webSeedPort: number;
  /** Peers that are known without a tracker: `host:port`. */
  readonly peers: readonly string[];
  readonly webSeeds: readonly string[];
  readonly rack?: string;
  readonly onWhole: (piece: number) => void;
  readonly onFailure: (error: unknown) => void;
  readonly onBanned: (peer: string) => void;
  readonly onCopied: () => void;
  readonly onTrackerProblem: (tracker: string, message: string) => void;
}

/** @throws ReleaseError `address-unusable`, `payload-empty` */
export async function becomeMember(options: MembershipOptions): Promise<Membership> {
  const { release, layout, store, origin } = options;
  const { infoHash } = release;
  const exchange = createExchange({
    layout,
    store,
    has: options.has,
    superSeed: origin,
    onWhole: options.onWhole,
    onFailure: options.onFailure,
    onBanned: options.onBanned,
    onCopied: options.onCopied,
  });
  let ownPeerId = '';
  const client = await usable(`port ${options.port}`, () =>
    joinSwarm({
      info: release.info,
      port: options.port,
      onWire: (wire) => exchange.add(wire, ownPeerId),
      onError: options.onFailure,
    }),
  ).catch((error) => {
    exchange.close();
    throw error;
  });
  ownPeerId = client.peerId;
  const webSeed = origin
    ? await usable(`port ${options.webSeedPort}`, () =>
        serveWebSeed({
          port: options.webSeedPort,
          infoHash,
          layout,
          cache: exchange.cache,
        }),
      ).catch(async (error) => {
        exchange.close();
        await client.close();
        throw error;
      })
    : undefined;

  const announcements = new Map<string, Announcement>();
  const trackerProblems = new Map<string, string>();
  /** The latest of each tracker, also of one that is gone. */
  const webSeeds = new Map<string, readonly string[]>();
  const connect = (address: string): void => {
    if (!exchange.isBanned(address)) client.connect(address);
  };
  for (const address of options.peers) connect(address);
  const watchdog = origin
    ? undefined
    : startWatchdog({
        exchange,
        infoHash,
        layout,
        webSeeds: () => [...options.webSeeds, ...[...webSeeds.values()].flat()],
      });
  const announcing = options.trackers.map((tracker) =>
    startAnnouncing({
      trackers: [tracker],
      infoHash,
      peerId: client.peerId,
      port: client.port,
      ...(options.rack === undefined ? {} : { rack: options.rack }),
      ...(webSeed === undefined ? {} : { webSeedPort: webSeed.port }),
      origin,
      left: () => exchange.missing * layout.manifest.pieceLength,
      fetchedBytes: () => exchange.fetchedBytes,
      sentBytes: () => exchange.sentBytes,
      onAnnouncement(announcement) {
        announcements.set(tracker, announcement);
        trackerProblems.delete(tracker);
        webSeeds.set(tracker, announcement.webSeeds);
        for (const address of announcement.peers) connect(address);
      },
      onFailure(_, message) {
        announcements.delete(tracker);
        trackerProblems.set(tracker, message);
        options.onTrackerProblem(tracker, message);
      },
    }),
  );

  let closing: Promise<void> | undefined;
  return {
    exchange,
    port: client.port,
    webSeedPort: webSeed?.port,
    get webSeedBytes() {
      return watchdog?.fetchedBytes ?? 0;
    },
    get webSeedProgressAt() {
      return watchdog?.progressAt ?? 0;
    },
    announcements,
    trackerProblems,
    completed() {
      for (const one of announcing) one.completed();
    },
    close() {
      closing ??= (async () => {
        watchdog?.stop();
        const goodbyes = Promise.all(announcing.map((one) => one.close()));
        exchange.close();
        await Promise.all([goodbyes, client.close(), webSeed?.close()]);
      })();
      return closing;
    },
  };
}

async function usable<T>(what: string, listen: () => Promise<T>): Promise<T> {
  try {
    return await listen();
  } catch (cause) {
    if (cause instanceof ReleaseError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new ReleaseError('address-unusable', `Can't listen on ${what}: ${code ?? message}`, { cause });
  }
}

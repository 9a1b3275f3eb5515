import { networkInterfaces } from 'node:os';
import type { Ready } from '../host/protocol.ts';
import type { Host } from '../inventory/host.ts';
import type { Release } from '../release/container.ts';
import { payloadBytes } from '../release/torrent.ts';
import { type Seeding, seed } from '../swarm/seed.ts';
import { createTracker, type Tracker, type TrackerPeer } from '../swarm/tracker/tracker.ts';

/** The swarm of a push: its tracker and its origin, or those that run elsewhere. */
export interface PushSwarm extends AsyncDisposable {
  /** Where a host announces itself: the coordinator has another address for each of them. */
  trackersFor(host: Host, ready: Ready): readonly string[];
  figures(): { readonly peers: number; readonly complete: number; readonly sentBytes: number };
  /** Of this process's tracker; without one, nobody. */
  peers(): readonly TrackerPeer[];
  /** Nobody needs to stay for others any more. */
  letGo(): void;
}

export interface PushSwarmOptions {
  readonly release: Release;
  readonly releaseBytes: Uint8Array;
  /** The release's tree; undefined when its origins run elsewhere. */
  readonly tree: string | undefined;
  /** Of a swarm that is there already. */
  readonly trackers: readonly string[];
  readonly hosts: readonly Host[];
  /** The coordinator's address, as the hosts reach it. */
  readonly advertise: string | undefined;
}

/** @throws ReleaseError `tree-wrong`, `address-unusable` */
export async function startSwarm(options: PushSwarmOptions): Promise<PushSwarm> {
  const { release, releaseBytes, tree, trackers, hosts, advertise } = options;
  const { infoHash, manifest } = release;
  const allLocal = hosts.every(({ transport }) => transport === 'local') && advertise === undefined;
  let tracker: Tracker | undefined;
  let origin: Seeding | undefined;
  if (tree !== undefined && payloadBytes(manifest) > 0) {
    tracker = await createTracker({ port: 0, ...(allLocal ? { host: '127.0.0.1' } : {}) });
    tracker.hold(infoHash);
    try {
      const own = `http://127.0.0.1:${tracker.port}/announce`;
      origin = await seed({ release: releaseBytes, folder: tree, trackers: [own, ...trackers] });
    } catch (error) {
      await tracker.close();
      throw error;
    }
  }
  return {
    trackersFor(host, { coordinatorAddress }) {
      const named = (url: string): string => announceUrlOf(url, host.name);
      if (tracker === undefined) return trackers.map(named);
      const address =
        advertise ?? (host.transport === 'local' ? '127.0.0.1' : (coordinatorAddress ?? outwardAddress()));
      return [
        `http://${address.includes(':') ? `[${address}]` : address}:${tracker.port}/announce`,
        ...trackers,
      ].map(named);
    },
    peers: () => tracker?.peers(infoHash) ?? [],
    figures() {
      const { peers = 0, complete = 0 } =
        tracker?.swarms().find((swarm) => swarm.infoHash === infoHash) ?? {};
      return { peers, complete, sentBytes: origin?.sentBytes ?? 0 };
    },
    letGo: () => tracker?.letGo(infoHash),
    async [Symbol.asyncDispose]() {
      await origin?.close();
      await tracker?.close();
    },
  };
}

/** With the host's name, which trackers of this program show; others ignore it. */
function announceUrlOf(tracker: string, name: string): string {
  const url = new URL(tracker);
  url.searchParams.set('host', name);
  return url.href;
}

/** A guess for hosts that don't say by which address they see the coordinator. */
function outwardAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find(({ internal, family }) => !internal && family === 'IPv4')?.address ?? '127.0.0.1';
}

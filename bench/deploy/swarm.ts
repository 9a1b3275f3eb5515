import { dirname } from 'node:path';
import { type RunningProcess, waitFor } from '@rookery/testkit';
import { runNode, startAll } from './programs.ts';
import type { Machine, RunningSystem, Scene } from './system.ts';
import { writeTorrent } from './torrent.ts';

/** How a BitTorrent client is started; each returns when it is ready. */
export interface TorrentClient {
  seed(origin: Machine, torrent: string, folder: string): Promise<RunningProcess>;
  fetch(machine: Machine, torrent: string): Promise<RunningProcess>;
  readonly doneText: string;
}

/** A tracker and a seeder on the origin; the clients are let in when it knows the seeder. */
export async function startSwarm(scene: Scene, client: TorrentClient): Promise<RunningSystem> {
  const { tree, origin, machines } = scene;
  const trackerPort = origin.port - 1;
  const torrent = `${origin.folder}/tree.torrent`;
  const announce = `http://${origin.host.address}:${trackerPort}/announce`;
  await writeTorrent(torrent, tree, announce);
  return startAll(
    [
      () => runNode(origin, 'tracker', [origin.host.address, String(trackerPort)]),
      async ([tracker]) => {
        const seeder = await client.seed(origin, torrent, dirname(tree));
        await waitFor(() => tracker!.stdout.includes('seeded'), {
          what: 'the seeder to be announced',
          withinMs: 30_000,
          detail: () => seeder.output,
        });
        return seeder;
      },
    ],
    machines.map((machine) => () => client.fetch(machine, torrent)),
    client.doneText,
  );
}

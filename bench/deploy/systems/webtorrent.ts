import { spawnSync } from 'node:child_process';
import { runNode } from '../programs.ts';
import { startSwarm, type TorrentClient } from '../swarm.ts';
import type { System } from '../system.ts';

const client: TorrentClient = {
  seed: (origin, torrent, folder) =>
    runNode(origin, 'webtorrent', ['seed', torrent, folder, String(origin.port)]),
  fetch: (machine, torrent) =>
    runNode(machine, 'webtorrent', ['fetch', torrent, machine.folder, String(machine.port)]),
  doneText: 'done\n',
};

export const webtorrent: System = {
  name: 'webtorrent',
  remark: 'webtorrent 3.0 as it comes, but TCP only; no DHT, LSD, PEX',
  once: true,
  whyMissing() {
    const { status } = spawnSync(process.execPath, ['-e', 'import.meta.resolve("webtorrent")'], {
      cwd: import.meta.dirname,
    });
    return status === 0 ? undefined : 'webtorrent is not in node_modules';
  },
  start: (scene) => startSwarm(scene, client),
};

import type { RunningProcess } from '@rookery/testkit';
import { python, runPython, whyFails } from '../programs.ts';
import { startSwarm, type TorrentClient } from '../swarm.ts';
import type { Machine, System } from '../system.ts';

function run(
  role: 'seed' | 'fetch',
  machine: Machine,
  torrent: string,
  folder: string,
): Promise<RunningProcess> {
  return runPython(machine, 'torrent', [role, torrent, folder, machine.host.address, String(machine.port)]);
}

const client: TorrentClient = {
  seed: (origin, torrent, folder) => run('seed', origin, torrent, folder),
  fetch: (machine, torrent) => run('fetch', machine, torrent, machine.folder),
  doneText: 'done\n',
};

export const libtorrent: System = {
  name: 'libtorrent',
  remark:
    'libtorrent 2.0.8 (Debian) from Python: TCP only, no encryption, connects to all at once; no DHT, LSD, UPnP; its super-seeding sends half as much from the origin and takes longer',
  whyMissing: () => whyFails('python3-libtorrent', python, ['-c', 'import libtorrent']),
  start: (scene) => startSwarm(scene, client),
};

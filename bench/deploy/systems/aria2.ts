import { runGated, whyFails } from '../programs.ts';
import { startSwarm, type TorrentClient } from '../swarm.ts';
import { type Machine, type System, treeName } from '../system.ts';

const settings = [
  '--no-conf',
  ...['--enable-dht=false', '--enable-dht6=false', '--bt-enable-lpd=false', '--enable-peer-exchange=false'],
  ...['--seed-ratio=0', '--bt-max-peers=0', '--bt-tracker-interval=15'],
  // It asks for more peers while it is slower than this; it knows all of them.
  '--bt-request-peer-speed-limit=0',
  ...['--file-allocation=none', '--bt-max-open-files=1000', '--disable-ipv6=true'],
  ...['--show-console-readout=false', '--summary-interval=0', '--enable-color=false'],
];

function args({ port }: Machine, torrent: string, folder: string): string[] {
  return [...settings, `--listen-port=${port}`, `--dir=${folder}`, torrent];
}

const client: TorrentClient = {
  seed: (origin, torrent, folder) =>
    origin.host.run('aria2c', ['--bt-seed-unverified=true', ...args(origin, torrent, folder)]),
  fetch: (machine, torrent) =>
    runGated(machine, 'aria2c', [
      '--on-bt-download-complete=/bin/echo',
      ...args(machine, torrent, machine.folder),
    ]),
  // What the hook is told: a number, how many files, and the first of them.
  doneText: `/${treeName}/`,
};

export const aria2: System = {
  name: 'aria2',
  remark: 'aria2 1.36 (Debian): all peers, no DHT, LPD and PEX, no allocation, no limit of peers',
  whyMissing: () => whyFails('aria2', 'aria2c', ['--version']),
  start: (scene) => startSwarm(scene, client),
};

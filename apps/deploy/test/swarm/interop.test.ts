import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort, type RunningProcess, startProcess, temporaryFolder } from '@rookery/testkit';
import { describe, expect, test } from 'vitest';
import { inspectRelease } from '../../src/release/container.ts';
import { createLayout } from '../../src/release/layout.ts';
import { planReuse } from '../../src/release/reuse.ts';
import { createPieceReader } from '../../src/tree/piece-reader.ts';
import { clients, PYTHON } from '../other-clients.ts';
import { eventOf, type PackedFiles, packTree, startFetch, startOrigin, startTracker } from './programs.ts';

/** Joins a swarm as libtorrent comes, but for discovery, and stays; prints when it has everything. */
const LIBTORRENT = `
import libtorrent, sys, time
torrent, folder, tracker = sys.argv[1:4]
session = libtorrent.session({'listen_interfaces': '127.0.0.1:0', 'enable_dht': False, 'enable_lsd': False,
                              'enable_upnp': False, 'enable_natpmp': False, 'allow_multiple_connections_per_ip': True})
handle = session.add_torrent({'ti': libtorrent.torrent_info(torrent), 'save_path': folder, 'trackers': [tracker]})
told = False
while True:
    if handle.status().is_seeding and not told:
        print('complete', flush=True)
        told = True
    time.sleep(0.05)
`;

interface Client {
  readonly name: string;
  start(packed: PackedFiles, folder: string, tracker: string): Promise<RunningProcess>;
  readonly complete: RegExp;
}

const CLIENTS: readonly Client[] = [
  {
    name: 'aria2',
    complete: /download completed|Seeding is over|SEED\(|Verification finished successfully/i,
    start: async ({ torrent }, folder, tracker) =>
      startProcess({
        command: 'aria2c',
        args: [
          ...['--check-integrity=true', '--seed-ratio=0', '--enable-dht=false', '--bt-enable-lpd=false'],
          ...['--console-log-level=notice', '--summary-interval=1', `--bt-tracker=${tracker}`],
          ...[`--listen-port=${await freePort()}`, `--dir=${folder}`, torrent],
        ],
      }),
  },
  {
    name: 'libtorrent',
    complete: /complete/,
    start: ({ torrent }, folder, tracker) =>
      startProcess({ command: PYTHON, args: ['-c', LIBTORRENT, torrent, folder, tracker] }),
  },
];

async function payloadOf({ release, tree }: PackedFiles): Promise<Buffer> {
  const { manifest } = inspectRelease(await readFile(release));
  const layout = createLayout(manifest);
  await using reader = createPieceReader(planReuse(layout, [{ folder: tree, content: manifest }]));
  const pieces: Buffer[] = [];
  for (let piece = 0; piece < layout.pieceCount; piece++) pieces.push((await reader.read(piece))!);
  return Buffer.concat(pieces);
}

describe.skipIf(!clients)('with clients of others', { timeout: 90_000 }, () => {
  test.each(CLIENTS)('$name fetches from an origin', async ({ start, complete }) => {
    await using work = await temporaryFolder();
    const packed = await packTree(work.path, { bytes: 3_000_000 });
    const tracker = await startTracker();
    await using _tracker = tracker.process;
    await using _origin = await startOrigin(packed, tracker.url);
    const folder = join(work.path, 'theirs');
    await mkdir(folder);
    await using client = await start(packed, folder, tracker.url);
    await expect.poll(() => client.output, { timeout: 45_000, interval: 50 }).toMatch(complete);
    expect((await readFile(join(folder, 'rookery.payload'))).equals(await payloadOf(packed))).toBe(true);
  });

  test.each(CLIENTS)('a host fetches from $name alone', async ({ start, complete }) => {
    await using work = await temporaryFolder();
    const packed = await packTree(work.path, { bytes: 3_000_000 });
    const tracker = await startTracker();
    await using _tracker = tracker.process;
    const folder = join(work.path, 'theirs');
    await mkdir(folder);
    await writeFile(join(folder, 'rookery.payload'), await payloadOf(packed));
    await using client = await start(packed, folder, tracker.url);
    await expect.poll(() => client.output, { timeout: 45_000, interval: 50 }).toMatch(complete);
    await using host = await startFetch(packed, join(work.path, 'to'), tracker.url, {
      more: ['--seed-for', '0'],
    });
    expect(await eventOf(host, 'done', 80_000)).toMatchObject({
      fetched_bytes: packed.payloadBytes,
      http_bytes: 0,
    });
  });
});

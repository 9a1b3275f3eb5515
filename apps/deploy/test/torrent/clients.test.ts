import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort, Random, startProcess, temporaryFolder } from '@rookery/testkit';
import { describe, expect, test } from 'vitest';
import { planReuse } from '../../src/release/reuse.ts';
import { torrentFile } from '../../src/release/torrent.ts';
import { compareTree } from '../../src/tree/compare.ts';
import { createPieceReader } from '../../src/tree/piece-reader.ts';
import { openStaging } from '../../src/tree/staging.ts';
import { clients, PYTHON } from '../other-clients.ts';
import { layoutOf, packFolder, plant, plantMany } from '../support.ts';

const execute = promisify(execFile);

/** Downloads from one peer, and prints the info hash as libtorrent has it. */
const LEECH = `
import libtorrent, sys, time
torrent, folder, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
session = libtorrent.session({'listen_interfaces': '127.0.0.1:0', 'enable_dht': False, 'enable_lsd': False,
                              'enable_upnp': False, 'enable_natpmp': False, 'enable_outgoing_utp': False})
info = libtorrent.torrent_info(torrent)
handle = session.add_torrent({'ti': info, 'save_path': folder})
deadline = time.time() + 60
while not handle.status().is_seeding and time.time() < deadline:
    handle.connect_peer(('127.0.0.1', port))
    time.sleep(0.2)
print(info.info_hash(), info.priv(), handle.status().is_seeding)
`;

describe.skipIf(!clients)('aria2 seeds what libtorrent fetches', () => {
  test.each([
    ['a small tree, pieces of 4 KiB', 300, 3_000],
    ['a larger one, pieces of 32 KiB', 400, 50_000],
  ])('%s: and it is the payload', { timeout: 90_000 }, async (_, files, bytes) => {
    await using work = await temporaryFolder();
    const at = (path: string): string => join(work.path, path);
    await plantMany(at('tree'), { files, seed: 1, bytes: (random) => random.between(0, 2 * bytes) });
    await plant(at('tree'), {
      link: { link: 'part-1' },
      copy: new Random(2).bytes(bytes),
      again: new Random(2).bytes(bytes),
    });
    const packed = await packFolder(at('tree'));
    const layout = layoutOf(packed);
    await writeFile(at('release.torrent'), torrentFile(packed.release.info));
    await mkdir(at('seed'));
    await mkdir(at('fetched'));
    await using reader = createPieceReader(
      planReuse(layout, [{ folder: at('tree'), content: packed.release.manifest }]),
    );
    const payload: Buffer[] = [];
    for (let piece = 0; piece < layout.pieceCount; piece++) payload.push((await reader.read(piece))!);
    await writeFile(at('seed/rookery.payload'), Buffer.concat(payload));

    const port = await freePort();
    await using _seeder = await startProcess({
      command: 'aria2c',
      args: [
        ...['--check-integrity=true', '--seed-ratio=0', '--enable-dht=false', '--bt-enable-lpd=false'],
        ...[`--listen-port=${port}`, `--dir=${at('seed')}`, at('release.torrent')],
      ],
      readyPattern: /listening on TCP port|Seeding is over|SEED|Verification finished successfully/i,
    });
    const { stdout } = await execute(PYTHON, [
      '-c',
      LEECH,
      at('release.torrent'),
      at('fetched'),
      String(port),
    ]);
    expect(stdout.trim()).toBe(`${packed.release.infoHash} True True`);

    const fetched = await readFile(at('fetched/rookery.payload'));
    await using staging = await openStaging(at('built'), layout);
    for (let piece = 0, offset = 0; piece < layout.pieceCount; offset += layout.pieceBytes(piece++)) {
      await staging.write(piece, fetched.subarray(offset, offset + layout.pieceBytes(piece)));
    }
    await staging.finish();
    expect(await compareTree(packed.release.manifest, at('built'))).toEqual([]);
  });
});

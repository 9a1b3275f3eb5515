import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { temporaryFolder } from '@rookery/testkit';
import { describe, expect, test } from 'vitest';
import { readPublicKeys } from '../../src/cli/files.ts';
import { inspectRelease } from '../../src/release/container.ts';
import { createLayout } from '../../src/release/layout.ts';
import { fetch } from '../../src/swarm/fetch.ts';
import { seed } from '../../src/swarm/seed.ts';
import { becomeMember } from '../../src/swarm/swarm.ts';
import { createTracker } from '../../src/swarm/tracker/tracker.ts';
import { createTreeStore } from '../../src/swarm/tree-store.ts';
import { verify } from '../../src/verify.ts';
import { packTree } from './programs.ts';

describe('a peer that means harm', { timeout: 60_000 }, () => {
  test('and sends wrong bytes is banned, and the tree is right', async () => {
    await using work = await temporaryFolder();
    const packed = await packTree(work.path, { bytes: 4_000_000 });
    const bytes = await readFile(packed.release);
    const release = inspectRelease(bytes);
    const layout = createLayout(release.manifest);
    await using tracker = await createTracker({ host: '127.0.0.1', port: 0 });
    const trackers = [`http://127.0.0.1:${tracker.port}/announce`];
    const store = createTreeStore(layout, packed.tree);
    const liar = await becomeMember({
      release,
      layout,
      store: {
        ...store,
        read: async (piece) => {
          const right = await store.read(piece);
          return right === undefined ? undefined : Buffer.from(right.map((byte) => byte ^ 1));
        },
      },
      has: () => true,
      trackers,
      origin: false,
      port: 0,
      webSeedPort: 0,
      peers: [],
      webSeeds: [],
      onWhole: () => undefined,
      onFailure: () => undefined,
      onBanned: () => undefined,
      onCopied: () => undefined,
      onTrackerProblem: () => undefined,
    });
    await using _origin = await seed({ release: bytes, folder: packed.tree, trackers });
    const trust = await readPublicKeys([packed.trust]);
    const banned: string[] = [];
    const to = join(work.path, 'to');
    await using fetched = await fetch({
      release: bytes,
      to,
      trust,
      trackers,
      peers: [`127.0.0.1:${liar.port}`],
      onBanned: (peer) => banned.push(peer),
    });
    expect(banned).toEqual([`127.0.0.1:${liar.port}`]);
    expect(fetched.folder).toBe(to);
    expect((await verify({ release: bytes, folder: to, trust })).differences).toEqual([]);
    await liar.close();
  });

  test('and announces a message of 4 GB is cut off', async () => {
    await using work = await temporaryFolder();
    const packed = await packTree(work.path, { bytes: 100_000 });
    const bytes = await readFile(packed.release);
    await using origin = await seed({ release: bytes, folder: packed.tree, trackers: [] });
    const socket = connect(origin.port, '127.0.0.1');
    await once(socket, 'connect');
    const infoHash = Buffer.from(origin.release.infoHash, 'hex');
    socket.write(
      Buffer.concat([Buffer.from('\x13BitTorrent protocol'), Buffer.alloc(8), infoHash, Buffer.alloc(20, 1)]),
    );
    socket.write(Buffer.from([0xff, 0xff, 0xff, 0xf0, 7]));
    socket.resume();
    await once(socket, 'close');
    expect(origin.peers).toBe(0);
  });
});

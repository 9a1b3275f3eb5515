import { join } from 'node:path';
import { temporaryFolder, waitFor } from '@rookery/testkit';
import { describe, expect, test } from 'vitest';
import { readPublicKeys, readReleaseFile } from '../../src/cli/files.ts';
import { fetch } from '../../src/swarm/fetch.ts';
import { seed } from '../../src/swarm/seed.ts';
import { createTracker } from '../../src/swarm/tracker/tracker.ts';
import { eventOf, expectWhole, packTree, startFetch, startOrigin } from './programs.ts';

// Who has everything stays for as long as the coordinator holds the swarm: then it is let go, and not after a guess.

describe.concurrent('hosts that have everything', { timeout: 120_000 }, () => {
  test('stay while the swarm is held, serve who comes later, and go when they are let go', async () => {
    await using work = await temporaryFolder();
    const packed = await packTree(work.path, { bytes: 500_000 });
    const release = await readReleaseFile(packed.release);
    const trust = await readPublicKeys([packed.trust]);
    await using tracker = await createTracker({ host: '127.0.0.1', port: 0 });
    const trackers = [`http://127.0.0.1:${tracker.port}/announce`];
    const origin = await seed({ release, folder: packed.tree, trackers });
    const { infoHash } = origin.release;
    tracker.hold(infoHash);
    const options = { release, trust, trackers };
    await using first = await fetch({ ...options, to: join(work.path, 'first/tree') });
    const gone: string[] = [];
    void first.released.then(() => gone.push('first'));
    await origin.close();
    // Nobody is fetching any more; the tracker has been told so, and a look at it is made each second.
    await waitFor(() => tracker.swarms()[0]?.complete === 1, {
      what: 'the first to be alone',
      withinMs: 30_000,
    });
    await using second = await fetch({ ...options, to: join(work.path, 'second/tree') });
    void second.released.then(() => gone.push('second'));
    expect(second.fetchedBytes).toBe(packed.payloadBytes);
    expect(gone).toEqual([]);
    // Both have asked again since they have everything, and the tracker keeps its answer back.
    await waitFor(() => tracker.waiting(infoHash) === 2, { what: 'both to wait', withinMs: 30_000 });
    const letGoAt = performance.now();
    tracker.letGo(infoHash);
    await Promise.all([first.released, second.released]);
    // Announcements are made each ten seconds.
    expect(performance.now() - letGoAt).toBeLessThan(5_000);
  });

  test('as processes too: they end by themselves, with code 0, once they are let go', async () => {
    await using work = await temporaryFolder();
    const packed = await packTree(work.path, { bytes: 500_000 });
    await using tracker = await createTracker({ host: '127.0.0.1', port: 0 });
    const url = `http://127.0.0.1:${tracker.port}/announce`;
    await using origin = await startOrigin(packed, url);
    const { info_hash } = await eventOf(origin, 'seeding');
    tracker.hold(String(info_hash));
    await using first = await startFetch(packed, join(work.path, 'first/tree'), url);
    await eventOf(first, 'done');
    origin.kill('SIGKILL');
    await origin.waitForExit();
    await using second = await startFetch(packed, join(work.path, 'second/tree'), url);
    expect(await eventOf(second, 'done')).toMatchObject({
      fetched_bytes: packed.payloadBytes,
      http_bytes: 0,
    });
    expect([first.exit, second.exit]).toEqual([undefined, undefined]);
    tracker.letGo(String(info_hash));
    expect(await first.waitForExit(40_000)).toMatchObject({ code: 0 });
    expect(await second.waitForExit(40_000)).toMatchObject({ code: 0 });
    await expectWhole(packed, join(work.path, 'second/tree'));
  });
});

import { appendFile, cp, mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '@rookery/testkit';
import { describe, expect, test } from 'vitest';
import { plant, snapshot } from '../support.ts';
import {
  eventOf,
  packExisting,
  packTree,
  rookery,
  startFetch,
  startOrigin,
  startTracker,
} from './programs.ts';

/** Without times, which a fetch doesn't carry. */
async function contents(folder: string): Promise<Map<string, string>> {
  return new Map(
    [...(await snapshot(folder))].map(([path, what]) => [path, what.replace(/^(\d+) [\d.]+ /, '$1 ')]),
  );
}

describe('a release that is fetched', { timeout: 90_000 }, () => {
  test('is the tree itself, verified, and nobody asks again when the host is let go', async () => {
    await using work = await temporaryFolder();
    const packed = await packTree(work.path, { bytes: 3_000_000 });
    const tracker = await startTracker();
    await using _tracker = tracker.process;
    await using _origin = await startOrigin(packed, tracker.url);
    const to = join(work.path, 'to');
    await using host = await startFetch(packed, to, tracker.url);
    const done = await eventOf(host, 'done');
    expect(done).toMatchObject({ fetched_bytes: packed.payloadBytes, reused_bytes: 0, peers: 1 });
    expect(await contents(to)).toEqual(await contents(packed.tree));
    expect((await host.waitForExit(30_000)).code).toBe(0);
    expect(await readdir(work.path)).not.toContainEqual(expect.stringContaining('.fetching'));
  });

  test('is given by an origin whose folder holds what packing leaves out', async () => {
    await using work = await temporaryFolder();
    const tree = join(work.path, 'tree');
    await plant(tree, {
      'here.txt': 'here',
      '.rookeryignore': 'secret.txt\n',
      'secret.txt': 'secret',
      '.git/HEAD': 'ref: refs/heads/main\n',
    });
    const packed = await packExisting(work.path, tree, 'some');
    const tracker = await startTracker();
    await using _tracker = tracker.process;
    await using _origin = await startOrigin(packed, tracker.url);
    const to = join(work.path, 'to');
    await using host = await startFetch(packed, to, tracker.url, { more: ['--seed-for', '0'] });
    await eventOf(host, 'done');
    expect((await readdir(to)).sort()).toEqual(['.rookeryignore', 'here.txt']);
  });

  test('waits for an origin that starts later', async () => {
    await using work = await temporaryFolder();
    const packed = await packTree(work.path, { bytes: 300_000 });
    const tracker = await startTracker();
    await using _tracker = tracker.process;
    await using host = await startFetch(packed, join(work.path, 'to'), tracker.url, {
      more: ['--seed-for', '0'],
    });
    await eventOf(host, 'progress');
    await using _origin = await startOrigin(packed, tracker.url);
    await eventOf(host, 'done');
  });

  test('gives up after the time that it was given, says why, and leaves nothing at its place', async () => {
    await using work = await temporaryFolder();
    const packed = await packTree(work.path, { bytes: 300_000 });
    const tracker = await startTracker();
    await using _tracker = tracker.process;
    const to = join(work.path, 'to');
    await using host = await startFetch(packed, to, tracker.url, { more: ['--wait', '1'] });
    expect((await host.waitForExit(30_000)).code).toBe(1);
    expect(await eventOf(host, 'failed')).toMatchObject({ code: 'stalled' });
    await expect(stat(to)).rejects.toThrow('ENOENT');
  });

  test('takes what is the same from an older release', async () => {
    await using work = await temporaryFolder();
    const old = await packTree(work.path, { bytes: 4_000_000, files: 40 });
    const tree = join(work.path, 'new');
    await cp(old.tree, tree, { recursive: true });
    await appendFile(join(tree, 'part-1', 'module-1.js'), 'one more line\n');
    const packed = await packExisting(work.path, tree, 'new');
    const tracker = await startTracker();
    await using _tracker = tracker.process;
    await using _origin = await startOrigin(packed, tracker.url);
    const to = join(work.path, 'to');
    await using host = await startFetch(packed, to, tracker.url, {
      more: ['--reuse', old.tree, '--seed-for', '0'],
    });
    const done = await eventOf(host, 'done');
    expect(Number(done.fetched_bytes)).toBeLessThan(packed.payloadBytes / 20);
    expect(Number(done.fetched_bytes) + Number(done.reused_bytes)).toBe(packed.payloadBytes);
    expect(await contents(to)).toEqual(await contents(tree));
  });

  test('is told apart from something else that is there; the same tree is just seeded', async () => {
    await using work = await temporaryFolder();
    const packed = await packTree(work.path, { bytes: 100_000 });
    const tracker = await startTracker();
    await using _tracker = tracker.process;
    const to = join(work.path, 'to');
    await mkdir(to);
    await writeFile(join(to, 'other'), 'mine');
    await using refused = await startFetch(packed, to, tracker.url);
    expect(await eventOf(refused, 'failed')).toMatchObject({ code: 'target-exists' });
    await rm(to, { recursive: true });
    await cp(packed.tree, to, { recursive: true });
    await using again = await startFetch(packed, to, tracker.url, { more: ['--seed-for', '0'] });
    expect(await eventOf(again, 'done')).toMatchObject({
      fetched_bytes: 0,
      reused_bytes: packed.payloadBytes,
    });
  });

  test('needs no signature but a trusted one', async () => {
    await using work = await temporaryFolder();
    const packed = await packTree(work.path, { bytes: 100_000 });
    const other = await packTree(work.path, { bytes: 100_000, seed: 2 });
    await using host = await startFetch(
      { ...packed, trust: other.trust },
      join(work.path, 'to'),
      'http://127.0.0.1:9/announce',
    );
    expect(await eventOf(host, 'failed')).toMatchObject({ code: 'key-untrusted' });
  });

  test('may be as small as nothing', async () => {
    await using work = await temporaryFolder();
    await mkdir(join(work.path, 'empty'));
    const packed = await packExisting(work.path, join(work.path, 'empty'), 'empty');
    await using host = await startFetch(packed, join(work.path, 'to'), 'http://127.0.0.1:9/announce', {
      more: ['--seed-for', '0'],
    });
    await eventOf(host, 'done');
    expect(await readdir(join(work.path, 'to'))).toEqual([]);
  });

  test('needs no origin when it is as small as nothing: who would be one is told so, and ends', async () => {
    await using work = await temporaryFolder();
    await mkdir(join(work.path, 'empty'));
    const packed = await packExisting(work.path, join(work.path, 'empty'), 'empty');
    const tracker = 'http://127.0.0.1:9/announce';
    await using origin = await rookery(['seed', packed.release, packed.tree, '--tracker', tracker, '--json']);
    expect(await eventOf(origin, 'failed')).toMatchObject({ code: 'payload-empty' });
    expect(await origin.waitForExit(60_000)).toMatchObject({ code: 1 });
  });
});

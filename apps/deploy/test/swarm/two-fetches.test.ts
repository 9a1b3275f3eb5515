import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '@rookery/testkit';
import { describe, expect, test } from 'vitest';
import {
  eventOf,
  expectWhole,
  packTree,
  stagingIn,
  startFetch,
  startOrigin,
  startTracker,
} from './programs.ts';

// What two fetches would write to one staging folder at the same time: the second is told who is at work.

const ONCE = { more: ['--seed-for', '0'] };

describe('two fetches to one folder', { timeout: 90_000 }, () => {
  test('the second ends at once and says who holds it; the first is not disturbed', async () => {
    await using work = await temporaryFolder();
    const packed = await packTree(work.path, { bytes: 500_000 });
    const tracker = await startTracker();
    await using _tracker = tracker.process;
    const to = join(work.path, 'to', 'tree');
    await using first = await startFetch(packed, to, tracker.url, ONCE);
    // It waits for an origin, with its staging folder made.
    await eventOf(first, 'progress');
    await using second = await startFetch(packed, to, tracker.url, ONCE);
    expect(await second.waitForExit(30_000)).toMatchObject({ code: 1 });
    expect(await eventOf(second, 'failed')).toMatchObject({
      code: 'fetch-running',
      message: expect.stringContaining(`process ${first.pid} is fetching it already`),
    });
    await using _origin = await startOrigin(packed, tracker.url);
    await eventOf(first, 'done');
    expect(await first.waitForExit(30_000)).toMatchObject({ code: 0 });
    await expectWhole(packed, to);
    expect(await readdir(join(work.path, 'to'))).toEqual(['tree']);
  });

  test('one that was killed holds nothing', async () => {
    await using work = await temporaryFolder();
    const packed = await packTree(work.path, { bytes: 500_000 });
    const tracker = await startTracker();
    await using _tracker = tracker.process;
    const to = join(work.path, 'to', 'tree');
    await using first = await startFetch(packed, to, tracker.url);
    await eventOf(first, 'progress');
    first.kill('SIGKILL');
    await first.waitForExit();
    await stagingIn(join(work.path, 'to'));
    await using _origin = await startOrigin(packed, tracker.url);
    await using second = await startFetch(packed, to, tracker.url, ONCE);
    await eventOf(second, 'done');
    await expectWhole(packed, to);
  });
});

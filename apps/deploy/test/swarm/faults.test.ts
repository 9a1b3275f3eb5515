import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  createHosts,
  type Host,
  hostsAvailable,
  type RunningProcess,
  temporaryFolder,
  waitFor,
} from '@rookery/testkit';
import { describe, expect, test } from 'vitest';
import {
  eventOf,
  expectWhole,
  fetchedPart,
  type PackedFiles,
  packTree,
  stagingIn,
  startFetch,
  startOrigin,
  startTracker,
} from './programs.ts';

const BITS_PER_SECOND = 20_000_000;
/** Until a test has done its harm: so slow that there is a midway of seconds, which nobody misses on a busy machine. */
const MIDWAY_BITS_PER_SECOND = 5_000_000;
const BYTES = 3_000_000;
/** What the docs promise: no fault holds a fetch up for longer, while somebody has what it lacks. */
const WITHIN_MS = 45_000;

interface Stage extends AsyncDisposable {
  readonly packed: PackedFiles;
  readonly tracker: RunningProcess;
  readonly origins: readonly RunningProcess[];
  readonly hosts: readonly Host[];
  to(host: number): string;
  /** The harm is done: all are as fast as they are to be. */
  hurry(): Promise<void>;
  /** From 0; these have only the network in common with origins and tracker. */
  fetch(host: number, more?: readonly string[]): Promise<RunningProcess>;
}

async function stage(options: { readonly origins: number; readonly hosts: number }): Promise<Stage> {
  const stack = new AsyncDisposableStack();
  const work = stack.use(await temporaryFolder());
  const hosts = stack.use(await createHosts({ count: 1 + options.origins + options.hosts }));
  const limit = async (bitsPerSecond: number): Promise<void> => {
    for (const host of hosts.all) await host.limitRate({ bitsPerSecond });
  };
  await limit(MIDWAY_BITS_PER_SECOND);
  const packed = await packTree(work.path, { bytes: BYTES });
  const { process: tracker, url } = await startTracker(hosts.host(0));
  stack.use(tracker);
  const origins: RunningProcess[] = [];
  for (let origin = 0; origin < options.origins; origin++) {
    origins.push(stack.use(await startOrigin(packed, url, hosts.host(1 + origin))));
  }
  const fetching = hosts.all.slice(1 + options.origins);
  const to = (host: number): string => join(work.path, `host-${host}`, 'tree');
  return {
    packed,
    tracker,
    origins,
    hosts: fetching,
    to,
    hurry: () => limit(BITS_PER_SECOND),
    fetch: async (host, more = []) =>
      stack.use(await startFetch(packed, to(host), url, { host: fetching[host], more })),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const isWhole = ({ packed, to }: Stage, host: number): Promise<void> => expectWhole(packed, to(host));

describe.skipIf(!hostsAvailable())('what goes wrong on hosts at 20 Mbit/s', { timeout: 120_000 }, () => {
  test('one of two origins is killed midway: all hosts get the tree', async () => {
    await using swarm = await stage({ origins: 2, hosts: 3 });
    const fetches = await Promise.all([0, 1, 2].map((host) => swarm.fetch(host)));
    await fetchedPart(fetches[0]!, 0.3);
    swarm.origins[0]!.kill('SIGKILL');
    await swarm.hurry();
    for (const [host, fetch] of fetches.entries()) {
      await eventOf(fetch, 'done', WITHIN_MS);
      await isWhole(swarm, host);
    }
  });

  test('the only origin and the tracker are killed once the hosts have a copy between them', async () => {
    await using swarm = await stage({ origins: 1, hosts: 4 });
    const fetches = await Promise.all([0, 1, 2, 3].map((host) => swarm.fetch(host, ['--seed-for', '60'])));
    await eventOf(swarm.origins[0]!, 'copied');
    swarm.origins[0]!.kill('SIGKILL');
    swarm.tracker.kill('SIGKILL');
    await swarm.hurry();
    for (const [host, fetch] of fetches.entries()) {
      await eventOf(fetch, 'done', WITHIN_MS);
      await isWhole(swarm, host);
    }
  });

  test('the tracker is killed midway: who has begun gets the tree, who comes later says what is wrong', async () => {
    await using swarm = await stage({ origins: 1, hosts: 2 });
    const first = await swarm.fetch(0, ['--seed-for', '60']);
    await fetchedPart(first, 0.2);
    swarm.tracker.kill('SIGKILL');
    await swarm.hurry();
    await eventOf(first, 'done', WITHIN_MS);
    await isWhole(swarm, 0);
    const later = await swarm.fetch(1, ['--wait', '3']);
    expect(await later.waitForExit(WITHIN_MS)).toMatchObject({ code: 1 });
    expect(later.stdout).toMatch(/"code":"stalled","message":"Nothing has come for 3 s: .*ECONNREFUSED/);
  });

  test('the only origin is killed before there is a whole copy: hosts end in the time that they were given', async () => {
    await using swarm = await stage({ origins: 1, hosts: 2 });
    const fetches = await Promise.all([0, 1].map((host) => swarm.fetch(host, ['--wait', '4'])));
    await fetchedPart(fetches[0]!, 0.1);
    swarm.origins[0]!.kill('SIGKILL');
    for (const fetch of fetches) {
      expect(await fetch.waitForExit(WITHIN_MS)).toMatchObject({ code: 1 });
      expect(fetch.stdout).toMatch(/"code":"stalled"/);
    }
    expect(await readdir(join(swarm.to(0), '..'))).toEqual([expect.stringMatching(/^\.tree\..*\.fetching$/)]);
  });

  test('what is spoilt on the disk after it was written is fetched again', async () => {
    await using swarm = await stage({ origins: 1, hosts: 1 });
    const fetch = await swarm.fetch(0, ['--seed-for', '0']);
    await fetchedPart(fetch, 0.5);
    const parent = join(swarm.to(0), '..');
    await spoil(await stagingIn(parent));
    await swarm.hurry();
    const done = await eventOf(fetch, 'done', WITHIN_MS);
    expect(Number(done.fetched_bytes)).toBeGreaterThan(swarm.packed.payloadBytes);
    await isWhole(swarm, 0);
  });

  test('a host that stops, and one at a tenth of the speed, hold up nobody else', async () => {
    await using swarm = await stage({ origins: 1, hosts: 4 });
    const fetches = await Promise.all([0, 1, 2, 3].map((host) => swarm.fetch(host)));
    await fetchedPart(fetches[2]!, 0.2);
    fetches[2]!.kill('SIGSTOP');
    await swarm.hurry();
    await swarm.hosts[3]!.limitRate({ bitsPerSecond: BITS_PER_SECOND / 10 });
    await eventOf(fetches[0]!, 'done', WITHIN_MS);
    await eventOf(fetches[1]!, 'done', WITHIN_MS);
    expect(fetches[2]!.stdout).not.toContain('"done"');
    // It goes on where it was.
    fetches[2]!.kill('SIGCONT');
    await eventOf(fetches[2]!, 'done', WITHIN_MS);
    await eventOf(fetches[3]!, 'done', 60_000);
  });

  test('a host is killed midway, a piece of its is spoilt, and it goes on where it was', async () => {
    await using swarm = await stage({ origins: 1, hosts: 1 });
    const first = await swarm.fetch(0);
    await fetchedPart(first, 0.5);
    first.kill('SIGKILL');
    await first.waitForExit();
    const parent = join(swarm.to(0), '..');
    await spoil(await stagingIn(parent));
    await swarm.hurry();
    const second = await swarm.fetch(0, ['--seed-for', '0']);
    const done = await eventOf(second, 'done', WITHIN_MS);
    expect(Number(done.reused_bytes)).toBeGreaterThan(0.3 * swarm.packed.payloadBytes);
    expect(Number(done.fetched_bytes)).toBeLessThan(0.7 * swarm.packed.payloadBytes);
    await isWhole(swarm, 0);
  });

  test('peers that can not be reached are made up for by HTTP from an origin', async () => {
    await using swarm = await stage({ origins: 1, hosts: 1 });
    // The origin is stopped while they talk, and then only its wire is: a new connection is answered.
    const fetch = await swarm.fetch(0);
    await fetchedPart(fetch, 0.2);
    const began = performance.now();
    swarm.origins[0]!.kill('SIGSTOP');
    await waitFor(() => performance.now() - began > 4_000, { what: 'four seconds of silence' });
    swarm.origins[0]!.kill('SIGCONT');
    await swarm.hurry();
    expect(Number((await eventOf(fetch, 'done', WITHIN_MS)).http_bytes)).toBeGreaterThan(0);
    await isWhole(swarm, 0);
  });
});

/** Overwrites the middle of the first file that has something there. */
async function spoil(folder: string): Promise<void> {
  for (const name of await readdir(folder, { recursive: true })) {
    if (!name.endsWith('.js')) continue;
    await using handle = await open(join(folder, name), 'r+');
    const at = Math.floor((await handle.stat()).size / 2);
    const { buffer } = await handle.read(Buffer.alloc(64), 0, 64, at);
    // A hole: that piece has not come yet.
    if (buffer.every((byte) => byte === 0)) continue;
    await handle.write(Buffer.alloc(64, 0x2a), 0, 64, at);
    return;
  }
  throw new Error(`${folder}: nothing to spoil`);
}

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '@rookery/testkit';
import { describe, expect, test } from 'vitest';
import { plant, plantMany } from '../support.ts';
import { eventOf, packExisting, packTree, startFetch, startOrigin, startTracker } from './programs.ts';
import { failing, straceAvailable } from './strace.ts';

// What survives a power cut is decided by the order of system calls, and strace writes them down.

/** With the paths behind descriptors. */
const WATCH = ['strace', '-f', '-qq', '-y', '-s', '200', '-e', 'trace=fsync,syncfs,/^rename,write'];

describe.skipIf(!straceAvailable())('a tree that is told as done', { timeout: 120_000 }, () => {
  test('has every file and folder synced before the rename, and the folder above after it', async () => {
    const { order, staging, folders, files } = await watched(60);
    const renamed = order.indexOf(`rename ${staging}`);
    const before = new Set(order.slice(0, renamed));
    for (const path of [...files, ...folders]) expect(before).toContain(`fsync ${join(staging, path)}`);
    expect(before).toContain(`fsync ${staging}`);
    const above = order.indexOf('fsync above', renamed);
    expect(above).toBeGreaterThan(renamed);
    expect(order.indexOf('done')).toBeGreaterThan(above);
  });

  test('has its whole file system synced instead when it has thousands of files', async () => {
    const { order, staging } = await watched(2_100);
    const renamed = order.indexOf(`rename ${staging}`);
    const synced = order.indexOf(`syncfs ${staging}`);
    expect(synced).toBeGreaterThanOrEqual(0);
    expect(renamed).toBeGreaterThan(synced);
    const above = order.indexOf('fsync above', renamed);
    expect(above).toBeGreaterThan(renamed);
    expect(order.indexOf('done')).toBeGreaterThan(above);
  });
});

test.skipIf(!straceAvailable())('a fetch whose files can not be synced ends, and says so', async () => {
  await using work = await temporaryFolder();
  await using target = await temporaryFolder();
  const packed = await packTree(work.path, { bytes: 1_000_000 });
  const tracker = await startTracker();
  await using _tracker = tracker.process;
  await using _origin = await startOrigin(packed, tracker.url);
  await using host = await startFetch(packed, join(target.path, 'tree'), tracker.url, {
    under: failing('fsync', 'EIO'),
  });
  expect(await host.waitForExit(60_000)).toMatchObject({ code: 1 });
  expect(host.stdout).toMatch(/"failed","code":"write-failed","message":"[^"]*EIO: i\/o error, fsync/);
  expect(await readdir(target.path)).toEqual([expect.stringMatching(/^\.tree\..*\.fetching$/)]);
});

async function watched(count: number): Promise<{
  readonly order: readonly string[];
  readonly staging: string;
  readonly files: readonly string[];
  readonly folders: readonly string[];
}> {
  await using work = await temporaryFolder();
  await using target = await temporaryFolder();
  const tree = join(work.path, 'tree');
  await plantMany(tree, { files: count, seed: 1, bytes: () => 3_000 });
  await plant(tree, { none: '', 'deep/er/empty': 'folder!' });
  const packed = await packExisting(work.path, tree, 'shop');
  const tracker = await startTracker();
  await using _tracker = tracker.process;
  await using _origin = await startOrigin(packed, tracker.url);
  const log = join(work.path, 'calls');
  const to = join(target.path, 'tree');
  await using host = await startFetch(packed, to, tracker.url, {
    more: ['--seed-for', '0'],
    under: [...WATCH, '-o', log],
  });
  await eventOf(host, 'done');
  await host.waitForExit(60_000);
  const entries = await readdir(tree, { recursive: true, withFileTypes: true });
  const pathsOf = (wanted: boolean): string[] =>
    entries
      .filter((entry) => entry.isDirectory() === wanted)
      .map(({ parentPath, name }) => join(parentPath, name).slice(tree.length + 1));
  const order = joined((await readFile(log, 'utf8')).split('\n')).flatMap((line) => read(line, target.path));
  const staging = order.find((call) => call.startsWith('rename '))!.slice('rename '.length);
  expect(staging).toMatch(/\/\.tree\.[0-9a-f]{16}\.\d+-\d+-[0-9a-f]*\.fetching$/);
  return { order, staging, files: pathsOf(false), folders: pathsOf(true) };
}

/** A call during which another thread made one is told in two lines: here in one, where it ends. */
function joined(lines: readonly string[]): string[] {
  const begun = new Map<string, string>();
  return lines.flatMap((line) => {
    const [, thread, call] = /^(\d+) +(.*)$/.exec(line) ?? ['', '', ''];
    const unfinished = / <unfinished \.\.\.>$/.exec(call!);
    if (unfinished !== null) {
      begun.set(thread!, call!.slice(0, unfinished.index));
      return call!.startsWith('write(') ? [call!] : [];
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(call!);
    return [resumed === null ? call! : `${begun.get(thread!)}${resumed[1]}`];
  });
}

/** What a line of strace's says, as far as it matters here. A call counts when it is over, but `done` when it begins. */
function read(line: string, above: string): string[] {
  if (line.includes(String.raw`"{\"event\":\"done\"`)) return ['done'];
  const synced = /(fsync|syncfs)\(\d+<([^>]*)>.*= 0$/.exec(line);
  if (synced !== null) return [synced[2] === above ? 'fsync above' : `${synced[1]} ${synced[2]}`];
  const renamed = /rename\w*\((?:AT_FDCWD\S*, )?"([^"]*)".*= 0$/.exec(line);
  return renamed === null ? [] : [`rename ${renamed[1]}`];
}

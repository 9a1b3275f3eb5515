import { mkdir, open, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Random, temporaryFolder } from '@rookery/testkit';
import { expect, test } from 'vitest';
import { peakMemoryBytes } from './memory.ts';
import { eventOf, expectWhole, packExisting, startFetch, startOrigin, startTracker } from './programs.ts';

// 100,000 with ROOKERY_TEST_LARGE; otherwise a fifth.
const FILES = process.env.ROOKERY_TEST_LARGE === undefined ? 20_000 : 100_000;
/** Node, the program and pieces; then what is known of each file: names, hashes, places, and the look at all of them. */
const MEMORY_BYTES = 220e6 + FILES * 2_500;

test(`${FILES} small files reach a host that may have 1,024 files open`, { timeout: 400_000 }, async () => {
  await using work = await temporaryFolder();
  const tree = join(work.path, 'tree');
  for (let i = 0; i < FILES / 100; i++) {
    const folder = join(tree, `part-${i % 40}`, `folder-${i}`);
    await mkdir(folder, { recursive: true });
    const names = Array.from({ length: 100 }, (_, j) => join(folder, `file-${j}.js`));
    await Promise.all(names.map((name) => writeFile(name, `export default '${name}';\n`.repeat(5))));
  }
  const packed = await packExisting(work.path, tree, 'many');
  const tracker = await startTracker();
  await using _tracker = tracker.process;
  const shell = 'ulimit -n 1024';
  await using _origin = await startOrigin(packed, tracker.url, undefined, { shell });
  const to = join(work.path, 'to', 'tree');
  await using host = await startFetch(packed, to, tracker.url, { more: ['--seed-for', '60'], shell });
  let descriptors = 0;
  const watching = setInterval(async () => {
    const names = await readdir(`/proc/${host.pid}/fd`).catch(() => []);
    descriptors = Math.max(descriptors, names.length);
  }, 100);
  const { seconds } = await eventOf(host, 'done', 300_000);
  clearInterval(watching);
  const memory = await peakMemoryBytes(host.pid);
  process.stderr.write(
    `${FILES} files: ${seconds} s, ${Math.round(memory / 1e6)} MB, ${descriptors} descriptors\n`,
  );
  expect(descriptors).toBeGreaterThan(0);
  expect(descriptors).toBeLessThan(256);
  expect(memory).toBeLessThan(MEMORY_BYTES);
  await expectWhole(packed, to);
});

// With holes at the origin, but every byte is written at the host: 4 GiB of disk, and a minute.
test.runIf(process.env.ROOKERY_TEST_LARGE)(
  'a file over 4 GiB reaches a host',
  { timeout: 600_000 },
  async () => {
    await using work = await temporaryFolder();
    const tree = join(work.path, 'tree');
    await mkdir(tree);
    {
      await using handle = await open(join(tree, 'huge'), 'w');
      const size = 2 ** 32 + 1_000_000;
      await handle.truncate(size);
      await handle.write(new Random(1).bytes(500_000), 0, 500_000, 2 ** 31 - 1_000);
      await handle.write(new Random(2).bytes(700_000), 0, 700_000, size - 700_000);
    }
    const packed = await packExisting(work.path, tree, 'huge');
    const tracker = await startTracker();
    await using _tracker = tracker.process;
    await using _origin = await startOrigin(packed, tracker.url);
    const to = join(work.path, 'to', 'tree');
    await using host = await startFetch(packed, to, tracker.url, { more: ['--seed-for', '60'] });
    const { seconds } = await eventOf(host, 'done', 300_000);
    const memory = await peakMemoryBytes(host.pid);
    process.stderr.write(`a file over 4 GiB: ${seconds} s, ${Math.round(memory / 1e6)} MB\n`);
    await expectWhole(packed, to);
  },
);

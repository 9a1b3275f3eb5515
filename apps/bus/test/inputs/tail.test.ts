import { appendFile, copyFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { follow } from '../../src/inputs/tail/follow.ts';
import { type Feed, running, startFeed } from './feed.ts';

const options = { groups: ['g'], fromStart: true };

function tail(feed: Feed, path: string, publisher = feed.publisher) {
  return running((signal) => follow(path, options, publisher, feed.tally, signal));
}

test('lines come as they are added, the unfinished one when it is finished', async () => {
  await using feed = await startFeed();
  const path = join(feed.folder, 'access.log');
  await writeFile(path, 'one\ntwo\nthr');
  await using _tail = tail(feed, path);
  expect(await feed.untilHeard(2)).toEqual(['one', 'two']);
  await appendFile(path, 'ee\n\nfour\n');
  expect(await feed.untilHeard(4)).toEqual(['one', 'two', 'three', 'four']);
});

test('renamed and made anew: the old one is read to its end first, also what comes to it late', async () => {
  await using feed = await startFeed();
  const path = join(feed.folder, 'access.log');
  await writeFile(path, '1\n');
  await using _tail = tail(feed, path);
  await feed.untilHeard(1);
  await rename(path, `${path}.1`);
  await writeFile(path, '4\n');
  await appendFile(`${path}.1`, '2\n');
  await feed.untilHeard(2);
  await appendFile(`${path}.1`, '3');
  expect(await feed.untilHeard(4)).toEqual(['1', '2', '3', '4']);
});

test('copied and truncated: what is written anew is read from its start', async () => {
  await using feed = await startFeed();
  const path = join(feed.folder, 'access.log');
  await writeFile(path, 'first line\n');
  await using _tail = tail(feed, path);
  await feed.untilHeard(1);
  await copyFile(path, `${path}.1`);
  await truncate(path);
  await appendFile(path, 'second one, longer than the first\n');
  expect(await feed.untilHeard(2)).toEqual(['first line', 'second one, longer than the first']);
});

test('a restart goes on where it was, over three rotations, without a line lost or doubled', async () => {
  await using feed = await startFeed();
  const path = join(feed.folder, 'access.log');
  await writeFile(path, '1\n2\n');
  await tail(feed, path).stop();
  await feed.untilHeard(2);
  await feed.publisher.sent();
  await feed.publisher.close();

  await appendFile(path, '3\n');
  await rename(path, `${path}.2`);
  await writeFile(path, '4\n');
  await rename(path, `${path}.1`);
  await writeFile(path, '5\n');
  const again = await feed.publish();
  await using _tail = tail(feed, path, again);
  expect(await feed.untilHeard(5)).toEqual(['1', '2', '3', '4', '5']);
});

test('an inode that is used again is another file', async () => {
  await using feed = await startFeed();
  const path = join(feed.folder, 'access.log');
  await writeFile(path, 'old 1\nold 2\n');
  await tail(feed, path).stop();
  await feed.untilHeard(2);
  await feed.publisher.close();
  // File systems give a freed inode to the next file; where this one doesn't, the test shows less.
  await rm(path);
  await writeFile(path, 'new 1\nnew 2\nnew 3\n');
  const again = await feed.publish();
  await using _tail = tail(feed, path, again);
  expect(await feed.untilHeard(5)).toEqual(['old 1', 'old 2', 'new 1', 'new 2', 'new 3']);
});

test('what a full spool can’t take stays in the file', async () => {
  await using feed = await startFeed({ spoolBytes: 16 * 1024 });
  const path = join(feed.folder, 'access.log');
  const lines = Array.from({ length: 2000 }, (_, index) => `line ${index}`);
  await writeFile(path, `${lines.join('\n')}\n`);
  await using _tail = tail(feed, path);
  expect(await feed.untilHeard(2000)).toEqual(lines);
  expect(feed.tally.counts.dropped).toBe(0);
});

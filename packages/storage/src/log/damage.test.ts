import { copyFile, cp, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '@rookery/testkit';
import { describe, expect, test } from 'vitest';
import { nodeDisk } from '../disk/node-disk.ts';
import { openLog } from './open.ts';
import type { Entry, Log, LogEvent, Stream } from './types.ts';
import { verifyLog } from './verify.ts';

const NONE = new Uint8Array(0);
const FRAME = 25;
const SMALL = {
  segmentBytes: 16 * 1024,
  maxPayloadBytes: 4096,
  backlogBytes: 16 * 1024,
  reserveBytes: 32 * 1024,
};

function append(stream: Stream, text: string): Entry {
  const body = Buffer.from(text);
  return stream.append(NONE, body, 0, body.length);
}

async function open(directory: string, events: LogEvent[] = []): Promise<Log> {
  return openLog({
    disk: nodeDisk,
    directory,
    sync: 'always',
    ...SMALL,
    onEvent: (event) => events.push(event),
  });
}

async function texts(stream: Stream): Promise<string[]> {
  const all: Entry[] = [];
  for (;;) {
    const some = await stream.read(all.at(-1)?.sequence ?? 0, { maxEntries: 50, maxBytes: 50_000 });
    if (some.length === 0) return all.map((entry) => entry.buffer.toString('utf8', entry.start, entry.end));
    all.push(...some);
  }
}

/** A log of five messages in its active segment; returns the path of that and where the last record begins. */
async function fiveMessages(directory: string): Promise<{ path: string; end: number }> {
  const log = await open(directory);
  const stream = log.createStream('work');
  await log.sync();
  for (let i = 0; i < 5; i++) append(stream, `message ${i}`);
  await log.close();
  const path = join(directory, 'segments', '0000000000000001.segment');
  return { path, end: (await stat(path)).size };
}

describe('a torn tail', { timeout: 60_000 }, () => {
  test('is cut exactly at the last whole record, wherever it was torn', async () => {
    await using folder = await temporaryFolder();
    const { end } = await fiveMessages(join(folder.path, 'log'));
    const record = FRAME + 'message 4'.length;
    for (let torn = 1; torn <= record; torn++) {
      const directory = join(folder.path, `torn-${torn}`);
      await cp(join(folder.path, 'log'), directory, { recursive: true });
      const path = join(directory, 'segments', '0000000000000001.segment');
      await truncate(path, end - torn);
      const events: LogEvent[] = [];
      const log = await open(directory, events);
      expect(await texts(log.streams.get('work')!)).toEqual([0, 1, 2, 3].map((i) => `message ${i}`));
      const tails = events.filter((event) => event.type === 'torn-tail');
      expect(tails).toEqual(
        torn === record
          ? []
          : [{ type: 'torn-tail', segment: 1, offset: end - record, bytes: record - torn }],
      );
      append(log.streams.get('work')!, 'after');
      await log.close();
      const report = await verifyLog({ disk: nodeDisk, directory });
      expect([report.damaged, report.tornTails]).toEqual([[], []]);
      expect(report.streams).toMatchObject([{ name: 'work', messages: 5 }]);
    }
  });
});

describe('a flipped bit', { timeout: 60_000 }, () => {
  test('in any byte of a record of the active segment takes that record only, and is told', async () => {
    await using folder = await temporaryFolder();
    const { end } = await fiveMessages(join(folder.path, 'log'));
    const record = FRAME + 'message 2'.length;
    const start = end - 3 * record;
    for (let at = 0; at < record; at++) {
      const directory = join(folder.path, `flip-${at}`);
      await cp(join(folder.path, 'log'), directory, { recursive: true });
      const path = join(directory, 'segments', '0000000000000001.segment');
      await flip(path, start + at);
      const report = await verifyLog({ disk: nodeDisk, directory });
      const place = { segment: 1, offset: start, bytes: record };
      expect(report.damaged).toEqual([{ ...place, what: 'records' }]);
      const events: LogEvent[] = [];
      const log = await open(directory, events);
      expect(await texts(log.streams.get('work')!)).toEqual([0, 1, 3, 4].map((i) => `message ${i}`));
      const damaged = events.find((event) => event.type === 'damaged')!;
      expect(damaged).toMatchObject(place);
      const kept = await readFile((damaged as { quarantinePath: string }).quarantinePath);
      expect(kept.length).toBe(record);
      expect(log.stats.damagedRecords).toBe(1);
      await log.close();
    }
  });

  test('in any byte of a record of a sealed segment is found by reading', async () => {
    await using folder = await temporaryFolder();
    const { directory, messages } = await sealedLog(folder.path);
    const path = join(directory, 'segments', '0000000000000001.segment');
    const whole = await readFile(path);
    const text = 'message 7 ';
    const at = whole.indexOf(text) - FRAME;
    const record = FRAME + messages[7]!.length;
    for (let byte = 0; byte < FRAME + text.length; byte++) {
      await writeFile(path, whole);
      await flip(path, at + byte);
      const copy = join(folder.path, `flip-${byte}`);
      await cp(directory, copy, { recursive: true });
      const events: LogEvent[] = [];
      let log = await open(copy, events);
      expect(events.filter((event) => event.type === 'damaged')).toEqual([]);
      const stream = log.streams.get('work')!;
      expect(await texts(stream)).toEqual(messages.filter((_, index) => index !== 7));
      expect(events.filter((event) => event.type === 'damaged')).toMatchObject([
        { segment: 1, offset: at, bytes: record },
      ]);
      expect(stream.liveCount).toBe(messages.length - 1);
      await log.close();
      // Set aside once: it is not asked for again.
      const later: LogEvent[] = [];
      log = await open(copy, later);
      expect((await texts(log.streams.get('work')!)).length).toBe(messages.length - 1);
      expect(later.filter((event) => event.type === 'damaged')).toEqual([]);
      await log.close();
    }
  });

  test('anywhere in a footer costs no message', async () => {
    await using folder = await temporaryFolder();
    const { directory, messages } = await sealedLog(folder.path);
    const path = join(directory, 'segments', '0000000000000001.segment');
    const whole = await readFile(path);
    const dataEnd = whole.readUInt32LE(whole.length - 24);
    for (let at = dataEnd; at < whole.length; at++) {
      await writeFile(path, whole);
      await flip(path, at);
      const copy = join(folder.path, `footer-${at}`);
      await cp(directory, copy, { recursive: true });
      const log = await open(copy);
      const stream = log.streams.get('work')!;
      expect(await texts(stream)).toEqual(messages);
      expect(stream.liveCount).toBe(messages.length);
      await log.close();
    }
  });

  test('in a header, or in a whole header, costs nothing but a word', async () => {
    await using folder = await temporaryFolder();
    const { path } = await fiveMessages(join(folder.path, 'log'));
    const bytes = await readFile(path);
    bytes.fill(0, 0, 128);
    await writeFile(path, bytes);
    const events: LogEvent[] = [];
    const log = await open(join(folder.path, 'log'), events);
    expect((await texts(log.streams.get('work')!)).length).toBe(5);
    expect(events.find((event) => event.type === 'damaged')).toMatchObject({ segment: 1, offset: 0 });
    await log.close();
  });
});

describe('a folder that is no log of ours', () => {
  test('is refused', async () => {
    await using folder = await temporaryFolder();
    await fiveMessages(join(folder.path, 'one'));
    await fiveMessages(join(folder.path, 'two'));
    const [first] = await readdir(join(folder.path, 'one', 'segments'));
    await copyFile(
      join(folder.path, 'one', 'segments', first!),
      join(folder.path, 'two', 'segments', '0000000000000009.segment'),
    );
    await expect(open(join(folder.path, 'two'))).rejects.toMatchObject({ code: 'log-foreign' });
    // Nothing holds the lock afterwards.
    await expect(open(join(folder.path, 'two'))).rejects.toMatchObject({ code: 'log-foreign' });
    await writeFile(join(folder.path, 'one', 'segments', first!), Buffer.alloc(5000, 'not a log'));
    await cp(
      join(folder.path, 'one', 'segments', first!),
      join(folder.path, 'one', 'segments', '0000000000000002.segment'),
    );
    await expect(open(join(folder.path, 'one'))).rejects.toMatchObject({ code: 'log-foreign' });
  });
});

async function flip(path: string, at: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[at]! ^= 0x20;
  await writeFile(path, bytes);
}

/** A log whose first segment is sealed. */
async function sealedLog(root: string): Promise<{ directory: string; messages: string[] }> {
  const directory = join(root, 'log');
  const events: LogEvent[] = [];
  const log = await open(directory, events);
  const stream = log.createStream('work');
  await log.sync();
  const messages: string[] = [];
  for (let i = 0; !events.some((event) => event.type === 'segment-sealed'); i++) {
    const text = `message ${i} ${'.'.repeat(500)}`;
    messages.push(text);
    append(stream, text);
    await log.sync();
  }
  await log.close();
  return { directory, messages };
}

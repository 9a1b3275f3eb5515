import { temporaryFolder } from '@rookery/testkit';
import { afterEach, describe, expect, test } from 'vitest';
import { nodeDisk } from '../disk/node-disk.ts';
import { openLog } from './open.ts';
import type { Entry, Log, LogOptions, Stream } from './types.ts';

const NONE = new Uint8Array(0);
const logs: Log[] = [];

afterEach(async () => {
  for (const log of logs.splice(0)) await log.close();
});

async function open(directory: string, options: Partial<LogOptions> = {}): Promise<Log> {
  const log = await openLog({
    disk: nodeDisk,
    directory,
    sync: 'always',
    reserveBytes: 25 * 2 ** 20 * 2,
    ...options,
  });
  logs.push(log);
  return log;
}

/** Small everything, so that a few thousand messages fill many segments. */
const SMALL = {
  segmentBytes: 64 * 1024,
  maxPayloadBytes: 4096,
  backlogBytes: 16 * 1024,
  reserveBytes: 32 * 1024,
};

function append(stream: Stream, text: string): Entry {
  const body = Buffer.from(text);
  return stream.append(NONE, body, 0, body.length);
}

function textOf(entry: Entry): string {
  return entry.buffer.toString('utf8', entry.start, entry.end);
}

async function readAll(stream: Stream): Promise<Entry[]> {
  const all: Entry[] = [];
  for (;;) {
    const some = await stream.read(all.at(-1)?.sequence ?? 0, { maxEntries: 100, maxBytes: 100_000 });
    if (some.length === 0) return all;
    all.push(...some);
  }
}

describe('a log', () => {
  test('knows which sequences it has or had, also in sealed segments and after a restart', async () => {
    await using folder = await temporaryFolder();
    let log = await open(folder.path, SMALL);
    let stream = log.createStream('work');
    for (let i = 0; i < 5000; i++) {
      const entry = append(stream, `message ${i}`);
      if (i % 3 === 0) stream.acknowledge(entry);
      if (i % 100 === 0) await log.sync();
    }
    const asked = [1, 2, 3, 2500, 4999, 5000, 5001, 9999];
    const answers = [true, true, true, true, true, true, false, false];
    expect(await Promise.all(asked.map((sequence) => stream.has(sequence)))).toEqual(answers);
    await log.close();
    log = await open(folder.path, SMALL);
    stream = log.streams.get('work')!;
    expect(await Promise.all(asked.map((sequence) => stream.has(sequence)))).toEqual(answers);
  });

  test('gives back after a restart what was appended and not acknowledged, in order', async () => {
    await using folder = await temporaryFolder();
    let log = await open(folder.path, SMALL);
    let stream = log.createStream('work', Buffer.from('settings'));
    const entries: Entry[] = [];
    for (let i = 0; i < 5000; i++) {
      entries.push(append(stream, `message ${i}`));
      if (i % 100 === 0) await log.sync();
    }
    for (const entry of entries.slice(0, 2000)) stream.acknowledge(entry);
    // Out of order, and one twice.
    for (const at of [4000, 2500, 2501, 4000]) stream.acknowledge(entries[at]!);
    const expected = entries
      .filter((_, at) => at >= 2000 && ![4000, 2500, 2501].includes(at))
      .map((entry) => entry.sequence);
    expect(stream.liveCount).toBe(expected.length);
    expect((await readAll(stream)).map((entry) => entry.sequence)).toEqual(expected);
    const before = { count: stream.liveCount, bytes: stream.livePayloadBytes };
    await log.close();

    log = await open(folder.path, SMALL);
    stream = log.streams.get('work')!;
    expect(Buffer.from(stream.attributes).toString()).toBe('settings');
    expect({ count: stream.liveCount, bytes: stream.livePayloadBytes }).toEqual(before);
    expect(stream.nextSequence).toBe(5001);
    const got = await readAll(stream);
    expect(got.map((entry) => entry.sequence)).toEqual(expected);
    for (const entry of got) expect(textOf(entry)).toBe(`message ${entry.sequence - 1}`);
  });

  test('commits a thousand streams with one write and one sync', async () => {
    await using folder = await temporaryFolder();
    const committed: number[] = [];
    const log = await open(folder.path, { onCommit: (position) => committed.push(position) });
    const streams = Array.from({ length: 1000 }, (_, at) => log.createStream(`queue ${at}`));
    await log.sync();
    // The first snapshot of a new log takes a few turns.
    await expect.poll(() => log.stats.segments === 1 && log.position === log.committedPosition).toBe(true);
    for (let before = -1; before !== log.position; await log.sync()) {
      before = log.position;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const { writes, syncs } = log.stats;
    const times = committed.length;
    for (const stream of streams) append(stream, 'one each');
    await log.sync();
    expect(log.stats.writes - writes).toBe(1);
    expect(log.stats.syncs - syncs).toBe(1);
    expect(committed.length - times).toBe(1);
    expect(committed.at(-1)).toBe(log.position);
  });

  test('moves an entry to another stream in one record', async () => {
    await using folder = await temporaryFolder();
    let log = await open(folder.path);
    const from = log.createStream('from');
    const to = log.createStream('to');
    const entry = append(from, 'wanders');
    const body = Buffer.from('wanders');
    to.append(Buffer.from('> '), body, 0, body.length, { stream: from, entry });
    expect([from.liveCount, to.liveCount]).toEqual([0, 1]);
    await log.close();
    log = await open(folder.path);
    expect(log.streams.get('from')!.liveCount).toBe(0);
    expect((await readAll(log.streams.get('to')!)).map(textOf)).toEqual(['> wanders']);
  });

  test('keeps a cursor, removes a stream, changes attributes', async () => {
    await using folder = await temporaryFolder();
    let log = await open(folder.path);
    const cursor = log.createStream('cursor');
    for (const sequence of [2, 7]) cursor.acknowledgeSequence(sequence);
    expect(cursor.acknowledgedThrough).toBe(0);
    cursor.acknowledgeSequencesThrough(3);
    expect(cursor.acknowledgedThrough).toBe(3);
    cursor.setAttributes(Buffer.from('new'));
    const gone = log.createStream('gone');
    append(gone, 'never seen again');
    gone.remove();
    expect(() => append(gone, 'no')).toThrow(expect.objectContaining({ code: 'stream-removed' }));
    log.createStream('gone');
    await log.close();
    log = await open(folder.path);
    const again = log.streams.get('cursor')!;
    expect([3, 4, 7, 8].map((at) => again.isAcknowledged(at))).toEqual([true, false, true, false]);
    expect(Buffer.from(again.attributes).toString()).toBe('new');
    expect(log.streams.get('gone')!.liveCount).toBe(0);
  });

  test('counts exactly after a range was acknowledged across segments', async () => {
    await using folder = await temporaryFolder();
    const log = await open(folder.path, { ...SMALL, sync: 'never' });
    const stream = log.createStream('work');
    for (let i = 0; i < 4000; i++) {
      append(stream, `message ${i}`);
      if (i % 50 === 0) await log.sync();
    }
    stream.acknowledgeThrough(2345);
    await expect.poll(() => stream.liveCount).toBe(4000 - 2345);
    const all = await readAll(stream);
    expect(all[0]!.sequence).toBe(2346);
    expect(stream.livePayloadBytes).toBe(all.reduce((sum, entry) => sum + entry.end - entry.start, 0));
  });

  test('seals a segment that is full of streams that came and went', async () => {
    await using folder = await temporaryFolder();
    let sealed = 0;
    const onEvent: LogOptions['onEvent'] = (event) => {
      if (event.type === 'segment-sealed') sealed += 1;
    };
    const log = await open(folder.path, { ...SMALL, segmentBytes: 1024 * 1024, sync: 'never', onEvent });
    // Some 100 bytes each: by their bytes alone they would all fit into one segment.
    for (let number = 0; number < 8000; number += 1) {
      const stream = log.createStream(`stream ${number}`);
      append(stream, 'x');
      stream.remove();
      if (number % 20 === 0) await log.sync();
    }
    await expect.poll(() => sealed).toBeGreaterThanOrEqual(2);
  });

  test('refuses with a code of its own', async () => {
    await using folder = await temporaryFolder();
    const log = await open(folder.path, SMALL);
    const stream = log.createStream('work');
    const refused = (code: string) => expect.objectContaining({ name: 'LogError', code });
    expect(() => log.createStream('work')).toThrow(refused('stream-exists'));
    expect(() => log.createStream('é'.repeat(513))).toThrow(refused('name-too-long'));
    expect(() => append(stream, 'x'.repeat(4097))).toThrow(refused('payload-too-large'));
    expect(() => {
      for (let i = 0; i < 10; i++) append(stream, 'x'.repeat(4096));
    }).toThrow(refused('log-busy'));
    expect(log.congested).toBe(true);
    await log.sync();
    expect(log.congested).toBe(false);
    await log.close();
    expect(() => append(stream, 'late')).toThrow(refused('log-closed'));
    await expect(stream.read(0, { maxEntries: 1, maxBytes: 1 })).rejects.toThrow(refused('log-closed'));
    await expect(log.sync()).rejects.toThrow(refused('log-closed'));
    await expect(
      openLog({ disk: nodeDisk, directory: folder.path, sync: 'never', reserveBytes: 1 }),
    ).rejects.toThrow(RangeError);
  });

  test('bears appends and acknowledgements from within the commit', async () => {
    await using folder = await temporaryFolder();
    let left = 20;
    const log = await open(folder.path, {
      onCommit: () => {
        if (left-- > 0) stream.acknowledge(append(stream, 'again'));
      },
    });
    const stream = log.createStream('work');
    await expect.poll(() => left).toBeLessThan(0);
    await log.sync();
    expect(stream.liveCount).toBe(0);
    expect(stream.nextSequence).toBe(21);
  });

  test('reads sealed, carried, written and unwritten messages as one', async () => {
    await using folder = await temporaryFolder();
    const log = await open(folder.path, { ...SMALL, sync: 'never', indexCacheBytes: 1 });
    const stream = log.createStream('work');
    for (let i = 0; i < 3000; i++) {
      const entry = append(stream, `message ${i} ${'.'.repeat(100)}`);
      if (i % 3 !== 0) stream.acknowledge(entry);
      if (i % 50 === 0) await log.sync();
    }
    await expect.poll(() => log.stats.carriedBytes).toBeGreaterThan(0);
    append(stream, 'unwritten');
    const got = await readAll(stream);
    expect(got.length).toBe(1001);
    expect(textOf(got.at(-1)!)).toBe('unwritten');
    for (const [at, entry] of got.slice(0, 1000).entries()) expect(entry.sequence).toBe(at * 3 + 1);
    for (const entry of got) stream.acknowledge(entry);
    expect(log.stats.liveBytes).toBe(0);
  });
});

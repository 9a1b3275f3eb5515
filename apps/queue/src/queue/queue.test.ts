import { describe, expect, test } from 'vitest';
import { MemoryStore } from '../store/memory-store.ts';
import type { Message, StoredQueue } from '../store/store.ts';
import { Queue } from './queue.ts';
import { defaultQueueSettings, type QueueSettings } from './settings.ts';

interface Made {
  readonly queue: Queue;
  readonly stored: StoredQueue;
  readonly moved: number[];
  put(body: string, expiresAt?: number, now?: number): string;
}

function make(settings: Partial<QueueSettings> = {}, limit = 1e9): Made {
  const stored = new MemoryStore().createQueue('q', '');
  const moved: number[] = [];
  const queue = new Queue(stored, { ...defaultQueueSettings, ...settings }, 0, 0, {
    windowBudget: { bodyBytes: 0, limit },
    moveTo: (_name, message) => {
      moved.push(message.sequence);
      message.lane.acknowledge(message);
    },
  });
  const put = (body: string, expiresAt = 0, now = 0): string => {
    const bytes = Buffer.from(body);
    return queue.put(now, 0, expiresAt, bytes, 0, bytes.length);
  };
  return { queue, stored, moved, put };
}

async function load({ queue, stored }: Made, now = 0): Promise<void> {
  const { reader } = queue;
  const through = queue.lastSequence;
  reader.beginLoad();
  reader.loaded(await stored.main.read(reader.windowEnd, 1000, 1e9), through, now);
  queue.discardOverflowAfterLoad();
}

const sequence = (message: Message | undefined): number | undefined => message?.sequence;

describe('a limit', () => {
  test('tells why a body would be refused before anything is done', () => {
    const { queue, put } = make({ maxItems: 1, maxBytes: 3, maxItemBytes: 2 });
    expect(queue.refusal(3)).toBe('too-large');
    expect(queue.refusal(2)).toBeUndefined();
    expect(put('aa')).toBe('stored');
    expect([queue.refusal(0), queue.refusal(2)]).toEqual(['full', 'full']);
    expect(put('b')).toBe('full');
    expect([queue.putTotal, queue.refusedTotal, queue.items, queue.bodyBytes]).toEqual([1, 1, 1, 2]);
  });

  test('of no items at all refuses, discard_oldest or not', () => {
    expect(make({ maxItems: 0 }).put('a')).toBe('full');
    expect(make({ maxItems: 0, discardOldest: true }).put('a')).toBe('full');
  });

  test('is applied after a load to what was put when the head was not in memory', async () => {
    const made = make({ maxItems: 2, discardOldest: true });
    made.put('a');
    made.put('b');
    made.queue.evict();
    made.put('c');
    expect([made.queue.items, made.queue.overflows]).toEqual([3, true]);
    await load(made);
    expect([made.queue.items, made.queue.overflows, made.queue.discardedTotal]).toEqual([2, false, 1]);
    expect(sequence(made.queue.reader.take(0))).toBe(2);
  });
});

describe('expiry', () => {
  test('is that of the message or max_age, whichever is first', () => {
    const { queue } = make({ maxAgeMs: 100 });
    const at = (addedAt: number, expiresAt: number, now: number): boolean =>
      queue.isExpired({ flags: 0, addedAt, expiresAt }, now);
    expect([at(0, 0, 99), at(0, 0, 100), at(0, 50, 49), at(0, 50, 50), at(0, 500, 100)]).toEqual([
      false,
      true,
      false,
      true,
      true,
    ]);
  });

  test('takes no more at a time than allowed, and only from the head', () => {
    const { queue, put } = make();
    for (const expiresAt of [5, 5, 5, 0, 5]) put('x', expiresAt);
    expect(queue.expire(4, 10)).toBe(0);
    expect(queue.expire(5, 2)).toBe(2);
    expect(queue.expire(5, 10)).toBe(1);
    expect(queue.items).toBe(2);
    expect(sequence(queue.reader.take(5))).toBe(4);
    expect(queue.reader.take(5)).toBeUndefined();
    expect(queue.items).toBe(1);
  });

  test('moves where the setting says', () => {
    const { queue, put, moved } = make({ expireToQueue: 'dead' });
    put('a', 5);
    put('b');
    expect(queue.expire(5, 10)).toBe(1);
    expect([moved, queue.items, queue.expiredTotal]).toEqual([[1], 1, 1]);
  });

  test('knows of a head that has left memory when it is due', async () => {
    const made = make();
    const { queue, put } = made;
    put('a', 50);
    put('b');
    expect(queue.headIsDue(100)).toBe(false);
    queue.evict();
    expect([queue.headIsDue(49), queue.headIsDue(50)]).toEqual([false, true]);
    await load(made, 50);
    expect(queue.headIsDue(50)).toBe(false);
    expect(queue.expire(50, 10)).toBe(1);
    queue.evict();
    expect(queue.headIsDue(1e12)).toBe(false);
  });

  test('does not know of a head that it has never seen', () => {
    const { stored, put } = make();
    put('a');
    const found = new Queue(stored, defaultQueueSettings, 0, 0, {
      windowBudget: { bodyBytes: 0, limit: 1 },
      moveTo: () => undefined,
    });
    expect(found.headIsDue(0)).toBe('unknown');
  });
});

describe('idle', () => {
  test('is a queue that is empty, unused for long enough, and waited for by nobody', () => {
    const { queue, put } = make({ deleteWhenIdleMs: 10 });
    expect([queue.isIdle(9), queue.isIdle(10)]).toEqual([false, true]);
    put('a', 0, 20);
    expect(queue.isIdle(100)).toBe(false);
    const message = queue.reader.take(20)!;
    queue.acknowledge(message);
    expect([queue.isIdle(29), queue.isIdle(30)]).toEqual([false, true]);
    const waiter = { patient: true, deliver: () => undefined };
    queue.reader.waiters.add(waiter);
    expect(queue.isIdle(100)).toBe(false);
  });

  test('never, if the setting is 0', () => {
    expect(make().queue.isIdle(1e12)).toBe(false);
  });
});

test('a new timeout holds for what is open', () => {
  const { queue, put } = make();
  put('a');
  const read = queue.reader.open(queue.reader.take(0)!, 100, 0);
  expect(read.deadline).toBe(0);
  queue.settings = { ...queue.settings, openReadTimeoutMs: 50 };
  expect(read.deadline).toBe(150);
  queue.settings = { ...queue.settings, openReadTimeoutMs: 0 };
  expect(read.deadline).toBe(0);
});

test('a change of another setting takes no time from who was given more', () => {
  const { queue, put } = make();
  put('a');
  const read = queue.reader.open(queue.reader.take(0)!, 100, 0);
  read.deadline = 5000;
  queue.settings = { ...queue.settings, paused: true };
  expect(read.deadline).toBe(5000);
});

test('a flush of what is empty asks nothing of the store', () => {
  const { queue, stored, put } = make();
  let purges = 0;
  const purge = stored.main.purge.bind(stored.main);
  stored.main.purge = () => {
    purges += 1;
    purge();
  };
  put('a');
  queue.flush();
  queue.flush();
  expect([purges, queue.items, queue.flushedTotal]).toEqual([1, 0, 2]);
});

test('flush forgets what is open: given back, it does not come again', () => {
  const { queue, put } = make();
  put('a');
  const read = queue.reader.open(queue.reader.take(0)!, 0, 0);
  queue.flush();
  put('b');
  queue.reader.abort([read], 0);
  expect(sequence(queue.reader.take(0))).toBe(2);
  expect(queue.reader.take(0)).toBeUndefined();
});

import { afterEach, describe, expect, test } from 'vitest';
import { carriedBytes } from './head.ts';
import { MemoryStore } from './memory-store.ts';
import {
  type Carried,
  handleOf,
  type Message,
  type MessageProperties,
  nothingCarried,
  type Store,
  type StoredQueue,
} from './store.ts';

/** One store under test, and how to come back to what it kept. */
export interface StoreUnderTest {
  readonly store: Store;
  /** Closes the store and opens it again on the same place; left out by stores that forget. */
  readonly reopen?: () => Promise<Store>;
  /** The same, but it ends without being closed, as by a power loss. What was synced must be there. */
  readonly crash?: () => Promise<Store>;
  /** For stores on a simulated clock: lets time pass until the promise is settled. */
  settle?<T>(promise: Promise<T>): Promise<T>;
}

/**
 * What every implementation of `Store` must do; each runs it in a dozen lines.
 *
 *     storeCompliance('MemoryStore', async () => ({ store: new MemoryStore() }));
 */
export function storeCompliance(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(name, () => {
    let close: () => Promise<void> = async () => undefined;
    afterEach(() => close());

    async function open(): Promise<StoreUnderTest> {
      const made = await make();
      let { store } = made;
      close = () => settle(made, store.close());
      const keep = (again: () => Promise<Store>) => async () => {
        store = await again();
        return store;
      };
      return {
        ...made,
        ...(made.reopen === undefined ? {} : { reopen: keep(made.reopen) }),
        ...(made.crash === undefined ? {} : { crash: keep(made.crash) }),
      };
    }

    test('is empty at first', async () => {
      const { store } = await open();
      expect([...store.queues.keys()]).toEqual([]);
      expect([store.full, store.congested]).toEqual([false, false]);
      expect(store.committedPosition).toBeLessThanOrEqual(store.position);
    });

    test('a new queue has its name and attributes and nothing in it', async () => {
      const { store } = await open();
      const queue = store.createQueue('q', '{"a":1}');
      expect(store.queues.get('q')).toBe(queue);
      expect(facts(queue)).toEqual({
        name: 'q',
        attributes: '{"a":1}',
        lastSequence: 0,
        count: 0,
        bodyBytes: 0,
      });
      expect([...queue.cursors.keys()]).toEqual([]);
      queue.setAttributes('{"a":2}');
      expect(queue.attributes).toBe('{"a":2}');
    });

    test('there is one queue of a name', async () => {
      const { store } = await open();
      store.createQueue('q', '');
      expect(() => store.createQueue('q', '')).toThrow(expect.objectContaining({ code: 'queue-exists' }));
    });

    test('a message gets the next sequence, and comes back as it went, by append and by read', async () => {
      const made = await open();
      const queue = made.store.createQueue('q', '');
      const properties = { flags: 0xffff_ffff, addedAt: 1_800_000_000_123, expiresAt: 2 ** 48 - 1 };
      const source = Buffer.from('xhellox');
      const message = queue.main.append(properties, source, 1, 6);
      source.fill(0);
      expect(shown(message)).toEqual({ sequence: 1, body: 'hello', ...properties });
      expect(message.position).toBeLessThanOrEqual(made.store.position);
      expect((await readAll(made, queue)).map(shown)).toEqual([shown(message)]);
      expect(facts(queue)).toMatchObject({ lastSequence: 1, count: 1, bodyBytes: 5 });
    });

    test.each([0, 1, 16, 17, 1000, 70_000, 1_000_000])('a body of %i bytes', async (length) => {
      const made = await open();
      const queue = made.store.createQueue('q', '');
      const body = Buffer.from(Array.from({ length }, (_, index) => (index * 7) & 255));
      queue.main.append(plain, body, 0, length);
      const [message] = await readAll(made, queue);
      expect(message!.buffer.subarray(message!.start, message!.end).equals(body)).toBe(true);
      expect(queue.main.bodyBytes).toBe(length);
    });

    test.each(['__proto__', 'constructor', '../../x', '/', 'a+b', '\0\r\n "', '\xff'.repeat(250), 'q:c'])(
      'a queue may be called %j',
      async (called) => {
        const made = await open();
        fill(made.store.createQueue(called, ''), 'a');
        const kept = made.reopen === undefined ? made.store : await made.reopen();
        expect(await bodies(made, kept.queues.get(called)!)).toEqual(['a']);
        expect([...kept.queues.keys()]).toEqual([called]);
      },
    );

    test('queues don’t mix', async () => {
      const made = await open();
      const [p, q] = [made.store.createQueue('p', ''), made.store.createQueue('q', '')];
      fill(p, 'a');
      fill(q, 'b');
      fill(p, 'c');
      expect(await bodies(made, p)).toEqual(['a', 'c']);
      expect(await bodies(made, q)).toEqual(['b']);
      expect([p.main.lastSequence, q.main.lastSequence]).toEqual([2, 1]);
    });

    describe('read', () => {
      test('gives what comes after the sequence, in order', async () => {
        const made = await open();
        const queue = made.store.createQueue('q', '');
        fill(queue, 'a', 'b', 'c');
        expect(sequences(await read(made, queue, 1))).toEqual([2, 3]);
        expect(sequences(await read(made, queue, 3))).toEqual([]);
      });

      test('gives no more messages and bytes than asked for, but at least one message', async () => {
        const made = await open();
        const queue = made.store.createQueue('q', '');
        fill(queue, 'aaaa', 'bbbb', 'cccc');
        expect(sequences(await read(made, queue, 0, 2))).toEqual([1, 2]);
        const some = sequences(await read(made, queue, 0, 100, 9));
        expect([[1], [1, 2]]).toContainEqual(some);
        expect(sequences(await read(made, queue, 0, 100, 1))).toEqual([1]);
        expect(sequences(await read(made, queue, 1, 1, 1))).toEqual([2]);
      });

      test('skips what is acknowledged, wherever it lies', async () => {
        const made = await open();
        const queue = made.store.createQueue('q', '');
        const messages = fill(queue, 'a', 'b', 'c', 'd', 'e');
        for (const index of [0, 2, 4]) queue.main.acknowledge(messages[index]!);
        expect(sequences(await read(made, queue, 0))).toEqual([2, 4]);
        expect(sequences(await read(made, queue, 2))).toEqual([4]);
        expect(sequences(await read(made, queue, 4))).toEqual([]);
      });

      test('goes through many, page by page, while more are put and others acknowledged', async () => {
        const made = await open();
        const queue = made.store.createQueue('q', '');
        const total = 5000;
        fill(queue, ...Array.from({ length: total }, (_, index) => `${index}`));
        let after = 0;
        const seen: number[] = [];
        while (seen.length < total) {
          const page = await read(made, queue, after, 700);
          expect(page.length).toBeGreaterThan(0);
          for (const message of page) {
            seen.push(message.sequence);
            if (message.sequence % 2 === 0) queue.main.acknowledge(message);
          }
          after = seen.at(-1)!;
          if (after < total) fill(queue, 'later');
        }
        expect(seen.slice(0, total)).toEqual(Array.from({ length: total }, (_, index) => index + 1));
      });
    });

    describe('acknowledge', () => {
      test('takes away what was appended and what was read alike; a second time is nothing', async () => {
        const made = await open();
        const queue = made.store.createQueue('q', '');
        const [first] = fill(queue, 'aa', 'b');
        queue.main.acknowledge(first!);
        queue.main.acknowledge(first!);
        expect(facts(queue)).toMatchObject({ count: 1, bodyBytes: 1, lastSequence: 2 });
        const [second] = await read(made, queue, 0);
        queue.main.acknowledge(second!);
        expect(facts(queue)).toMatchObject({ count: 0, bodyBytes: 0, lastSequence: 2 });
        expect([0, 1, 2, 3].slice(1).map((sequence) => queue.main.isAcknowledged(sequence))).toEqual([
          true,
          true,
          false,
        ]);
      });
    });

    describe('purge', () => {
      test('acknowledges all so far, and what is acknowledged later is nothing new', async () => {
        const made = await open();
        const queue = made.store.createQueue('q', '');
        const [held] = fill(queue, 'a', 'b');
        queue.main.purge();
        expect(facts(queue)).toMatchObject({ count: 0, bodyBytes: 0, lastSequence: 2 });
        queue.main.acknowledge(held!);
        fill(queue, 'c');
        expect(sequences(await read(made, queue, 0))).toEqual([3]);
        expect(queue.main.count).toBe(1);
      });

      test('of an empty queue is fine', async () => {
        const { store } = await open();
        const queue = store.createQueue('q', '');
        queue.main.purge();
        expect(queue.main.count).toBe(0);
      });
    });

    describe('moveFrom', () => {
      test('puts the message at the tail of one queue and takes it from the other', async () => {
        const made = await open();
        const [from, to] = [made.store.createQueue('from', ''), made.store.createQueue('to', '')];
        const [message] = fill(from, 'moved', 'stays');
        fill(to, 'before');
        const moved = to.main.moveFrom(message!, { flags: 7, addedAt: 8, expiresAt: 9 });
        expect(shown(moved)).toEqual({ sequence: 2, body: 'moved', flags: 7, addedAt: 8, expiresAt: 9 });
        expect(await bodies(made, from)).toEqual(['stays']);
        expect((await readAll(made, to)).map(shown).at(-1)).toEqual(shown(moved));
        expect([from.main.count, to.main.count, to.main.bodyBytes]).toEqual([1, 2, 11]);
      });

      test('works from another store', async () => {
        const made = await open();
        const from = new MemoryStore().createQueue('from', '');
        const to = made.store.createQueue('to', '');
        const [message] = fill(from, 'x');
        to.main.moveFrom(message!, plain);
        expect(from.main.count).toBe(0);
        expect(await bodies(made, to)).toEqual(['x']);
      });
    });

    describe('a lane', () => {
      test('has messages and sequences of its own, and moves them to others of the queue', async () => {
        const made = await open();
        const queue = made.store.createQueue('q', '');
        const lane = queue.createLane('p0');
        expect(queue.lanes.get('p0')).toBe(lane);
        fill(queue, 'main');
        const body = Buffer.from('x');
        const carried: Carried = {
          ...nothingCarried,
          dueAt: 7,
          priority: 0,
          returns: 2,
          id: 'i',
          origin: 'o',
        };
        const message = lane.append({ ...plain, carried }, body, 0, 1);
        expect([queue.main.count, lane.count, lane.lastSequence]).toEqual([1, 1, 1]);
        // What it carries counts as well.
        expect(lane.bodyBytes).toBe(1 + carriedBytes(carried));
        const [found] = await settle(made, lane.read(0, 10, 100));
        expect(found!.carried).toEqual(carried);
        expect(message.lane).toBe(lane);
        expect([handleOf(message) === handleOf(found!), handleOf(message) > 2 ** 49]).toEqual([true, true]);
        const moved = queue.main.moveFrom(found!, plain);
        expect([queue.main.count, lane.count, moved.sequence, moved.carried]).toEqual([2, 0, 2, undefined]);
        expect([lane.isAcknowledged(1), lane.bodyBytes]).toEqual([true, 0]);
        queue.removeLane('p0');
        expect([...queue.lanes.keys()]).toEqual([]);
        expect(await bodies(made, queue)).toEqual(['main', 'x']);
      });
    });

    describe('what came back', () => {
      test('is counted per message, on top of what it carries, up to 255', async () => {
        const made = await open();
        const queue = made.store.createQueue('q', '');
        const [first, second] = fill(queue, 'a', 'b');
        expect([
          queue.main.returnsOf(first!),
          queue.main.countReturn(second!),
          queue.main.countReturn(second!),
        ]).toEqual([0, 1, 2]);
        expect([queue.main.returnsOf(first!), queue.main.returnsOf(second!)]).toEqual([0, 2]);
        const carried = { ...nothingCarried, returns: 254 };
        const third = queue.main.append({ ...plain, carried }, Buffer.from('c'), 0, 1);
        expect([
          queue.main.countReturn(third),
          queue.main.countReturn(third),
          queue.main.returnsOf(third),
        ]).toEqual([255, 255, 255]);
        for (let round = 0; round < 300; round += 1) {
          const [message] = fill(queue, 'x');
          expect(queue.main.countReturn(message!)).toBe(1);
          queue.main.acknowledge(message!);
        }
        expect(queue.main.returnsOf(second!)).toBe(2);
      });
    });

    describe('remove', () => {
      test('takes the queue away with all it holds; a new one of its name starts empty', async () => {
        const made = await open();
        const queue = made.store.createQueue('q', 'old');
        fill(queue, 'a', 'b');
        queue.createCursor('c');
        queue.remove();
        expect(made.store.queues.has('q')).toBe(false);
        const anew = made.store.createQueue('q', 'new');
        expect(facts(anew)).toMatchObject({ attributes: 'new', count: 0, bodyBytes: 0 });
        expect([...anew.cursors.keys()]).toEqual([]);
        fill(anew, 'c');
        expect(await bodies(made, anew)).toEqual(['c']);
      });
    });

    describe('a cursor', () => {
      test('remembers what it was told, and changes nothing of the queue', async () => {
        const made = await open();
        const queue = made.store.createQueue('q', '');
        fill(queue, 'a', 'b', 'c');
        const cursor = queue.createCursor('c');
        expect(queue.cursors.get('c')).toBe(cursor);
        cursor.acknowledge(1);
        cursor.acknowledge(3);
        cursor.acknowledge(3);
        expect([1, 2, 3, 4].map((sequence) => cursor.isAcknowledged(sequence))).toEqual([
          true,
          false,
          true,
          false,
        ]);
        expect(queue.main.count).toBe(3);
        expect(await bodies(made, queue)).toEqual(['a', 'b', 'c']);
        expect(cursor.consumedThrough).toBeLessThanOrEqual(1);
        cursor.acknowledgeThrough(2);
        expect(cursor.consumedThrough).toBeGreaterThanOrEqual(2);
        expect(cursor.consumedThrough).toBeLessThanOrEqual(3);
        expect(cursor.isAcknowledged(2)).toBe(true);
        expect(cursor.isAcknowledged(4)).toBe(false);
        cursor.remove();
        expect(queue.cursors.has('c')).toBe(false);
      });

      test('may be told of what the queue has lost meanwhile', async () => {
        const made = await open();
        const queue = made.store.createQueue('q', '');
        const [message] = fill(queue, 'a', 'b');
        const cursor = queue.createCursor('c');
        queue.main.acknowledge(message!);
        cursor.acknowledge(1);
        expect(cursor.isAcknowledged(2)).toBe(false);
      });
    });

    describe('positions', () => {
      test('sync resolves when all that was changed before is committed, and each commit is told', async () => {
        const made = await open();
        const { store } = made;
        const told: number[] = [];
        store.onCommit = (position) => told.push(position);
        const queue = store.createQueue('q', '');
        const [message] = fill(queue, 'a', 'b');
        queue.main.acknowledge(message!);
        const changed = store.position;
        await settle(made, store.sync());
        expect(store.committedPosition).toBeGreaterThanOrEqual(changed);
        expect(told.length === 0 ? changed : told.at(-1)).toBe(store.committedPosition);
        expect([...told].sort((a, b) => a - b)).toEqual(told);
      });

      test('a commit comes by itself, without a sync', async () => {
        const made = await open();
        const { store } = made;
        const changed = new Promise<void>((resolve) => {
          store.onCommit = (position) => {
            if (position >= store.position) resolve();
          };
        });
        fill(store.createQueue('q', ''), 'a');
        if (store.committedPosition < store.position) await settle(made, changed);
        expect(store.committedPosition).toBe(store.position);
      });
    });

    describe('after a restart', () => {
      for (const way of ['reopen', 'crash'] as const) {
        test(`(${way}) all is as it was`, async (context) => {
          const made = await open();
          const again = made[way];
          if (again === undefined) return context.skip(`this store has no ${way}`);
          const { store } = made;

          const order = store.createQueue('order', '{"createdAt":1}');
          fill(order, 'a', 'b');
          const gaps = store.createQueue('gaps', '');
          const messages = fill(gaps, '1', '2', '3', '4', '5');
          for (const index of [1, 3]) gaps.main.acknowledge(messages[index]!);
          const changed = store.createQueue('changed', 'old');
          changed.setAttributes('new');
          const purged = store.createQueue('purged', '');
          fill(purged, 'gone', 'gone');
          purged.main.purge();
          fill(purged, 'kept');
          const emptied = store.createQueue('emptied', '');
          for (const message of fill(emptied, 'x', 'y')) emptied.main.acknowledge(message);
          fill(store.createQueue('removed', ''), 'gone');
          store.queues.get('removed')!.remove();
          fill(store.createQueue('anew', ''), 'gone');
          store.queues.get('anew')!.remove();
          fill(store.createQueue('anew', ''), 'fresh');
          const [from, to] = [store.createQueue('from', ''), store.createQueue('to', '')];
          const [moving] = fill(from, 'moved', 'stays');
          to.main.moveFrom(moving!, { flags: 3, addedAt: 4, expiresAt: 5 });
          const followed = store.createQueue('followed', '');
          fill(followed, 'a', 'b', 'c');
          const cursor = followed.createCursor('c"\xff');
          cursor.acknowledge(1);
          cursor.acknowledge(3);
          followed.createCursor('gone').remove();
          const lanes = store.createQueue('lanes', '{"a":1}');
          const carried: Carried = { ...nothingCarried, dueAt: 2 ** 48 - 1, priority: 9, id: 'i'.repeat(64) };
          const returning = lanes.createLane('p9').append({ ...plain, carried }, Buffer.from('nine'), 0, 4);
          for (let count = 1; count <= 3; count += 1) returning.lane.countReturn(returning);
          lanes.createLane('gone').append(plain, Buffer.from('x'), 0, 1);
          lanes.removeLane('gone');
          const ids = store.createQueue('ids', '');
          for (const id of ['one', 'two', 'three', 'four']) {
            const identity = { ...nothingCarried, id, identified: true };
            ids.main.append(
              { flags: 0, addedAt: 5, expiresAt: 0, carried: identity },
              Buffer.from(id),
              0,
              id.length,
            );
            if (id === 'two') ids.forgetIdsThrough(ids.lastIdMark - 1);
          }
          ids.forgetId(ids.lastIdMark);
          ids.main.purge();
          const properties = { flags: 0x8000_0001, addedAt: 1_800_000_000_000, expiresAt: 1_800_000_060_000 };
          store.createQueue('properties', '').main.append(properties, Buffer.from('body'), 0, 4);
          await settle(made, store.sync());

          const kept = await again();
          const { queues } = kept;
          const all = { ...made, store: kept };
          expect([...queues.keys()].sort()).toEqual([
            'anew',
            'changed',
            'emptied',
            'followed',
            'from',
            'gaps',
            'ids',
            'lanes',
            'order',
            'properties',
            'purged',
            'to',
          ]);
          const found = async (queue: string): Promise<string[]> => bodies(all, queues.get(queue)!);
          expect(await found('order')).toEqual(['a', 'b']);
          expect(queues.get('order')!.attributes).toBe('{"createdAt":1}');
          expect(await found('gaps')).toEqual(['1', '3', '5']);
          expect(facts(queues.get('gaps')!)).toMatchObject({ count: 3, bodyBytes: 3, lastSequence: 5 });
          expect(queues.get('gaps')!.main.isAcknowledged(2)).toBe(true);
          expect(queues.get('gaps')!.main.isAcknowledged(3)).toBe(false);
          expect(queues.get('changed')!.attributes).toBe('new');
          expect(await found('purged')).toEqual(['kept']);
          expect(await found('emptied')).toEqual([]);
          expect(await found('anew')).toEqual(['fresh']);
          expect(await found('from')).toEqual(['stays']);
          expect((await readAll(all, queues.get('to')!)).map(shown)).toEqual([
            { sequence: 1, body: 'moved', flags: 3, addedAt: 4, expiresAt: 5 },
          ]);
          expect((await readAll(all, queues.get('properties')!)).map(shown)).toEqual([
            { sequence: 1, body: 'body', ...properties },
          ]);
          expect([...queues.get('lanes')!.lanes.keys()]).toEqual(['p9']);
          const nine = queues.get('lanes')!.lanes.get('p9')!;
          const [returned] = await settle(made, nine.read(0, 10, 1000));
          expect(returned!.carried).toEqual(carried);
          expect([nine.count, nine.returnsOf(returned!), nine.countReturn(returned!)]).toEqual([1, 3, 4]);
          const { foundIds } = queues.get('ids')!;
          expect(foundIds.map(({ id, at }) => [id, at])).toEqual([
            ['two', 5],
            ['three', 5],
          ]);
          const { cursors } = queues.get('followed')!;
          expect([...cursors.keys()]).toEqual(['c"\xff']);
          const [back] = cursors.values();
          expect([1, 2, 3].map((sequence) => back!.isAcknowledged(sequence))).toEqual([true, false, true]);

          // It goes on: no sequence comes twice, and what was read back can be acknowledged.
          const [next] = fill(queues.get('emptied')!, 'z');
          expect(next!.sequence).toBeGreaterThan(2);
          const [first] = await readAll(all, queues.get('gaps')!);
          queues.get('gaps')!.main.acknowledge(first!);
          expect(await found('gaps')).toEqual(['3', '5']);
        });
      }
    });
  });
}

const plain: MessageProperties = { flags: 0, addedAt: 1, expiresAt: 0 };

function fill(queue: StoredQueue, ...contents: string[]): Message[] {
  return contents.map((content) => {
    const body = Buffer.from(content, 'latin1');
    return queue.main.append(plain, body, 0, body.length);
  });
}

function settle<T>(made: StoreUnderTest, promise: Promise<T>): Promise<T> {
  return made.settle === undefined ? promise : made.settle(promise);
}

function read(
  made: StoreUnderTest,
  queue: StoredQueue,
  after: number,
  maxMessages = 10_000,
  maxBytes = 1e9,
): Promise<Message[]> {
  return settle(made, queue.main.read(after, maxMessages, maxBytes));
}

async function readAll(made: StoreUnderTest, queue: StoredQueue): Promise<Message[]> {
  const all: Message[] = [];
  for (;;) {
    const page = await read(made, queue, all.at(-1)?.sequence ?? 0);
    if (page.length === 0) return all;
    all.push(...page);
  }
}

async function bodies(made: StoreUnderTest, queue: StoredQueue): Promise<string[]> {
  return (await readAll(made, queue)).map((message) => shown(message).body);
}

function sequences(messages: readonly Message[]): number[] {
  return messages.map((message) => message.sequence);
}

function shown(message: Message): MessageProperties & { readonly sequence: number; readonly body: string } {
  const { sequence, flags, addedAt, expiresAt, buffer, start, end } = message;
  return { sequence, flags, addedAt, expiresAt, body: buffer.toString('latin1', start, end) };
}

function facts(queue: StoredQueue): Record<string, unknown> {
  const { name, attributes } = queue;
  const { lastSequence, count, bodyBytes } = queue.main;
  return { name, attributes, lastSequence, count, bodyBytes };
}

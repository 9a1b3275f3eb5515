import { describe, expect, test } from 'vitest';
import { MemoryStore } from '../store/memory-store.ts';
import type { Message } from '../store/store.ts';
import { Reader, type Source, type Waiter } from './reader.ts';

const lane = new MemoryStore().createQueue('q', '').main;

const message = (sequence: number, bytes = 1): Message => ({
  sequence,
  flags: 0,
  addedAt: sequence,
  expiresAt: 0,
  position: 0,
  buffer: Buffer.alloc(bytes),
  start: 0,
  end: bytes,
  lane,
  carried: undefined,
});

function make(maxBytes = 100) {
  const source = {
    lastSequence: 0,
    done: [] as number[],
    passed: new Set<number>(),
    failure: undefined as Error | undefined,
    acknowledge(taken: Message) {
      if (source.failure !== undefined) throw source.failure;
      source.done.push(taken.sequence);
    },
    pass(taken: Message) {
      if (!source.passed.has(taken.sequence)) return false;
      if (source.failure !== undefined) throw source.failure;
      return true;
    },
    openReadTimeoutMs: 0,
    comesBack: () => true,
  } satisfies Source & Record<string, unknown>;
  const budget = { bodyBytes: 0, limit: 1e9 };
  const reader = new Reader(source, maxBytes, 0, budget);
  const arrive = (...sequences: number[]): void => {
    for (const sequence of sequences) {
      source.lastSequence = sequence;
      reader.arrived(message(sequence), 0);
    }
  };
  return { source, budget, reader, arrive };
}

function waiter(patient = true): Waiter & { readonly got: (number | string | undefined)[] } {
  const got: (number | string | undefined)[] = [];
  return { patient, got, deliver: (found, error) => void got.push(error?.message ?? found?.sequence) };
}

describe('a new message', () => {
  test('goes into the window if it is next and there is room', () => {
    const { reader, source } = make(3);
    for (const sequence of [1, 2, 3, 4]) {
      source.lastSequence = sequence;
      reader.arrived(message(sequence), 0);
    }
    expect([reader.windowSize, reader.windowEnd, reader.behind]).toEqual([3, 3, true]);
    reader.take(0);
    // There is room again, but 4 lies between.
    source.lastSequence = 5;
    reader.arrived(message(5), 0);
    expect([reader.windowSize, reader.windowEnd]).toEqual([2, 3]);
  });

  test('stays in the store when all windows together are full', () => {
    const { reader, budget, arrive } = make();
    budget.limit = 1;
    arrive(1, 2);
    expect([reader.windowSize, reader.behind, reader.needsLoad]).toEqual([1, true, true]);
  });
});

describe('loading', () => {
  test('is due when the window is half empty and the store has more', () => {
    const { reader, arrive } = make(4);
    arrive(1, 2, 3, 4, 5, 6);
    expect(reader.needsLoad).toBe(false);
    reader.take(0);
    reader.take(0);
    expect(reader.needsLoad).toBe(true);
    reader.beginLoad();
    expect(reader.needsLoad).toBe(false);
    reader.loaded([message(5), message(6)], 6, 0);
    expect([reader.behind, reader.needsLoad]).toEqual([false, false]);
    expect(
      [reader.take(0), reader.take(0), reader.take(0), reader.take(0)].map((found) => found?.sequence),
    ).toEqual([3, 4, 5, 6]);
  });

  test('skips what was purged meanwhile', () => {
    const { reader, source } = make();
    source.lastSequence = 2;
    reader.beginLoad();
    reader.purged();
    reader.loaded([message(1), message(2)], 2, 0);
    expect(reader.take(0)).toBeUndefined();
    expect(reader.behind).toBe(false);
  });

  test('that finds nothing moves on only as far as the store was when asked', () => {
    const { reader, source } = make();
    source.lastSequence = 5;
    reader.beginLoad();
    source.lastSequence = 6;
    reader.loaded([], 5, 0);
    expect([reader.windowEnd, reader.behind]).toEqual([5, true]);
  });

  test('that fails tells everybody who waits', () => {
    const { reader } = make();
    const [one, two] = [waiter(true), waiter(false)];
    reader.waiters.add(one);
    reader.waiters.add(two);
    reader.beginLoad();
    reader.loadFailed(new Error('no'));
    expect([one.got, two.got, reader.loading, reader.waiters.size]).toEqual([['no'], ['no'], false, 0]);
  });
});

describe('those who wait', () => {
  test('are served in turn; the impatient are told when there is nothing, the patient stay', () => {
    const { reader, source } = make();
    const [one, two, three] = [waiter(), waiter(false), waiter()];
    for (const each of [one, two, three]) reader.waiters.add(each);
    source.lastSequence = 1;
    reader.arrived(message(1), 0);
    expect([one.got, two.got, three.got]).toEqual([[1], [undefined], []]);
  });

  test('the impatient stay while the store has more', () => {
    const { reader, source } = make();
    const one = waiter(false);
    reader.waiters.add(one);
    source.lastSequence = 2;
    reader.beginLoad();
    reader.loaded([], 1, 0);
    expect(one.got).toEqual([]);
    reader.loaded([], 2, 0);
    expect(one.got).toEqual([undefined]);
  });

  test('are told of a failure one by one, and the message stays', () => {
    const { reader, source, arrive } = make();
    const [one, two] = [waiter(), waiter()];
    reader.waiters.add(one);
    reader.waiters.add(two);
    source.passed.add(1);
    source.failure = new Error('full');
    arrive(1);
    expect([one.got, two.got]).toEqual([['full'], ['full']]);
    source.failure = undefined;
    source.passed.clear();
    expect(reader.take(0)?.sequence).toBe(1);
  });
});

describe('open reads', () => {
  test('come back together, in order, before they are handed out', () => {
    const { reader, arrive } = make();
    arrive(1, 2, 3);
    const reads = [reader.take(0)!, reader.take(0)!, reader.take(0)!].map((taken) =>
      reader.open(taken, 0, 0),
    );
    const [one, two] = [waiter(), waiter()];
    reader.waiters.add(one);
    reader.waiters.add(two);
    reader.abort([reads[2]!, reads[1]!, reads[0]!], 0);
    expect([one.got, two.got, reader.take(0)?.sequence]).toEqual([[1], [2], 3]);
    expect([reader.openReads.size, reader.openedTotal, reader.abortedTotal]).toEqual([0, 3, 3]);
    expect(reads.some((read) => read.held)).toBe(false);
  });

  test('that are overdue come back, and the next deadline is told', () => {
    const { reader, arrive } = make();
    arrive(1, 2, 3);
    reader.open(reader.take(0)!, 0, 100);
    reader.open(reader.take(0)!, 50, 100);
    reader.open(reader.take(0)!, 0, 0);
    expect(reader.abortOverdue(99)).toBe(100);
    expect(reader.abortOverdue(100)).toBe(150);
    expect(reader.take(0)?.sequence).toBe(1);
    expect(reader.abortOverdue(150)).toBe(0);
    expect(reader.openReads.size).toBe(1);
  });

  test('whose close fails stay open', () => {
    const { reader, source, arrive } = make();
    arrive(1);
    const read = reader.open(reader.take(0)!, 0, 0);
    source.failure = new Error('full');
    expect(() => reader.close(read)).toThrow('full');
    expect([read.held, [...reader.openReads]]).toEqual([true, [read]]);
    source.failure = undefined;
    reader.close(read);
    expect([source.done, read.held]).toEqual([[1], false]);
  });
});

describe('evict', () => {
  test('goes back to before the head, so that all of it is loaded again', () => {
    const { reader, arrive } = make();
    arrive(1, 2, 3);
    reader.take(0);
    reader.evict();
    expect([reader.windowSize, reader.windowEnd, reader.behind]).toEqual([0, 1, true]);
  });

  test('leaves a window with open reads beside it, one that is loading, and an empty one', () => {
    const { reader, source, arrive } = make();
    reader.evict();
    expect(reader.windowEnd).toBe(0);
    arrive(1, 2);
    const read = reader.open(reader.take(0)!, 0, 0);
    reader.evict();
    expect(reader.windowSize).toBe(1);
    reader.close(read);
    source.lastSequence = 9;
    reader.beginLoad();
    reader.evict();
    expect(reader.windowSize).toBe(1);
  });
});

test('a removed queue lets go of everybody', () => {
  const { reader, arrive } = make();
  arrive(1, 2);
  const read = reader.open(reader.take(0)!, 0, 0);
  const one = waiter();
  reader.waiters.add(one);
  reader.removed();
  expect([one.got, read.held, reader.openReads.size, reader.windowSize]).toEqual([[undefined], false, 0, 0]);
  reader.putBack(read.message);
  expect(reader.take(0)).toBeUndefined();
});

test('a peek leaves the message, a sweep stops at the first that stays', () => {
  const { reader, source, arrive } = make();
  arrive(1, 2, 3);
  source.passed.add(1);
  expect(reader.peek(0)?.sequence).toBe(2);
  expect(reader.peek(0)?.sequence).toBe(2);
  source.passed.add(2);
  expect(reader.sweep(0, 10)).toBe(1);
  expect(reader.oldestAddedAt).toBe(3);
});

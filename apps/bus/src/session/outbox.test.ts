import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Random } from '@rookery/testkit';
import { describe, expect, it } from 'vitest';
import { type Entry, Outbox, SLOW_POLICIES, type SlowPolicy } from './outbox.ts';

const RUNS = Number(process.env.ROOKERY_TEST_SEEDS ?? 300);
const SEED = Number(process.env.ROOKERY_TEST_SEED ?? Date.now() % 0x7fff_ffff);
const NOTICE_BYTES = 7;

interface Content {
  /** Of the push; 0 for a notice. */
  readonly id: number;
  readonly dropped?: { readonly group: string; readonly count: number };
}

function entry(id: number, bytes: number, more: Partial<Entry<Content>> = {}): Entry<Content> {
  return {
    bytes,
    sentBytes: bytes,
    heldBytes: bytes + 7,
    content: { id },
    group: undefined,
    key: '',
    policy: 'disconnect',
    ...more,
  };
}

function outbox(limitBytes: number, confirmed = true): Outbox<Content> {
  return new Outbox<Content>(limitBytes, confirmed, (group, count) => ({
    ...entry(0, NOTICE_BYTES),
    content: { id: 0, dropped: { group, count } },
  }));
}

/** Everything, and how it gives way: nothing cleverer than lists. */
class Model {
  readonly pushed = new Map<number, Entry<Content>>();
  /** By number, from 1. */
  readonly sent: Content[] = [];
  confirmed = 0;
  readonly told = new Map<string, number>();

  /** What must have been dropped, for it neither was sent nor waits. */
  missing(waiting: ReadonlySet<number>): Map<string, number> {
    const there = new Set(this.sent.map(({ id }) => id));
    const missing = new Map<string, number>();
    for (const [id, { group }] of this.pushed) {
      if (there.has(id) || waiting.has(id)) continue;
      missing.set(group!, (missing.get(group!) ?? 0) + 1);
    }
    return missing;
  }
}

function run(seed: number): void {
  const random = new Random(seed);
  const limit = random.pick([200, 1000, 5000]);
  const confirms = random.chance(0.7);
  const box = outbox(limit, confirms);
  const model = new Model();
  const policies = new Map<string, SlowPolicy>(
    ['a', 'b', 'c', 'd'].map((group) => [group, random.pick(SLOW_POLICIES)]),
  );
  let id = 0;
  /** After a rewind: what must come again, before anything new. */
  let next = 1;

  function take(bytes: number): void {
    for (const { number, content } of box.take(bytes)) {
      expect(number).toBe(next);
      next++;
      if (number <= model.sent.length) {
        expect(content).toBe(model.sent[number - 1]);
        continue;
      }
      model.sent.push(content);
      if (content.dropped === undefined) continue;
      const { group, count } = content.dropped;
      model.told.set(group, (model.told.get(group) ?? 0) + count);
    }
    if (!confirms) model.confirmed = model.sent.length;
  }

  for (let step = 0; step < 400; step++) {
    switch (random.weighted({ push: 10, take: 4, confirm: 3, rewind: 0.5 })) {
      case 'push': {
        const group = random.chance(0.15) ? undefined : random.pick([...policies.keys()]);
        const policy = group === undefined ? 'disconnect' : policies.get(group)!;
        const key = random.chance(0.8) ? `${random.below(3)}` : '';
        const pushed = entry(++id, random.between(1, limit / 5), { group, key, policy });
        model.pushed.set(id, pushed);
        const fits = box.push(pushed);
        const bound = (group !== undefined && policy === 'disconnect' ? 1 : 2) * limit;
        expect(fits).toBe(box.bytes <= bound);
        // The session ends here.
        if (!fits) return;
        break;
      }
      case 'take':
        take(random.between(1, limit));
        break;
      case 'confirm': {
        if (!confirms) break;
        const number = random.between(model.confirmed, next - 1);
        expect(box.confirm(number)).toBe(true);
        model.confirmed = number;
        expect(box.confirm(model.sent.length + 1)).toBe(false);
        break;
      }
      case 'rewind': {
        if (!confirms) break;
        const received = random.between(model.confirmed, next - 1);
        expect(box.rewind(model.sent.length + 1)).toBe(false);
        if (model.confirmed > 0) expect(box.rewind(model.confirmed - 1)).toBe(false);
        expect(box.rewind(received)).toBe(true);
        next = received + 1;
        break;
      }
    }
    const onTheWay = model.sent.slice(model.confirmed, next - 1);
    const sentBytes = onTheWay.reduce(
      (sum, one) => sum + (model.pushed.get(one.id)?.bytes ?? NOTICE_BYTES),
      0,
    );
    if (confirms) expect(box.unconfirmedBytes).toBe(sentBytes);
  }

  // The client catches up: everything comes, and nothing is left.
  if (confirms) box.confirm(next - 1);
  while (box.ready) {
    take(limit);
    if (confirms) expect(box.confirm(next - 1)).toBe(true);
  }
  expect(box.bytes).toBe(0);
  expect(box.heldBytes).toBe(0);
  expect(box.unconfirmedBytes).toBe(0);

  const ids = model.sent.filter(({ id: one }) => one > 0).map(({ id: one }) => one);
  // In the order of pushing, none twice.
  expect(ids).toEqual([...new Set(ids)].sort((a, b) => a - b));
  const there = new Set(ids);
  for (const [pushed, { group }] of model.pushed) {
    const mayGiveWay =
      group !== undefined && ['drop-oldest', 'newest-per-key'].includes(policies.get(group)!);
    if (!mayGiveWay) expect(there.has(pushed), `${pushed} is lost`).toBe(true);
  }
  // The newest of each key is always there.
  for (const [group, policy] of policies) {
    if (policy !== 'newest-per-key' && policy !== 'drop-oldest') continue;
    const newest = [...model.pushed].filter(([, one]) => one.group === group).at(-1);
    if (newest !== undefined) expect(there.has(newest[0])).toBe(true);
  }
  expect(model.told).toEqual(model.missing(new Set()));
}

describe('an outbox', () => {
  it(`loses, reorders, doubles and miscounts nothing over ${RUNS} random lives (ROOKERY_TEST_SEED=${SEED})`, () => {
    for (let index = 0; index < RUNS; index++) {
      const seed = SEED + index;
      try {
        run(seed);
      } catch (error) {
        throw new Error(`ROOKERY_TEST_SEED=${seed} ROOKERY_TEST_SEEDS=1: ${(error as Error).message}`, {
          cause: error,
        });
      }
    }
  });

  it('drops the oldest of the group that is too much, and says how many before what follows', () => {
    const box = outbox(100);
    box.push(entry(1, 10));
    for (let id = 2; id <= 30; id++) {
      expect(box.push(entry(id, 10, { group: 'g', policy: 'drop-oldest' }))).toBe(true);
    }
    expect(box.bytes).toBe(100);
    const taken = box.take(1000);
    expect(taken[0]!.content.dropped).toEqual({ group: 'g', count: 20 });
    expect(taken.slice(1, 3).map(({ content }) => content.id)).toEqual([1, 22]);
  });

  it('keeps the newest of each key, at the end of the line', () => {
    const box = outbox(1000);
    for (const [id, key] of [
      [1, 'x'],
      [2, 'y'],
      [3, 'x'],
      [4, 'z'],
      [5, 'x'],
    ] as const) {
      box.push(entry(id, 10, { group: 'g', key, policy: 'newest-per-key' }));
    }
    const ids = box.take(1000).map(({ content }) => content.id);
    expect(ids).toEqual([0, 2, 4, 5]);
  });

  it('has at most half of its limit, and one entry more, on its way to who confirms nothing', () => {
    const box = outbox(100);
    for (let id = 1; id <= 10; id++) box.push(entry(id, 10));
    expect(box.take(1000)).toHaveLength(5);
    expect(box.ready).toBe(false);
    expect(box.take(1000)).toHaveLength(0);
    box.confirm(1);
    expect(box.ready).toBe(true);
    expect(box.take(1000)).toHaveLength(1);
  });

  it('a receiver whose messages may give way is never ended by them, however large', () => {
    const box = outbox(100);
    for (let id = 1; id <= 100; id++) {
      expect(box.push(entry(id, 60, { group: 'g', policy: 'drop-oldest' }))).toBe(true);
      if (id % 10 === 0) box.take(1);
    }
  });

  it('lets go of what was taken, also where something always waits', async () => {
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    const box = outbox(1_000_000, false);
    const push = (id: number): WeakRef<Content> => {
      const content = { id };
      box.push({ ...entry(id, 10, { group: 'g', policy: 'drop-oldest' }), content });
      return new WeakRef(content);
    };
    push(0);
    const early = Array.from({ length: 10_000 }, (_, index) => {
      const reference = push(index + 1);
      box.take(1);
      return reference;
    });
    // References are good until the end of the turn.
    await new Promise((resolve) => setImmediate(resolve));
    gc();
    expect(early.filter((reference) => reference.deref() !== undefined).length).toBeLessThan(4000);
  });

  it('is quick with a hundred thousand entries that give way', () => {
    const box = outbox(1_000_000);
    const began = performance.now();
    for (let id = 1; id <= 200_000; id++) {
      box.push(
        entry(id, 10, {
          group: `g${id % 3}`,
          key: `${id % 50_000}`,
          policy: id % 2 === 0 ? 'drop-oldest' : 'newest-per-key',
        }),
      );
    }
    while (box.ready) {
      const taken = box.take(10_000);
      box.confirm(taken.at(-1)!.number);
    }
    expect(box.bytes).toBe(0);
    expect(performance.now() - began).toBeLessThan(5000);
  });
});

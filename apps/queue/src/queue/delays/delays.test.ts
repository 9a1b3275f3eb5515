import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MemoryStore } from '../../store/memory-store.ts';
import { type Message, nothingCarried } from '../../store/store.ts';
import { Delays } from './delays.ts';
import { createDueHeap } from './due-heap.ts';
import { endsAt, opensAt, parseSlotName, placeFor, slotName, wheelMs, widthMs } from './wheel.ts';

const start = 1_800_000_000_000;

describe('the wheel', () => {
  const delay = fc.integer({ min: 0, max: 365 * 24 * 3_600_000 });

  test('has what is due in the slot of its time, and reads it before', () => {
    fc.assert(
      fc.property(delay, fc.nat(1e9), (delayMs, since) => {
        const now = start + since;
        const place = placeFor(now + delayMs, now);
        const begins = place.number * widthMs(place.level);
        expect(begins).toBeLessThanOrEqual(now + delayMs);
        expect(endsAt(place)).toBeGreaterThan(now + delayMs);
        expect(opensAt(place)).toBeLessThan(begins);
        expect(parseSlotName(slotName(place))).toEqual(place);
      }),
    );
  });

  test('moves what a slot has to a lower level when the slot opens, whenever that is noticed', () => {
    fc.assert(
      fc.property(delay, fc.nat(1e9), fc.nat(1e6), (delayMs, since, late) => {
        const dueAt = start + since + delayMs;
        const place = placeFor(dueAt, start + since);
        fc.pre(place.level > 0);
        const noticed = Math.min(dueAt, opensAt(place) + late);
        expect(placeFor(dueAt, noticed).level).toBeLessThan(place.level);
      }),
    );
  });

  test('has few slots, and reaches further than the longest delay', () => {
    const names = new Set<string>();
    for (let ahead = 0; ahead < 365 * 24 * 3_600_000; ahead += 5000)
      names.add(slotName(placeFor(start + ahead, start)));
    expect(names.size).toBeLessThan(170);
    expect(wheelMs).toBeGreaterThan(365 * 24 * 3_600_000);
  });
});

test('a heap gives back by time, then by sequence', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(20), fc.nat(1000)), { maxLength: 300 }), (pairs) => {
      const heap = createDueHeap();
      for (const [dueAt, sequence] of pairs) heap.push(dueAt, sequence);
      const popped: [number, number][] = [];
      while (heap.size > 0) popped.push([heap.firstDueAt, heap.pop()]);
      expect(popped).toEqual([...pairs].sort((a, b) => a[0] - b[0] || a[1] - b[1]));
      expect(heap.firstDueAt).toBe(Number.POSITIVE_INFINITY);
    }),
  );
});

describe('delayed messages', () => {
  function make() {
    const stored = new MemoryStore().createQueue('q', '');
    const put = (delays: Delays, now: number, delayMs: number, body = 'x'): Message => {
      const bytes = Buffer.from(body);
      const carried = { ...nothingCarried, dueAt: now + delayMs };
      return delays.put(now, { flags: 0, addedAt: now, expiresAt: 0, carried }, bytes, 0, bytes.length);
    };
    return { stored, put, delays: new Delays(stored) };
  }

  async function runUntil(delays: Delays, now: number): Promise<string[]> {
    const ready: string[] = [];
    for (let step = delays.next(now); step !== undefined; step = delays.next(now)) {
      const { slot } = step;
      if (step.kind === 'open') {
        delays.opened(slot, await slot.lane.read(slot.readThrough, 1000, 1e9), slot.lane.lastSequence, now);
        continue;
      }
      for (const message of await slot.lane.read(0, 1000, 1e9)) {
        if (!step.sequences.includes(message.sequence)) continue;
        ready.push(message.buffer.toString());
        slot.lane.acknowledge(message);
      }
    }
    return ready;
  }

  test('come when they are due and not before, whatever the delay and however late one looks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 40 * 24 * 3_600_000 }), { minLength: 1, maxLength: 20 }),
        fc.array(fc.integer({ min: 1, max: 10 * 24 * 3_600_000 }), { maxLength: 20 }),
        async (delaysMs, steps) => {
          const { stored, put } = make();
          let { delays } = make();
          delays = new Delays(stored);
          for (const delayMs of delaysMs) put(delays, start, delayMs, String(delayMs));
          let now = start;
          const left = [...delaysMs];
          for (const step of [...steps, 41 * 24 * 3_600_000]) {
            now += step;
            // As after a restart: all that is known is in the store.
            if (step % 3 === 0) delays = new Delays(stored);
            const due = left.filter((delayMs) => start + delayMs <= now).map(String);
            for (const delayMs of due) left.splice(left.indexOf(Number(delayMs)), 1);
            expect((await runUntil(delays, now)).sort()).toEqual(due.sort());
            expect(delays.count).toBe(left.length);
            expect(delays.nextAt).toBeGreaterThan(now);
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  test('leave nothing behind when they are gone, or flushed', async () => {
    const { stored, put, delays } = make();
    for (const delayMs of [1, 10_000, 10_000_000]) put(delays, start, delayMs);
    expect([delays.count, delays.bodyBytes > 3]).toEqual([3, true]);
    delays.purge();
    expect([delays.count, stored.lanes.size, delays.nextAt]).toEqual([0, 0, Number.POSITIVE_INFINITY]);
    put(delays, start, 1);
    expect(await runUntil(delays, start + 100_000)).toEqual(['x']);
    expect(stored.lanes.size).toBe(0);
  });

  test('are not lost when the clock goes back', async () => {
    const { put, delays } = make();
    put(delays, start, 3_000_000);
    expect(await runUntil(delays, start + 2_900_000)).toEqual([]);
    expect(await runUntil(delays, start)).toEqual([]);
    expect(await runUntil(delays, start + 3_000_000)).toEqual(['x']);
  });
});

import { Random } from '@rookery/testkit';
import { describe, expect, test } from 'vitest';
import { UNIT_BYTES } from '../../src/swarm/limits.ts';
import { createPicker, type Request, type Source } from '../../src/swarm/picker/picker.ts';
import { createRarity } from '../../src/swarm/picker/rarity.ts';

const PIECE_BYTES = 4 * UNIT_BYTES;

describe('pieces in the order of their rarity', () => {
  test.each(Array.from({ length: 20 }, (_, seed) => seed))(
    'the rarest is found after any changes (seed %i)',
    (seed) => {
      const random = new Random(seed);
      const rarity = createRarity(40, () => random.float());
      const counts = new Array<number>(40).fill(0);
      const present = new Set<number>();
      for (let step = 0; step < 2_000; step++) {
        const piece = random.between(0, 39);
        const what = random.between(0, 3);
        if (what === 0) {
          rarity.raise(piece);
          counts[piece]!++;
        } else if (what === 1 && counts[piece]! > 0) {
          rarity.lower(piece);
          counts[piece]!--;
        } else if (what === 2) {
          rarity.add(piece);
          present.add(piece);
        } else {
          rarity.remove(piece);
          present.delete(piece);
        }
        const had = [...present].filter((one) => counts[one]! > 0);
        const least = Math.min(...had.map((one) => counts[one]!));
        const found = rarity.rarest(() => true);
        if (had.length === 0) expect(found).toBeUndefined();
        else expect(counts[found!]).toBe(least);
        expect(rarity.size).toBe(present.size);
      }
    },
  );
});

describe('what is asked of whom', () => {
  test.each(Array.from({ length: 30 }, (_, seed) => seed))(
    'all comes, whatever peers do (seed %i)',
    (seed) => {
      const random = new Random(seed);
      const picker = createPicker({
        pieceCount: 30,
        pieceBytes: (piece) => (piece === 29 ? PIECE_BYTES - 1_000 : PIECE_BYTES),
        has: (piece) => piece % 10 === 0,
        fetchingBytes: 6 * PIECE_BYTES,
        random: () => random.float(),
      });
      const join = (): Source => {
        const source = picker.join(random.between(1, 4) * UNIT_BYTES);
        for (let piece = 0; piece < 30; piece++) picker.gained(source, piece);
        return source;
      };
      const sources = Array.from({ length: 5 }, join);
      const open: Request[] = [];
      for (let step = 0; picker.missing > 0; step++) {
        expect(step).toBeLessThan(20_000);
        const at = random.between(0, sources.length - 1);
        const source = sources[at]!;
        const request = source.requests.size < 3 ? picker.next(source, step) : undefined;
        if (request !== undefined) open.push(request);
        const index = random.between(0, Math.max(0, open.length - 1));
        const [answer] = open.splice(index, 1);
        if (answer === undefined || !answer.source.requests.has(answer)) continue;
        const fate = random.between(0, 19);
        if (fate === 0) picker.lost(answer);
        else if (fate === 1) {
          picker.leave(answer.source);
          sources[sources.indexOf(answer.source)] = join();
        } else {
          const { complete } = picker.received(answer);
          if (complete === undefined) continue;
          if (random.between(0, 9) === 0) picker.broken(answer.piece);
          else picker.whole(answer.piece);
        }
      }
      for (const source of sources) expect(source.requests.size).toBe(0);
    },
  );

  test('until the end no block is asked for twice', () => {
    const random = new Random(1);
    const picker = createPicker({
      pieceCount: 8,
      pieceBytes: () => PIECE_BYTES,
      has: () => false,
      fetchingBytes: 8 * PIECE_BYTES,
      random: () => random.float(),
    });
    const sources = [0, 1].map(() => picker.join(UNIT_BYTES));
    for (const source of sources) for (let piece = 0; piece < 8; piece++) picker.gained(source, piece);
    const asked = new Set<string>();
    for (let turn = 0; turn < 32; turn++) {
      const request = picker.next(sources[turn % 2]!, turn)!;
      asked.add(`${request.piece} ${request.offset}`);
    }
    expect(asked.size).toBe(32);
    // Both have requests open: nothing more for them.
    expect(picker.next(sources[0]!, 40)).toBeUndefined();
    // One that is idle repeats the other's, and whose answer comes second is cancelled.
    for (const request of [...sources[0]!.requests]) picker.received(request);
    const again = picker.next(sources[0]!, 50)!;
    expect(picker.received(again).cancel).toHaveLength(1);
  });
});

import { describe, expect, test } from 'vitest';
import { type Audience, createReveal, type Reveal } from '../../src/swarm/exchange/reveal.ts';

const PIECE = 32 * 1024;
const WINDOW_MAX = 1_000 * PIECE;

function reveal(pieceCount = 1_000): Reveal {
  return createReveal({ pieceCount, pieceBytes: () => PIECE, windowBytesMax: WINDOW_MAX, random: () => 0 });
}

function join(origin: Reveal, count: number): Audience[] {
  return Array.from({ length: count }, () => origin.join());
}

describe('an origin that super-seeds', () => {
  test('tells each peer of a piece at once, and no two of the same', () => {
    const origin = reveal();
    const peers = join(origin, 16);
    const told = origin.next(0);
    expect(new Set(told.map(({ audience }) => audience))).toEqual(new Set(peers));
    expect(new Set(told.map(({ piece }) => piece)).size).toBe(told.length);
  });

  test('gives all peers the same share of its line, whoever is heard first', () => {
    const origin = reveal();
    const peers = join(origin, 8);
    const shares = new Map(peers.map((peer) => [peer, 0]));
    const line: { audience: Audience; piece: number }[] = [];
    // One piece leaves the line each 10 ms.
    for (let now = 0; now < 5_000; now += 10) {
      line.push(...origin.next(now));
      const { audience, piece } = line.shift()!;
      shares.set(audience, shares.get(audience)! + 1);
      origin.gained(audience, piece, now + 10);
    }
    const counts = [...shares.values()];
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(2);
  });

  test('has no more on its way than its line takes in about a second', () => {
    const origin = reveal(10_000);
    join(origin, 4);
    const line: { audience: Audience; piece: number }[] = [];
    let longest = 0;
    for (let now = 0; now < 9_000; now += 10) {
      line.push(...origin.next(now));
      const { audience, piece } = line.shift()!;
      origin.gained(audience, piece, now + 10);
      longest = Math.max(longest, line.length);
    }
    expect(longest).toBeGreaterThan(40);
    expect(longest).toBeLessThan(130);
  });

  test('goes on with the others while one takes nothing, and gives that one no more pieces', () => {
    const origin = reveal();
    const [dead, alive] = join(origin, 2) as [Audience, Audience];
    let given = 0;
    for (let now = 0; now < 20_000; now += 100) {
      for (const { audience, piece } of origin.next(now)) {
        if (audience === dead) continue;
        expect(audience).toBe(alive);
        given++;
        origin.gained(audience, piece, now);
      }
    }
    expect(given).toBeGreaterThan(100);
    expect(dead.told.size).toBeLessThanOrEqual(3);
  });

  test('ends when the peers have a copy between them, each piece having been sent once', () => {
    const origin = reveal(100);
    join(origin, 5);
    let sent = 0;
    for (let now = 0; !origin.endIfDone(now); now += 10) {
      expect(now).toBeLessThan(10_000);
      for (const { audience, piece } of origin.next(now)) {
        if (origin.copied) break;
        sent++;
        origin.gained(audience, piece, now);
      }
    }
    expect(sent).toBe(100);
  });
});

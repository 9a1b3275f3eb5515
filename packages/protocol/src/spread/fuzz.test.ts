/**
 * Whatever a peer sends: no decoder throws, hangs, gives more than was sent, or keeps more than its limits,
 * and what a daemon's decoder lets through can be sent on to others.
 *
 * `ROOKERY_TEST_FUZZ_RUNS` sets how many inputs (default 50,000), `ROOKERY_TEST_SEED` replays a failure:
 * it is printed with it.
 */

import { describe, expect, it } from 'vitest';
import { random } from '../../test/random.ts';
import { bytesOf, CHOICE, HELLO, hex, LET_IN, ME, plain } from '../../test/spread.ts';
import {
  BAD,
  type ClientInput,
  createClientDecoder,
  createDaemonDecoder,
  type DaemonInput,
  type Limits,
  Output,
  TypeBit,
  writeDisconnect,
  writeJoin,
  writeLeave,
  writeMembership,
  writeMembershipOfOneSet,
  writeMessage,
  writeMulticast,
  writeReject,
  writeSelfLeave,
  writeTransition,
} from './index.ts';

const RUNS = Number(process.env.ROOKERY_TEST_FUZZ_RUNS ?? 50_000);
const SEED = Number(process.env.ROOKERY_TEST_SEED ?? Date.now() % 0x7fff_ffff);

/** Small, so that random input reaches them. */
const LIMITS: Limits = { groups: 4, data: 200, members: 6, early: 100 };
const NAME = 32;
/** The largest frame under those limits, and the choice of methods. */
const DAEMON_HOLDS = Math.max(90, LIMITS.groups * NAME + LIMITS.data);
const CLIENT_HOLDS = Math.max(
  4 + LIMITS.groups * NAME + LIMITS.data,
  LIMITS.members * NAME + 20 + (LIMITS.members + 2) * 36,
);

const text = Buffer.from('some data');
const body = { buffer: text, start: 0, end: text.length };
const id = { daemon: 1, time: 2, index: 3 };
const sending = {
  service: 'agreed',
  selfDiscard: true,
  groups: ['g1', ME],
  messageType: 7,
  ...body,
} as const;
const message = { ...sending, sender: '#a#b', messageOrder: 'big' } as const;
const members = ['#a#x', '#b#y', '#c#z'];
const membership = { cause: 'network', group: 'g', members, id, sets: [['#a#x'], members], mine: 1 } as const;
const order = (index: number): 'little' | 'big' => (index === 0 ? 'little' : 'big');

const UP: readonly Buffer[] = [0, 1].flatMap((index) => [
  bytesOf((out) => writeMulticast(out, ME, sending, order(index))),
  bytesOf((out) => writeJoin(out, ME, 'g1', order(index))),
  bytesOf((out) => writeLeave(out, ME, 'g1', order(index))),
  bytesOf((out) => writeDisconnect(out, ME, order(index))),
  bytesOf((out) =>
    writeMulticast(out, ME, { ...sending, buffer: Buffer.alloc(201), end: 201 }, order(index)),
  ),
]);
const DOWN: readonly Buffer[] = [0, 1].flatMap((index) => [
  bytesOf((out) => writeMessage(out, message, order(index))),
  bytesOf((out) => writeMembership(out, membership, order(index))),
  bytesOf((out) => writeTransition(out, 'g', id, order(index))),
  bytesOf((out) => writeSelfLeave(out, 'g', order(index))),
  bytesOf((out) => writeReject(out, { ...message, type: TypeBit.causedByJoin }, order(index))),
]);
const OLD_DOWN: readonly Buffer[] = [0, 1].map((index) =>
  bytesOf((out) => writeMembershipOfOneSet(out, membership, order(index))),
);
const HELLOS: readonly Buffer[] = [
  HELLO,
  hex('030e 01 02 7a7a'),
  hex('030f02 11 00'),
  hex('7f7f7f ff 01 7a'),
];

/** A conversation's one side, with some bytes changed, removed, doubled or inserted; sometimes noise. */
function input(next: () => number, frames: readonly Buffer[], starts: readonly Buffer[]): Buffer {
  const below = (bound: number): number => Math.floor(next() * bound);
  if (next() < 0.05) return Buffer.from(Array.from({ length: below(400) }, () => below(256)));
  const start = starts[below(starts.length)]!;
  const parts: Buffer[] = [start];
  for (let count = below(6); count > 0; count--) parts.push(frames[below(frames.length)]!);
  let bytes = Buffer.concat(parts);
  // Mostly behind the handshake, or little would get past it.
  const from = next() < 0.2 ? 0 : start.length;
  for (let count = below(5); count > 0 && bytes.length > from; count--) {
    const at = from + below(bytes.length - from);
    const to = Math.min(bytes.length, at + 1 + below(8));
    switch (below(6)) {
      case 0:
        bytes[at] = below(256);
        break;
      case 1:
        bytes[at] = bytes[at]! ^ (1 << below(8));
        break;
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(to)]);
        break;
      case 3:
        bytes = Buffer.concat([bytes.subarray(0, to), bytes.subarray(at)]);
        break;
      case 4: {
        const filling = Buffer.alloc(1 + below(300), [0, 0xff, 0x67][below(3)]);
        bytes = Buffer.concat([bytes.subarray(0, at), filling, bytes.subarray(at)]);
        break;
      }
      case 5: {
        // A field of the header: counts and lengths around their limits.
        const field = [0, 36, 40, 44][below(4)]!;
        const value = [-1, 0, 1, 4, 5, 200, 201, 0x7fff_ffff, -0x8000_0000][below(9)]!;
        if (from + field + 4 > bytes.length) break;
        if (next() < 0.5) bytes.writeInt32LE(value, from + field);
        else bytes.writeInt32BE(value, from + field);
        break;
      }
    }
  }
  return bytes;
}

interface AnyDecoder {
  readonly bufferedBytes: number;
  push(chunk: Uint8Array): void;
  next(): ClientInput | DaemonInput | undefined;
}

/** What a daemon does with what it let through: none of it may throw. */
function serve(item: ClientInput | DaemonInput, out: Output): void {
  if (item.kind === 'multicast') writeMessage(out, { ...item, sender: ME });
  if (item.kind === 'bad' && 'ends' in item) {
    expect(item.ends).toBe(BAD[item.reason].ends);
    if (!item.ends) writeReject(out, { ...item, sender: ME });
  }
  out.take();
}

/** All that comes out for `bytes` in pieces of at most `step`, and the most that was held between the pieces. */
function run(make: () => AnyDecoder, bytes: Buffer, step: () => number): { items: string[]; held: number } {
  const decoder = make();
  const out = new Output();
  const items: string[] = [];
  let held = 0;
  for (let at = 0; at < bytes.length; ) {
    const to = Math.min(bytes.length, at + step());
    decoder.push(bytes.subarray(at, to));
    at = to;
    for (let item = decoder.next(); item !== undefined; item = decoder.next()) {
      if ('admit' in decoder) {
        const daemon = decoder as ReturnType<typeof createDaemonDecoder>;
        if (item.kind === 'authenticate' || (item.kind === 'connect' && !item.choosesMethod))
          daemon.admit(ME);
        serve(item, out);
      }
      items.push(JSON.stringify(plain(item)));
      // One byte makes at most one item: more would be a loop that never ends.
      if (items.length > at) throw new Error(`more items than bytes: ${items.length} for ${at}`);
    }
    held = Math.max(held, decoder.bufferedBytes);
  }
  return { items, held };
}

const SIDES = [
  {
    name: 'daemon',
    make: () => createDaemonDecoder(LIMITS),
    bound: DAEMON_HOLDS,
    frames: UP,
    starts: HELLOS.map((hello) =>
      hello[1]! >= 16 || hello[0]! > 3 ? Buffer.concat([hello, CHOICE]) : hello,
    ),
  },
  {
    name: 'client',
    make: () => createClientDecoder(LIMITS),
    bound: CLIENT_HOLDS,
    frames: DOWN,
    starts: [LET_IN],
  },
  {
    name: 'old client',
    make: () => createClientDecoder(LIMITS, { major: 3, minor: 17, patch: 4 }),
    bound: CLIENT_HOLDS,
    frames: OLD_DOWN,
    starts: [LET_IN],
  },
] as const;

describe(`any bytes at all (${RUNS} inputs, ROOKERY_TEST_SEED=${SEED})`, () => {
  it(
    'are decoded without a throw, a hang, or more held than the limits, and the same for every split',
    () => {
      const before = process.memoryUsage();
      const seen = new Map<string, number>();
      for (let round = 0; round < RUNS; round++) {
        const seed = (SEED + round) >>> 0;
        const next = random(seed);
        const pick = next();
        const side = SIDES[pick < 0.6 ? 0 : pick < 0.85 ? 1 : 2]!;
        const bytes = input(next, side.frames, side.starts);
        const most = next() < 0.3 ? 1 : 1 + Math.floor(next() * 64);
        try {
          const whole = run(side.make, bytes, () => Math.max(1, bytes.length));
          const pieces = run(side.make, bytes, () => 1 + Math.floor(next() * most));
          if (whole.items.join('\n') !== pieces.items.join('\n')) {
            expect(pieces.items).toEqual(whole.items);
          }
          if (Math.max(whole.held, pieces.held) > side.bound) {
            expect(pieces.held).toBeLessThanOrEqual(side.bound);
          }
          for (const item of whole.items) {
            const found = /"kind":"(\w+)"(?:,"reason":"(\w+)")?/.exec(item)!;
            const key = `${side.name} ${found[1]} ${found[2] ?? ''}`;
            seen.set(key, (seen.get(key) ?? 0) + 1);
          }
        } catch (error) {
          throw new Error(
            `${side.name}: replay with ROOKERY_TEST_SEED=${seed} ROOKERY_TEST_FUZZ_RUNS=1\n${bytes.toString('hex')}`,
            { cause: error },
          );
        }
      }
      const after = process.memoryUsage();
      // Garbage not yet collected is in here: a leak of one input each would be far above it.
      expect(after.heapUsed - before.heapUsed).toBeLessThan(256 * 1024 * 1024);
      expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(256 * 1024 * 1024);
      // Fuzz that never gets past a header finds nothing: every refusal and every frame must have come up.
      if (RUNS >= 50_000) {
        for (const reason of Object.keys(BAD)) {
          if (reason === 'too_early') continue;
          expect([...seen.keys()]).toContain(`daemon bad ${reason}`);
        }
        for (const kind of ['message', 'membership', 'transition', 'self_leave', 'reject']) {
          expect([...seen.keys()]).toContain(`client ${kind} `);
        }
        expect([...seen.keys()]).toContain('old client membership ');
      }
    },
    60_000 + RUNS,
  );
});

it('a peer that never ends its frame holds no more than has arrived, and no more than the limits', () => {
  for (const side of SIDES) {
    for (const start of side.starts) {
      for (const frame of side.frames) {
        run(side.make, start, () => start.length);
        const bytes = Buffer.concat([start, frame.subarray(0, frame.length - 1)]);
        expect(run(side.make, bytes, () => 7).held).toBeLessThanOrEqual(side.bound);
      }
    }
  }
});

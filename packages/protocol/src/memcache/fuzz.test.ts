/**
 * Whatever a peer sends: no decoder throws, hangs, gives more than was sent, or keeps more than its limits.
 *
 * `ROOKERY_TEST_FUZZ_RUNS` sets how many inputs (default 100,000), `ROOKERY_TEST_SEED` replays a failure:
 * it is printed with it.
 */

import { describe, expect, it } from 'vitest';
import { random } from '../../test/random.ts';
import { plain } from '../../test/support.ts';
import {
  createBinaryReplyDecoder,
  createRequestDecoder,
  createTextReplyDecoder,
  type Limits,
  Opcode,
  Output,
  type Reply,
  type Request,
  writeBinaryRequest,
  writeBinaryText,
} from './index.ts';

const RUNS = Number(process.env.ROOKERY_TEST_FUZZ_RUNS ?? 100_000);
const SEED = Number(process.env.ROOKERY_TEST_SEED ?? Date.now() % 0x7fff_ffff);

/** Small, so that random input reaches them. */
const LIMITS: Limits = {
  line: 200,
  getLine: 400,
  key: 20,
  readKey: 30,
  keys: 8,
  body: 300,
  metaFlags: 6,
  opaque: 8,
  id: 8,
  extras: 20,
};

const binary = (write: (out: Output) => void): Buffer => {
  const out = new Output(1024);
  write(out);
  return Buffer.concat(out.take());
};

/** What mutations start from: every shape, valid and not. */
const LINES: readonly string[] = [
  'get q\r\n',
  'gets a b c\r\n',
  'GET  q/open/t=500 \n',
  'gat 30 a b\r\n',
  'set q 0 0 5\r\nhello\r\n',
  'set q 1 -1 5 noreply\r\nhello\r\n',
  'cas q 0 0 1 18446744073709551615\r\nx\r\n',
  'add k 0 2678400 0\r\n\r\n',
  'set q 0 0 301\r\n',
  'set q 0 0 99999999999999999999\r\n',
  'set q 0 0 3\r\nabcdef\r\n',
  'delete q noreply\r\n',
  'flush_all 0\r\n',
  'stats \r\n',
  'monitor q 10 5\r\n',
  '\r\n',
  'mg foo v t f Oabc q k\r\n',
  'mg Zm9v b k v\r\n',
  'ms foo 2 T90 F1 MA\r\nhi\r\n',
  'ms foo 301 MX\r\n',
  'md foo q\r\n',
  'ma foo D5 J1 N0\r\n',
  'ms q 2 D500 P3 Uorder-17 MC\r\nhi\r\n',
  'mg q/open v B16 d p u o c\r\n',
  'md q B16 C7\r\nma q MA C7 D500\r\nma Zm9v b MV B5 KZm9v v\r\n',
  'mn\r\n',
  'me foo\r\n',
  'VALUE q 0 5 12\r\nhello\r\n',
  'END\r\n',
  'STAT a b\r\n',
  'VA 2 t1 f2\r\nhi\r\n',
  'HD Oabc\r\n',
  '18446744073709551615 \r\n',
  'SERVER_ERROR x\r\n',
  'VALUE q 0 301\r\n',
  'ME k a=b\r\n',
];

const SEEDS: readonly Buffer[] = [
  ...LINES.map((text) => Buffer.from(text, 'latin1')),
  ...[
    Opcode.get,
    Opcode.setQ,
    Opcode.increment,
    Opcode.noop,
    Opcode.flush,
    Opcode.touch,
    Opcode.stat,
    0x77,
  ].map((opcode) =>
    binary((out) => writeBinaryRequest(out, { opcode, key: 'key', opaque: 7, buffer: Buffer.from('value') })),
  ),
  binary((out) => writeBinaryText(out, { opcode: Opcode.version, opaque: 1 }, '1.2.3')),
  binary((out) => writeBinaryRequest(out, { opcode: Opcode.set, key: 'k', buffer: Buffer.alloc(301) })),
];

/** Mostly known commands, in a row, with some bytes changed, removed, doubled or inserted; sometimes noise. */
function input(next: () => number): Buffer {
  const below = (bound: number): number => Math.floor(next() * bound);
  if (next() < 0.1) {
    const noise = Buffer.alloc(below(600));
    const mask = next() < 0.5 ? 0xff : 0x7f;
    for (let at = 0; at < noise.length; at++) noise[at] = below(256) & mask;
    return noise;
  }
  const parts: Buffer[] = [];
  for (let count = 1 + below(6); count > 0; count--) parts.push(SEEDS[below(SEEDS.length)]!);
  let bytes = Buffer.concat(parts);
  for (let count = below(6); count > 0 && bytes.length > 0; count--) {
    const at = below(bytes.length);
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
      case 4:
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          Buffer.alloc(1 + below(500), ' x\r\n09'[below(6)]),
          bytes.subarray(at),
        ]);
        break;
      case 5:
        bytes[at] = 48 + below(10);
        break;
    }
  }
  return bytes;
}

type AnyDecoder = {
  bufferedBytes: number;
  push(chunk: Uint8Array): void;
  next(): Request | Reply | undefined;
};

const told = (item: Request | Reply): string =>
  JSON.stringify(plain(item), (_, value) => (typeof value === 'bigint' ? `${value}n` : value));

/** All that comes out for `bytes` in pieces of at most `step`, and the most that was held between the pieces. */
function run(make: () => AnyDecoder, bytes: Buffer, step: () => number): { items: string[]; held: number } {
  const decoder = make();
  const items: string[] = [];
  let held = 0;
  for (let at = 0; at < bytes.length; ) {
    const to = Math.min(bytes.length, at + step());
    decoder.push(bytes.subarray(at, to));
    at = to;
    for (let item = decoder.next(); item !== undefined; item = decoder.next()) {
      items.push(told(item));
      // One byte makes at most one item: more would be a loop that never ends.
      if (items.length > at) throw new Error(`more items than bytes: ${items.length} for ${at}`);
    }
    held = Math.max(held, decoder.bufferedBytes);
  }
  return { items, held };
}

/** The same from a buffer that is written over after each piece, whether or not all of that was asked for. */
function runLent(bytes: Buffer, next: () => number): string[] {
  const decoder = createRequestDecoder(LIMITS);
  const lent = Buffer.alloc(64);
  const items: string[] = [];
  const take = (most: number): void => {
    for (let count = 0; count < most; count++) {
      const item = decoder.next();
      if (item === undefined) return;
      items.push(told(item));
    }
  };
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.copy(lent, 0, at, at + 1 + Math.floor(next() * lent.length));
    at += length;
    decoder.lend(lent, 0, length);
    take(next() < 0.5 ? Math.floor(next() * 3) : Number.POSITIVE_INFINITY);
    decoder.keep(lent);
    lent.fill(0x21);
  }
  take(Number.POSITIVE_INFINITY);
  return items;
}

const DECODERS: readonly [string, () => AnyDecoder, bound: number][] = [
  // A line under assembly, or a body; a binary frame is extras, key and body.
  ['requests', () => createRequestDecoder(LIMITS), LIMITS.getLine + LIMITS.body],
  ['text replies', () => createTextReplyDecoder(LIMITS), LIMITS.getLine + LIMITS.body],
  // A reply's key and extras are bounded by their fields in the header.
  ['binary replies', () => createBinaryReplyDecoder(LIMITS), LIMITS.body + 0xffff + 0xff],
];

describe(`any bytes at all (${RUNS} inputs, ROOKERY_TEST_SEED=${SEED})`, () => {
  it(
    'are decoded without a throw, a hang, or more held than the limits, and the same for every split',
    () => {
      const before = process.memoryUsage();
      for (let round = 0; round < RUNS; round++) {
        const seed = (SEED + round) >>> 0;
        const next = random(seed);
        const bytes = input(next);
        const [name, make, bound] = DECODERS[next() < 0.6 ? 0 : next() < 0.6 ? 1 : 2]!;
        const most = next() < 0.3 ? 1 : 1 + Math.floor(next() * 64);
        try {
          const whole = run(make, bytes, () => Math.max(1, bytes.length));
          const pieces = run(make, bytes, () => 1 + Math.floor(next() * most));
          if (whole.items.join('\n') !== pieces.items.join('\n')) {
            expect(pieces.items).toEqual(whole.items);
          }
          if (name === 'requests') {
            const lent = runLent(bytes, next);
            if (whole.items.join('\n') !== lent.join('\n')) expect(lent).toEqual(whole.items);
          }
          if (Math.max(whole.held, pieces.held) > bound) expect(pieces.held).toBeLessThanOrEqual(bound);
        } catch (error) {
          throw new Error(
            `${name}: replay with ROOKERY_TEST_SEED=${seed} ROOKERY_TEST_FUZZ_RUNS=1\n${JSON.stringify(bytes.toString('latin1'))}`,
            { cause: error },
          );
        }
      }
      const after = process.memoryUsage();
      // Garbage not yet collected is in here: a leak of one input each would be far above it.
      expect(after.heapUsed - before.heapUsed).toBeLessThan(256 * 1024 * 1024);
      expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(256 * 1024 * 1024);
    },
    60_000 + RUNS,
  );
});

it('a peer that never ends its line, its body or its frame holds no more than the limits', () => {
  const starts = [
    'x',
    'get ',
    'get k ',
    'set q 0 0 300\r\n',
    'set q 0 0 1000000\r\n',
    'set q 0 0 3\r\nabcd',
    'ms k 300\r\n',
    'VALUE q 0 300\r\n',
  ];
  for (const [, make, bound] of DECODERS) {
    for (const start of starts) {
      const decoder = make();
      decoder.push(Buffer.from(start));
      for (let sent = 0; sent < 5000; sent += 10) {
        while (decoder.next() !== undefined);
        expect(decoder.bufferedBytes).toBeLessThanOrEqual(bound);
        decoder.push(Buffer.alloc(10, 'x'));
      }
    }
  }
});

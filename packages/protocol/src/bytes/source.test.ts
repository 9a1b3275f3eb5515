import { expect, test } from 'vitest';
import { ByteSource } from './source.ts';

const bytes = (length: number, from = 0): Buffer =>
  Buffer.from(Array.from({ length }, (_, index) => (from + index) % 251));

/** Reads all that waits; returns it, and in how many chunks it came. */
function readAll(source: ByteSource): { read: Buffer; chunks: number } {
  const read: Buffer[] = [];
  while (source.more()) {
    read.push(Buffer.from(source.chunk.subarray(source.at, source.end)));
    source.at = source.end;
  }
  return { read: Buffer.concat(read), chunks: read.length };
}

test('what comes byte by byte and waits is not kept, and not looked for, byte by byte', () => {
  const whole = bytes(65_000);
  const lent = new ByteSource();
  const buffer = Buffer.alloc(100);
  for (const byte of whole) {
    buffer[50] = byte;
    lent.lend(buffer, 50, 51);
    lent.keep(buffer);
  }
  const pushed = new ByteSource();
  for (let at = 0; at < whole.length; at += 1) pushed.push(whole.subarray(at, at + 1));
  for (const source of [lent, pushed]) {
    expect(source.bufferedBytes).toBe(whole.length);
    const { read, chunks } = readAll(source);
    expect(read.equals(whole)).toBe(true);
    expect(chunks).toBeLessThan(100);
    expect(source.bufferedBytes).toBe(0);
  }
});

test('small and large chunks that wait are read in their order, also when more come meanwhile', () => {
  const source = new ByteSource();
  const lent = Buffer.alloc(5000);
  const sent: Buffer[] = [];
  let from = 0;
  for (const [at, length] of [1, 3, 700, 700, 1, 5000, 2, 1024, 1, 1, 3000, 400, 1].entries()) {
    const chunk = bytes(length, from);
    from += length;
    sent.push(chunk);
    if (at % 2 === 0) source.push(chunk);
    else {
      chunk.copy(lent);
      source.lend(lent, 0, length);
      source.keep(lent);
      lent.fill(255);
    }
  }
  expect(source.run(2000)).toBe(true);
  const first = Buffer.from(source.found.subarray(source.start, source.stop));
  for (let count = 0; count < 3; count += 1) {
    const chunk = bytes(10, from);
    from += 10;
    sent.push(chunk);
    source.push(chunk);
  }
  expect(Buffer.concat([first, readAll(source).read]).equals(Buffer.concat(sent))).toBe(true);
  source.push(bytes(1));
  source.push(bytes(1));
  source.drop();
  expect(source.bufferedBytes).toBe(0);
  expect(source.more()).toBe(false);
});

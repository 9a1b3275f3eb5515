import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LineSplitter } from '../../src/inputs/lines.ts';
import { SyslogFraming } from '../../src/inputs/syslog/framing.ts';

/** In pieces of any size, as a socket gives them. */
function inPieces(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0, index = 0; at < bytes.length; index++) {
    const size = sizes[index % sizes.length] ?? 1;
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 });

test('octet-counted messages and lines, in any order and any pieces, come out as they went in', () => {
  const message = fc.stringMatching(/^<\d{1,3}>[a-z 0-9]{0,30}$/);
  fc.assert(
    fc.property(fc.array(fc.tuple(message, fc.boolean()), { maxLength: 20 }), sizes, (messages, cuts) => {
      const stream = messages
        .map(([text, counted]) => (counted ? `${text.length} ${text}` : `${text}\n`))
        .join('');
      const framing = new SyslogFraming();
      const found = inPieces(Buffer.from(stream), cuts).flatMap((piece) => {
        const { frames, broken } = framing.push(piece);
        expect(broken).toBe(false);
        return frames.map(({ bytes }) => bytes.toString());
      });
      expect(found).toEqual(messages.map(([text]) => text));
    }),
  );
});

test.each(['70000 x', '999999', '12x', '5<13>'])('a stream that is out of step is given up: %s', (text) => {
  const framing = new SyslogFraming();
  expect(framing.push(Buffer.from(text)).broken).toBe(true);
});

test('whatever bytes come on a connection, no message is longer than the limit', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), sizes, (bytes, cuts) => {
      const framing = new SyslogFraming(100);
      for (const piece of inPieces(Buffer.from(bytes), cuts)) {
        const { frames, broken } = framing.push(piece);
        for (const frame of frames) expect(frame.bytes.length).toBeLessThanOrEqual(100);
        if (broken) return;
      }
    }),
    { numRuns: Number(process.env.ROOKERY_TEST_FUZZ_RUNS ?? 500) },
  );
});

test('lines come out whole in any pieces, too long ones cut, and what they took of the input adds up', () => {
  const text = fc.stringMatching(/^[a-z]{0,30}$/);
  fc.assert(
    fc.property(fc.array(text, { maxLength: 20 }), fc.boolean(), sizes, (lines, ended, cuts) => {
      const input = Buffer.from(lines.map((line) => `${line}\n`).join('') + (ended ? '' : 'last'));
      const splitter = new LineSplitter(20);
      const found = inPieces(input, cuts).flatMap((piece) => splitter.push(piece));
      const rest = splitter.end();
      if (rest !== undefined) found.push(rest);
      expect(found.map(({ bytes }) => bytes.toString())).toEqual(
        [...lines, ...(ended ? [] : ['last'])].map((line) => line.slice(0, 20)),
      );
      expect(found.map(({ cut }) => cut)).toEqual(
        [...lines, ...(ended ? [] : [''])].map((line) => line.length > 20),
      );
      expect(found.reduce((sum, { consumed }) => sum + consumed, 0)).toBe(input.length);
    }),
  );
});

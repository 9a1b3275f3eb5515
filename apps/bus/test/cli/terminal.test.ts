import { expect, test } from 'vitest';
import { eventLine, messageLine } from '../../src/cli/describe-event.ts';

const sequence = '\u001b]0;owned\u0007\u001b[2J';

test('a message can’t steer the terminal of who reads it, and keeps to its line', () => {
  const data = Buffer.from(`tab\tin ${sequence}\r\nand é\u009b1m`);
  expect(messageLine(data, true)).toBe('tab\tin \\x1b]0;owned\\x07\\x1b[2J\\x0d\\nand é\\x9b1m\n');
});

test('a pipe gets a message’s bytes as they are', () => {
  const data = Buffer.from([0xff, 0x1b, 0x0a, 0]);
  expect(messageLine(data, false)).toEqual(Buffer.from([0xff, 0x1b, 0x0a, 0, 0x0a]));
});

test('neither can the reason of a loss', () => {
  expect(eventLine({ kind: 'lost', session: '#a#d1', reason: sequence })).not.toContain('\u001b');
});

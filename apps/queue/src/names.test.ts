import fc from 'fast-check';
import { expect, test } from 'vitest';
import { displayName, wireName } from './names.ts';

test('a name of UTF-8 shows as it is', () => {
  for (const name of ['jobs', 'jöbs', '仕事', '🐦', 'a\\b', '\\x', 'a b']) {
    expect(displayName(wireName(name))).toBe(name);
  }
});

test('bytes that are no UTF-8 show as escapes, also beside some that are', () => {
  expect(displayName('\xff\xfe')).toBe('\\xff\\xfe');
  expect(displayName('caf\xc3\xa9\xc3')).toBe('café\\xc3');
  expect(displayName('\xed\xa0\x80')).toBe('\\xed\\xa0\\x80');
});

test('no two names show alike: each is found by what is shown', () => {
  const char = fc.oneof(
    fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
    fc.constantFrom('\\', '\\x', '\\xff', '\\x5c', 'x', 'c', '5', '\xc3\xa9', '\xe4\xbb\x95'),
  );
  fc.assert(
    fc.property(fc.array(char, { maxLength: 8 }), (chars) => {
      const name = chars.join('');
      expect(wireName(displayName(name))).toBe(name);
    }),
    { numRuns: 2000 },
  );
});

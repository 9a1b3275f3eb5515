import { crc32 as nativeCrc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import { viewOf } from './bytes.ts';
import { crc32 } from './crc.ts';

test('a checksum is CRC-32, whatever the length and wherever it begins', () => {
  const bytes = new Uint8Array(2000);
  for (let at = 0; at < bytes.length; at++) bytes[at] = Math.imul(at + 1, 0x9e3779b1) >>> 24;
  for (let length = 0; length < 700; length++) {
    for (const start of [0, 1, 7, 1000]) {
      expect(crc32(viewOf(bytes), start, start + length)).toBe(
        nativeCrc32(bytes.subarray(start, start + length)),
      );
    }
  }
});

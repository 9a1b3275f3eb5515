import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatBytes, formatDuration, parseBytes, parseDuration } from '../src/index.ts';

describe('durations and sizes', () => {
  it('are read in every unit', () => {
    expect(['500', '500ms', '2s', '1.1s', '3m', '3min', '1h', '7d'].map(parseDuration)).toEqual([
      500, 500, 2000, 1100, 180_000, 180_000, 3_600_000, 604_800_000,
    ]);
    expect(
      ['1', '64k', '64K', '16MiB', '16 mib', '10MB', '1kB', '1.5GiB', '2T', '9B'].map(parseBytes),
    ).toEqual([
      1, 65_536, 65_536, 16_777_216, 16_777_216, 10_000_000, 1000, 1_610_612_736, 2_199_023_255_552, 9,
    ]);
  });

  it('are refused when they are none', () => {
    for (const wrong of ['', 's', '-1s', '1e3', '1y', '0.5ms', '1 2', '9999999999999999d', '1constructor']) {
      expect([wrong, parseDuration(wrong)]).toEqual([wrong, undefined]);
    }
  });

  it('are written so that they read back as the same', () => {
    const amount = fc.oneof(
      fc.nat(),
      fc.nat().map((n) => n * 1024),
      fc.nat().map((n) => n * 60_000),
    );
    fc.assert(
      fc.property(amount, (n) => parseDuration(formatDuration(n)) === n && parseBytes(formatBytes(n)) === n),
    );
  });
});

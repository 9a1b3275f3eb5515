import type { Random } from '@rookery/testkit';

/** The same bytes but for a few: bits, bytes, numbers that mean a lot, a cut, a piece twice. */
export function mutated(bytes: Buffer, random: Random, headerBytes = bytes.length): Buffer {
  let result = Buffer.from(bytes);
  for (let count = random.pick([1, 1, 1, 2, 5]); count > 0; count--) {
    if (result.length === 0) return random.bytes(random.between(1, 50));
    // Mostly where the fields are that decide.
    const at = random.below(random.chance(0.7) ? Math.min(headerBytes, result.length) : result.length);
    switch (random.weighted({ bit: 4, byte: 3, number: 3, cut: 1, twice: 1, more: 1 })) {
      case 'bit':
        result[at]! ^= 1 << random.below(8);
        break;
      case 'byte':
        result[at] = random.below(256);
        break;
      case 'number': {
        const value = random.pick([
          0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0xffff_fffe,
        ]);
        if (at + 4 > result.length) break;
        if (random.chance(0.5)) result.writeUInt32LE(value, at);
        else result.writeUInt32BE(value, at);
        break;
      }
      case 'cut':
        result = result.subarray(0, at);
        break;
      case 'twice':
        result = Buffer.concat([result.subarray(0, at), result]);
        break;
      case 'more':
        result = Buffer.concat([result, random.bytes(random.between(1, 60))]);
        break;
    }
  }
  return result;
}

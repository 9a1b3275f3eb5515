import { crc32 as nativeCrc32 } from 'node:zlib';

/** From here on the native one is quicker: it takes 120 ns for any call and then a quarter of a nanosecond a byte. */
const NATIVE_BYTES = 320;

/** Eight tables in a row: what a byte does that is followed by 0 to 7 others. */
const TABLES: Int32Array = makeTables();

function makeTables(): Int32Array {
  const tables = new Int32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ 0xedb88320;
    tables[byte] = crc;
  }
  for (let at = 256; at < tables.length; at++) {
    const before = tables[at - 256]!;
    tables[at] = tables[before & 255]! ^ (before >>> 8);
  }
  return tables;
}

// hot: once per record written and read. 130 bytes take 82 ns, by the native call with its subarray 144.
/** CRC-32 of `bytes[start, end)`. */
export function crc32(bytes: Uint8Array, start: number, end: number): number {
  if (end - start >= NATIVE_BYTES) return nativeCrc32(bytes.subarray(start, end));
  const tables = TABLES;
  let crc = -1;
  let at = start;
  for (; at + 8 <= end; at += 8) {
    const first =
      crc ^ (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24));
    crc =
      tables[1792 + (first & 255)]! ^
      tables[1536 + ((first >>> 8) & 255)]! ^
      tables[1280 + ((first >>> 16) & 255)]! ^
      tables[1024 + (first >>> 24)]! ^
      tables[768 + bytes[at + 4]!]! ^
      tables[512 + bytes[at + 5]!]! ^
      tables[256 + bytes[at + 6]!]! ^
      tables[bytes[at + 7]!]!;
  }
  for (; at < end; at++) crc = tables[(crc ^ bytes[at]!) & 255]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

import { crc32 as nativeCrc32 } from 'node:zlib';

/** From here on the native one is quicker: it takes 120 ns for any call and then a quarter of a nanosecond a byte. */
const NATIVE_BYTES = 320;

/** Sixteen tables in a row: what a byte does that is followed by 0 to 15 others. */
const TABLES: Int32Array = makeTables();

function makeTables(): Int32Array {
  const tables = new Int32Array(16 * 256);
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

// hot: once per record written and read. 130 bytes take 71 ns; byte by byte from an array it is 91, and by the native
// call 144.
/** CRC-32 of the bytes `[start, end)`. */
export function crc32(bytes: DataView, start: number, end: number): number {
  if (end - start >= NATIVE_BYTES) {
    return nativeCrc32(new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start));
  }
  const tables = TABLES;
  let crc = -1;
  let at = start;
  for (; at + 16 <= end; at += 16) {
    const a = crc ^ bytes.getInt32(at, true);
    const b = bytes.getInt32(at + 4, true);
    const c = bytes.getInt32(at + 8, true);
    const d = bytes.getInt32(at + 12, true);
    crc =
      tables[3840 + (a & 255)]! ^
      tables[3584 + ((a >>> 8) & 255)]! ^
      tables[3328 + ((a >>> 16) & 255)]! ^
      tables[3072 + (a >>> 24)]! ^
      tables[2816 + (b & 255)]! ^
      tables[2560 + ((b >>> 8) & 255)]! ^
      tables[2304 + ((b >>> 16) & 255)]! ^
      tables[2048 + (b >>> 24)]! ^
      tables[1792 + (c & 255)]! ^
      tables[1536 + ((c >>> 8) & 255)]! ^
      tables[1280 + ((c >>> 16) & 255)]! ^
      tables[1024 + (c >>> 24)]! ^
      tables[768 + (d & 255)]! ^
      tables[512 + ((d >>> 8) & 255)]! ^
      tables[256 + ((d >>> 16) & 255)]! ^
      tables[d >>> 24]!;
  }
  for (; at < end; at++) crc = tables[(crc ^ bytes.getUint8(at)) & 255]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

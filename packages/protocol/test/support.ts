/** What the tests share: decoding under any split, and requests as plain values. */
import type { Reply, Request } from '../src/memcache/index.ts';

interface Decoder<T> {
  readonly bufferedBytes: number;
  push(chunk: Uint8Array): void;
  next(): T | undefined;
}

/** A request or reply with its body as a latin1 string, so that it can be compared. */
export function plain(item: Request | Reply): Record<string, unknown> {
  const { buffer, start, end, ...rest } = item as unknown as Record<string, unknown>;
  if (!Buffer.isBuffer(buffer)) return rest;
  return { ...rest, body: buffer.toString('latin1', start as number, end as number) };
}

/** Everything that comes out for `bytes` cut at `cuts` (offsets, in any order). Bodies are read after the last push. */
export function decodeAll<T extends Request | Reply>(
  decoder: Decoder<T>,
  bytes: Buffer,
  cuts: readonly number[] = [],
): Record<string, unknown>[] {
  const items: T[] = [];
  const sorted = [...cuts].filter((cut) => cut > 0 && cut < bytes.length).sort((a, b) => a - b);
  let from = 0;
  for (const cut of [...sorted, bytes.length]) {
    // A copy of its own, as a socket would give it.
    decoder.push(Buffer.from(bytes.subarray(from, cut)));
    from = cut;
    for (let item = decoder.next(); item !== undefined; item = decoder.next()) items.push(item);
  }
  return items.map(plain);
}

/** One cut at every offset: a byte at a time. */
export function everyByte(bytes: Buffer): number[] {
  return Array.from(bytes, (_, index) => index);
}

export function latin1(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

/** What bencoding can say. Byte strings stay bytes; the keys of dictionaries become text. */
export type Bdecoded = number | Buffer | readonly Bdecoded[] | { readonly [key: string]: Bdecoded };

/** An answer of a tracker has three levels. */
const DEPTH_MAX = 8;

/** Reads bencoding (BEP 3); undefined when it is none. Whoever calls it bounds the bytes. */
export function bdecode(bytes: Buffer): Bdecoded | undefined {
  let at = 0;

  const integer = (end: string): number | undefined => {
    const to = bytes.indexOf(end, at, 'latin1');
    if (to === -1 || to - at > 16) return undefined;
    const text = bytes.toString('latin1', at, to);
    at = to + 1;
    return /^-?\d+$/.test(text) ? Number(text) : undefined;
  };
  const string = (): Buffer | undefined => {
    const length = integer(':');
    if (length === undefined || length < 0 || at + length > bytes.length) return undefined;
    at += length;
    return bytes.subarray(at - length, at);
  };
  const value = (depth: number): Bdecoded | undefined => {
    const kind = bytes[at];
    if (depth > DEPTH_MAX || kind === undefined) return undefined;
    if (kind !== 0x69 && kind !== 0x6c && kind !== 0x64) return string();
    at++;
    if (kind === 0x69) return integer('e');
    const list: Bdecoded[] = [];
    while (bytes[at] !== 0x65) {
      const item = value(depth + 1);
      if (item === undefined) return undefined;
      list.push(item);
    }
    at++;
    return kind === 0x6c ? list : dictionary(list);
  };
  return value(0);
}

function dictionary(list: readonly Bdecoded[]): Bdecoded | undefined {
  if (list.length % 2 !== 0) return undefined;
  const found: [string, Bdecoded][] = [];
  for (let at = 0; at < list.length; at += 2) {
    const key = list[at];
    if (!Buffer.isBuffer(key)) return undefined;
    found.push([key.toString('latin1'), list[at + 1]!]);
  }
  return Object.fromEntries(found);
}

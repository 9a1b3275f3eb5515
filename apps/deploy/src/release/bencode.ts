/** What a torrent is made of: byte strings (text as its UTF-8), integers, lists, dictionaries. */
export type Bencodable =
  | string
  | Uint8Array
  | number
  | readonly Bencodable[]
  | { readonly [key: string]: Bencodable };

/** Bencoding as BEP 3 has it; the keys of a dictionary are sorted by their bytes. */
export function bencode(value: Bencodable): Buffer {
  const parts: Uint8Array[] = [];
  write(value, parts);
  return Buffer.concat(parts);
}

function write(value: Bencodable, parts: Uint8Array[]): void {
  if (typeof value === 'number') parts.push(Buffer.from(`i${value}e`));
  else if (typeof value === 'string') write(Buffer.from(value, 'utf8'), parts);
  else if (value instanceof Uint8Array) parts.push(Buffer.from(`${value.length}:`), value);
  else if (isList(value)) {
    parts.push(Buffer.from('l'));
    for (const item of value) write(item, parts);
    parts.push(Buffer.from('e'));
  } else {
    parts.push(Buffer.from('d'));
    const keys = Object.keys(value).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    for (const key of keys) {
      write(key, parts);
      write(value[key]!, parts);
    }
    parts.push(Buffer.from('e'));
  }
}

function isList(value: Bencodable): value is readonly Bencodable[] {
  return Array.isArray(value);
}

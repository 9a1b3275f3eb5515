/** Names in payloads between daemons: a byte with the length, then latin1. */

/** Where a decoder is. */
export interface Cursor {
  readonly bytes: Buffer;
  at: number;
}

/** Returns where the next field begins. */
export function putName(bytes: Buffer, at: number, name: string): number {
  bytes[at] = name.length;
  bytes.write(name, at + 1, name.length, 'latin1');
  return at + 1 + name.length;
}

/** Undefined when no whole name stands there. */
export function takeName(cursor: Cursor): string | undefined {
  const { bytes, at } = cursor;
  const length = bytes[at];
  if (length === undefined || length === 0 || at + 1 + length > bytes.length) return undefined;
  cursor.at = at + 1 + length;
  return bytes.toString('latin1', at + 1, cursor.at);
}

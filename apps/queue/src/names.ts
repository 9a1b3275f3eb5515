import { isUtf8 } from 'node:buffer';

// A queue's name is bytes. On the wire and in the server it is a string with one char per byte; people, files and
// JSON have it as UTF-8.

/** What is UTF-8 beyond ASCII (RFC 3629), or one byte that is not. */
const beyondAscii =
  /[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}|[\x80-\xff]/g;

/**
 * For people. Bytes that are no UTF-8 show as `\xff`, and a backslash that would look like such a byte as `\x5c`:
 * two queues never show alike, and `wireName` finds back.
 */
export function displayName(name: string): string {
  const plain = name.replace(/\\(?=x[0-9a-f]{2})/g, '\\x5c');
  const bytes = Buffer.from(plain, 'latin1');
  if (isUtf8(bytes)) return bytes.toString('utf8');
  const escaped = plain.replace(beyondAscii, (found) =>
    found.length > 1 ? found : `\\x${found.charCodeAt(0).toString(16)}`,
  );
  return Buffer.from(escaped, 'latin1').toString('utf8');
}

/** From what people typed, or `displayName` showed. */
export function wireName(name: string): string {
  return Buffer.from(name, 'utf8')
    .toString('latin1')
    .replace(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

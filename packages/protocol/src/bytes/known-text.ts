/**
 * Short texts of one byte per char that come again and again, such as names in messages: the string that stood there
 * last time, if it is the same. Comparing costs a quarter of making a string, and what is made anew has to be hashed
 * before a map finds it.
 */

/** Texts remembered: more than the busy names of a daemon, and at most 64 KiB. */
const PLACES = 1024;
/** Longer ones are no names. */
const BYTES_MAX = 64;
const known: string[] = new Array(PLACES).fill('');

// hot: several times per message.
/** As `bytes.toString('latin1', from, to)`. */
export function knownText(bytes: Buffer, from: number, to: number): string {
  const length = to - from;
  if (length === 0) return '';
  if (length > BYTES_MAX) return bytes.toString('latin1', from, to);
  let hash = length;
  for (let at = from; at < to; at++) hash = (hash * 31 + bytes[at]!) | 0;
  const place = (hash ^ (hash >>> 10) ^ (hash >>> 20)) & (PLACES - 1);
  const text = known[place]!;
  if (text.length === length) {
    let at = 0;
    while (at < length && text.charCodeAt(at) === bytes[from + at]) at++;
    if (at === length) return text;
  }
  const made = bytes.toString('latin1', from, to);
  known[place] = made;
  return made;
}

/** A message's data in a text frame: `text` where it is UTF-8, else `base64`. */
import { type Fields, has, text, Wrong } from './fields.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export type DataField = { readonly text: string } | { readonly base64: string };

export function toField(data: Uint8Array): DataField {
  try {
    return { text: decoder.decode(data) };
  } catch {
    return { base64: toBase64(data) };
  }
}

export function fromFields(fields: Fields): Uint8Array {
  if (has(fields, 'text') === has(fields, 'base64'))
    throw new Wrong('a message has either "text" or "base64"');
  return has(fields, 'text') ? encoder.encode(text(fields, 'text')) : fromBase64(text(fields, 'base64'));
}

export function utf8Length(value: string): number {
  let ascii = 0;
  while (ascii < value.length && value.charCodeAt(ascii) < 0x80) ascii++;
  return ascii === value.length ? ascii : encoder.encode(value).length;
}

/** Characters for one call: `fromCharCode` takes its arguments from the stack. */
const STEP = 8192;

function toBase64(data: Uint8Array): string {
  let latin1 = '';
  for (let at = 0; at < data.length; at += STEP) {
    latin1 += String.fromCharCode(...data.subarray(at, at + STEP));
  }
  return btoa(latin1);
}

/** Padded, and without the spaces that `atob` takes. */
function fromBase64(value: string): Uint8Array {
  if (value.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(value)) {
    throw new Wrong('"base64" has A to Z, a to z, 0 to 9, + and /, and is padded with =');
  }
  const latin1 = atob(value);
  const data = new Uint8Array(latin1.length);
  for (let at = 0; at < data.length; at++) data[at] = latin1.charCodeAt(at);
  return data;
}

/** What a reply of one line means. */
import type { MetaCode } from '../meta/replies.ts';
import { parseUint64 } from '../numbers.ts';
import type { MetaReply, TextReply } from '../replies.ts';

const META_CODES: ReadonlySet<string> = new Set<MetaCode>(['HD', 'EN', 'NF', 'NS', 'EX', 'MN']);

/** Every line is some reply: what isn't known is a `line`. */
export function parseReplyLine(text: string): TextReply | MetaReply {
  if (text === 'END') return { wire: 'text', kind: 'end' };
  const space = text.indexOf(' ');
  const word = space < 0 ? text : text.slice(0, space);
  const rest = space < 0 ? '' : text.slice(space + 1);
  if (word.length === 2) {
    const meta = parseMetaLine(word, rest);
    if (meta !== undefined) return meta;
  }
  if (word === 'STAT' && rest !== '') {
    const cut = rest.indexOf(' ');
    const name = cut < 0 ? rest : rest.slice(0, cut);
    return { wire: 'text', kind: 'stat', name, value: cut < 0 ? '' : rest.slice(cut + 1) };
  }
  if (word === 'ERROR' || word === 'CLIENT_ERROR' || word === 'SERVER_ERROR') {
    return { wire: 'text', kind: 'error', error: word, message: rest };
  }
  // decr pads its number with spaces when it got shorter.
  const value = rest.trim() === '' ? parseUint64(word) : undefined;
  if (value !== undefined) return { wire: 'text', kind: 'number', value };
  return { wire: 'text', kind: 'line', text };
}

function parseMetaLine(code: string, rest: string): MetaReply | undefined {
  if (META_CODES.has(code))
    return { wire: 'meta', kind: 'status', code: code as MetaCode, flags: words(rest) };
  if (code !== 'ME') return undefined;
  const [key, ...facts] = words(rest);
  return key === undefined ? undefined : { wire: 'meta', kind: 'debug', key, facts };
}

function words(text: string): string[] {
  return text === '' ? [] : text.split(' ').filter((word) => word !== '');
}

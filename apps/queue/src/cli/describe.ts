/** A message as the commands print it. Pure. */
import { isUtf8 } from 'node:buffer';
import type { Message } from '../client/index.ts';

const NEWLINE = Buffer.from('\n');
// biome-ignore lint/suspicious/noControlCharactersInRegex: a terminal obeys them
const steering = /[\x00-\x08\x0a-\x1f\x7f-\x9f]/g;

/** On a terminal, what would steer it is shown as an escape, and the message keeps to its line; else its bytes as they are. */
export function messageLine(body: Buffer, terminal: boolean): Buffer | string {
  if (!terminal) return Buffer.concat([body, NEWLINE]);
  const shown = body
    .toString('utf8')
    .replace(steering, (character) =>
      character === '\n' ? '\\n' : `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
    );
  return `${shown}\n`;
}

/** The stable form for programs, which `import ndjson` reads back: docs/run-the-queue.md. */
export function messageJson(message: Message): string {
  const { queue, sequence, flags, expiresInSeconds, body } = message;
  const text = isUtf8(body);
  return `${JSON.stringify({
    queue,
    sequence,
    flags,
    ...(expiresInSeconds === undefined ? {} : { expires_in_seconds: expiresInSeconds }),
    ...(text ? { body: body.toString('utf8') } : { body_base64: body.toString('base64') }),
  })}\n`;
}

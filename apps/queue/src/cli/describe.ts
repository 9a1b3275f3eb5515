/** A message as the commands print it. Pure. */
import { isUtf8 } from 'node:buffer';
import type { Message } from '../client/index.ts';

const NEWLINE = Buffer.from('\n');
// biome-ignore lint/suspicious/noControlCharactersInRegex: a terminal obeys them
const steering = /[\x00-\x08\x0a-\x1f\x7f-\x9f]/g;

/** On a terminal, what would steer it is shown as an escape, and the message keeps to its line; else its bytes as they are. */
export function messageLine(body: Buffer, terminal: boolean): Buffer | string {
  if (!terminal) return Buffer.concat([body, NEWLINE]);
  return `${plain(body.toString('utf8'))}\n`;
}

/** What a terminal shows and does not obey. */
export function plain(text: string): string {
  return text.replace(steering, (character) =>
    character === '\n' ? '\\n' : `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

/** The stable form for programs: docs/run-the-queue.md. */
export function messageJson(message: Message): string {
  const { queue, flags, priority, id, deliveries, origin, expiresInSeconds, body } = message;
  return `${JSON.stringify({
    queue,
    flags,
    priority,
    id,
    deliveries,
    origin,
    expires_in_seconds: expiresInSeconds,
    ...(isUtf8(body) ? { body: body.toString('utf8') } : { body_base64: body.toString('base64') }),
  })}\n`;
}

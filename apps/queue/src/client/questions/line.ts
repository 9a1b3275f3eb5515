/** What all questions are made of. */
import {
  type MetaCommand,
  type Output,
  type Reply,
  type TextRequest,
  writeMetaRequest,
  writeTextRequest,
} from '@rookery/protocol/memcache';
import { wireName } from '../../names.ts';
import type { more, Question } from '../ask.ts';
import { QueueError } from '../errors.ts';
import type { AfterLoss } from '../pipeline.ts';

/** Of a request beside its body. */
export const LINE_BYTES = 64;
const NAME_BYTES = 250;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a key can't have as it is
const unwritable = /[\x00-\x20\x7f]/;

/** A queue's name as the wire has it. @throws QueueError `BAD_ARGUMENT` */
export function nameOf(name: string): string {
  const key = wireName(name);
  if (key.length > 0 && key.length <= NAME_BYTES) return key;
  throw new QueueError(
    'BAD_ARGUMENT',
    `a queue’s name has 1 to ${NAME_BYTES} bytes, this one has ${key.length}`,
  );
}

/** Whether it can stand in a line as it is. */
export function isWord(text: string): boolean {
  return text !== '' && !unwritable.test(text);
}

/** What stands on a line with its key; in base64 where it can't stand as it is. */
export function writeMeta(out: Output, command: Exclude<MetaCommand, { kind: 'mn' }>): void {
  writeMetaRequest(out, isWord(command.key) ? command : { ...command, base64: true });
}

/** Whether a meta reply says just this. */
export function says(reply: Reply, code: string): boolean {
  return reply.wire === 'meta' && reply.kind === 'status' && reply.code === code;
}

/** A command of one line and no body. @throws QueueError `BAD_ARGUMENT` for a name that no line can have */
export function lineQuestion<T>(
  verb: string,
  args: readonly string[],
  afterLoss: AfterLoss,
  read: (reply: Reply) => T | typeof more,
): Question<T> {
  for (const arg of args) {
    if (!isWord(arg)) {
      throw new QueueError('BAD_ARGUMENT', `${JSON.stringify(arg)} can’t stand in a command line`);
    }
  }
  const request: TextRequest = { wire: 'text', kind: 'line', verb, args: [...args], noreply: false };
  return { bytes: LINE_BYTES, afterLoss, write: (out) => writeTextRequest(out, request), read };
}

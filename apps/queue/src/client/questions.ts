/** Each command as a question: what is written, what its answer means, and whether it may be asked twice. */
import {
  type MetaCommand,
  type Output,
  type Reply,
  writeMetaRequest,
  writeTextRequest,
} from '@rookery/protocol/memcache';
import { wireName } from '../names.ts';
import { more, type Question } from './ask.ts';
import { QueueError } from './errors.ts';
import type { Received } from './message.ts';
import type { AfterLoss } from './pipeline.ts';
import { refusalOf } from './refusals.ts';

/** A queue's name as the wire has it. @throws QueueError `BAD_ARGUMENT` */
export function nameOf(name: string): string {
  const key = wireName(name);
  if (key.length > 0 && key.length <= NAME_BYTES) return key;
  throw new QueueError(
    'BAD_ARGUMENT',
    `a queue’s name has 1 to ${NAME_BYTES} bytes, this one has ${key.length}`,
  );
}

const NAME_BYTES = 250;
/** Of a request beside its body. */
const LINE_BYTES = 64;
const EMPTY = Buffer.alloc(0);
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a key can't have as it is
const unwritable = /[\x00-\x20\x7f]/;

/** What stands on a line with its key; in base64 where it can't stand as it is. */
function writeMeta(out: Output, command: Exclude<MetaCommand, { kind: 'mn' }>): void {
  writeMetaRequest(out, unwritable.test(command.key) ? { ...command, base64: true } : command);
}

/** A command of one line and no body. @throws QueueError `BAD_ARGUMENT` for a name that no line can have */
function line<T>(
  verb: string,
  args: readonly string[],
  afterLoss: AfterLoss,
  read: (reply: Reply) => T | typeof more,
): Question<T> {
  for (const arg of args) {
    if (arg === '' || unwritable.test(arg)) {
      throw new QueueError('BAD_ARGUMENT', `${JSON.stringify(arg)} can’t stand in a command line`);
    }
  }
  return {
    bytes: LINE_BYTES,
    afterLoss,
    write: (out) =>
      writeTextRequest(out, { wire: 'text', kind: 'line', verb, args: [...args], noreply: false }),
    read,
  };
}

// --- messages -----------------------------------------------------------------------------------

export interface PutRequest {
  readonly key: string;
  readonly flags: number;
  /** Seconds from now or Unix time, as memcached has it; 0 for never. */
  readonly exptime: number;
  readonly body: Buffer;
}

/** Answers with the message's sequence. */
// hot:
export function putQuestion({ key, flags, exptime, body }: PutRequest): Question<number> {
  const asked = ['c'];
  if (flags !== 0) asked.push(`F${flags}`);
  if (exptime !== 0) asked.push(`T${exptime}`);
  return {
    bytes: LINE_BYTES + body.length,
    afterLoss: 'unless-sent',
    write: (out) =>
      writeMeta(out, { kind: 'ms', key, flags: asked, buffer: body, start: 0, end: body.length }),
    read(reply) {
      if (reply.wire !== 'meta' || reply.kind !== 'status' || reply.code !== 'HD') throw refusalOf(reply);
      return tokenOf(reply.flags, 'c') ?? 0;
    },
  };
}

const READ_FLAGS = ['v', 'c', 'f', 't'];

export interface ReadRequest {
  /** With its options, but for `/t=`. */
  readonly key: string;
  readonly waitMs?: number;
  readonly afterLoss: AfterLoss;
}

// hot:
export function readQuestion({ key, waitMs = 0, afterLoss }: ReadRequest): Question<Received | undefined> {
  return {
    bytes: LINE_BYTES,
    afterLoss,
    waitMs,
    write(out, elapsedMs) {
      const left = Math.ceil(waitMs - elapsedMs);
      writeMeta(out, { kind: 'mg', key: left > 0 ? `${key}/t=${left}` : key, flags: READ_FLAGS });
    },
    read: receivedOf,
  };
}

function receivedOf(reply: Reply): Received | undefined {
  if (reply.wire === 'meta' && reply.kind === 'status' && reply.code === 'EN') return undefined;
  if (reply.wire !== 'meta' || reply.kind !== 'value') throw refusalOf(reply);
  const { flags, buffer, start, end } = reply;
  const expires = tokenOf(flags, 't') ?? -1;
  return {
    sequence: tokenOf(flags, 'c') ?? 0,
    flags: tokenOf(flags, 'f') ?? 0,
    expiresInSeconds: expires < 0 ? undefined : expires,
    // What points into a chunk keeps all of it alive.
    body:
      (end - start) * 2 > buffer.buffer.byteLength ? buffer.subarray(start, end) : copy(buffer, start, end),
  };
}

function copy(buffer: Buffer, start: number, end: number): Buffer {
  return start === end ? EMPTY : Buffer.from(buffer.subarray(start, end));
}

function tokenOf(flags: readonly string[], letter: string): number | undefined {
  for (const flag of flags) if (flag.startsWith(letter)) return Number(flag.slice(1));
  return undefined;
}

/** Acknowledges the connection's oldest open message of the queue; false if none is open. */
export function confirmQuestion(key: string): Question<boolean> {
  return line('confirm', [key, '1'], 'never', (reply) => {
    if (reply.kind === 'end') return true;
    if (reply.kind === 'error' && reply.error === 'ERROR' && reply.message === '') return false;
    throw refusalOf(reply);
  });
}

export function abortQuestion(key: string): Question<undefined> {
  return {
    bytes: LINE_BYTES,
    afterLoss: 'never',
    write: (out) => writeMeta(out, { kind: 'mg', key: `${key}/abort`, flags: [] }),
    read(reply) {
      if (reply.wire === 'meta' && reply.kind === 'status' && reply.code === 'EN') return undefined;
      throw refusalOf(reply);
    },
  };
}

/** False if none is open. */
export function touchQuestion(key: string): Question<boolean> {
  return line('touch', [key, '0'], 'never', (reply) => {
    if (reply.kind === 'line' && reply.text === 'TOUCHED') return true;
    if (reply.kind === 'line' && reply.text === 'NOT_FOUND') return false;
    throw refusalOf(reply);
  });
}

// --- management ---------------------------------------------------------------------------------

/** Figures of a queue or of the server, under the names that `stats` has. */
export type Figures = ReadonlyMap<string, string>;

export function statsQuestion(): Question<Figures> {
  const figures = new Map<string, string>();
  return line('stats', [], 'again', (reply) => {
    if (reply.kind === 'end') return figures;
    if (reply.kind !== 'stat') throw refusalOf(reply);
    if (!reply.name.startsWith('queue_') || SERVER_FIGURES.has(reply.name)) {
      figures.set(reply.name, reply.value);
    }
    return more;
  });
}

/** Those of the server that begin as a queue's do. */
const SERVER_FIGURES: ReadonlySet<string> = new Set(['queue_creates', 'queue_deletes', 'queue_expires']);

/** By the names as the wire has them; without `keys` all there are. */
export function queuesQuestion(keys: readonly string[]): Question<Map<string, Map<string, string>>> {
  let queues = new Map<string, Map<string, string>>();
  let current: Map<string, string> | undefined;
  const question = line<Map<string, Map<string, string>>>('dump_stats', keys, 'again', (reply) => {
    if (reply.kind === 'end') return queues;
    if (reply.kind !== 'line') throw refusalOf(reply);
    const { text } = reply;
    if (text === '}') current = undefined;
    else if (current !== undefined) {
      const cut = text.indexOf('=');
      current.set(text.slice(2, cut), text.slice(cut + 1));
    } else if (text.startsWith("queue '") && text.endsWith("' {")) {
      current = new Map();
      queues.set(text.slice(7, -3), current);
    } else throw refusalOf(reply);
    return more;
  });
  return {
    ...question,
    write(out, elapsedMs) {
      // Asked again after a broken connection: what came over that one is void.
      queues = new Map();
      current = undefined;
      question.write(out, elapsedMs);
    },
  };
}

/** Drops all messages of a queue. */
export function flushQuestion(key: string): Question<undefined> {
  return line('flush', [key], 'unless-sent', (reply) => {
    if (reply.kind === 'end') return undefined;
    throw refusalOf(reply);
  });
}

/** Answers whether it was there. */
export function deleteQuestion(key: string): Question<boolean> {
  return {
    bytes: LINE_BYTES,
    afterLoss: 'unless-sent',
    write: (out) => writeMeta(out, { kind: 'md', key, flags: [] }),
    read(reply) {
      if (reply.wire === 'meta' && reply.kind === 'status' && reply.code === 'HD') return true;
      if (reply.wire === 'meta' && reply.kind === 'status' && reply.code === 'NF') return false;
      throw refusalOf(reply);
    },
  };
}

/** A command that is answered by one line, such as `version`. */
export function lineQuestion(verb: string, args: readonly string[], afterLoss: AfterLoss): Question<string> {
  return line(verb, args, afterLoss, (reply) => {
    if (reply.kind === 'line') return reply.text;
    if (reply.kind === 'end') return 'END';
    throw refusalOf(reply);
  });
}

/** What can't be encoded is the caller's mistake. */
export function encoded(encode: () => string | Uint8Array): Buffer {
  try {
    const value = encode();
    if (typeof value === 'string') return Buffer.from(value, 'utf8');
    return Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new QueueError('BAD_ARGUMENT', `the value can’t be encoded: ${reason}`, { cause });
  }
}

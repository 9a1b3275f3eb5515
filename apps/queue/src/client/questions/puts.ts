import type { Question } from '../ask.ts';
import { QueueError } from '../errors.ts';
import { refusalOf } from '../refusals.ts';
import { LINE_BYTES, says, writeMeta } from './line.ts';

export interface PutRequest {
  /** With its options. */
  readonly key: string;
  readonly flags: number;
  /** Seconds from now or Unix time, as memcached has it; 0 for never. */
  readonly exptime: number;
  readonly delayMs: number;
  readonly priority: number | undefined;
  readonly id: string | undefined;
  readonly body: Buffer;
}

export interface PutReceipt {
  /** A message of this id was put before: this one is not stored. */
  readonly duplicate: boolean;
}

const stored: PutReceipt = { duplicate: false };
const duplicate: PutReceipt = { duplicate: true };

// hot:
export function putQuestion(request: PutRequest): Question<PutReceipt> {
  const { key, flags, exptime, delayMs, priority, id, body } = request;
  const asked: string[] = [];
  if (flags !== 0) asked.push(`F${flags}`);
  if (exptime !== 0) asked.push(`T${exptime}`);
  if (delayMs > 0) asked.push(`D${delayMs}`);
  if (priority !== undefined) asked.push(`P${priority}`);
  if (id !== undefined) asked.push(`U${id}`);
  return {
    bytes: LINE_BYTES + body.length,
    // With an id the server knows the second one for what it is.
    afterLoss: id === undefined ? 'unless-sent' : 'again',
    write: (out) =>
      writeMeta(out, { kind: 'ms', key, flags: asked, buffer: body, start: 0, end: body.length }),
    read(reply) {
      if (reply.wire !== 'meta' || reply.kind !== 'status' || reply.code !== 'HD') throw refusalOf(reply);
      return reply.flags.includes('U') ? duplicate : stored;
    },
  };
}

/** Settings by their names in the settings file; null takes one back. All of them, or none. */
export function configureQuestion(
  key: string,
  settings: Readonly<Record<string, unknown>>,
): Question<undefined> {
  const body = Buffer.from(JSON.stringify(settings));
  return {
    bytes: LINE_BYTES + body.length,
    afterLoss: 'again',
    write: (out) =>
      writeMeta(out, { kind: 'ms', key, flags: ['MC'], buffer: body, start: 0, end: body.length }),
    read(reply) {
      if (says(reply, 'HD')) return undefined;
      throw refusalOf(reply);
    },
  };
}

/** What can't be encoded is the caller's mistake. @throws QueueError `BAD_ARGUMENT` */
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

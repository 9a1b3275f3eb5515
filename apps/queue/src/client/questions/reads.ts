import { type Output, type Reply, writeMetaRequest } from '@rookery/protocol/memcache';
import { displayName } from '../../names.ts';
import { more, type Question } from '../ask.ts';
import type { Received } from '../message.ts';
import type { AfterLoss } from '../pipeline.ts';
import { refusalOf } from '../refusals.ts';
import { LINE_BYTES, says, writeMeta } from './line.ts';

const READ_FLAGS = ['v', 'c', 'f', 't', 'p', 'u', 'o'];
const OPEN_FLAGS = [...READ_FLAGS, 'd'];
const EMPTY = Buffer.alloc(0);

/** In base64, whatever the key is: then where a dead letter came from comes back so, and never looks like another name. */
function writeRead(out: Output, key: string, leftMs: number, flags: readonly string[]): void {
  writeMetaRequest(out, { kind: 'mg', key: leftMs > 0 ? `${key}/t=${leftMs}` : key, flags, base64: true });
}

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
    write: (out, elapsedMs) => writeRead(out, key, Math.ceil(waitMs - elapsedMs), READ_FLAGS),
    read: (reply) => (says(reply, 'EN') ? undefined : receivedOf(reply)),
  };
}

/** Takes up to so many that are there. */
export function batchQuestion(key: string, count: number): Question<readonly Received[]> {
  return batch(key, 0, 'unless-sent', [...READ_FLAGS, `B${count}`]);
}

/** Opens up to so many, and waits for the first. What a broken connection had opened is back in its queue. */
export function openQuestion(key: string, count: number, waitMs: number): Question<readonly Received[]> {
  return batch(`${key}/open`, waitMs, 'again', [...OPEN_FLAGS, `B${count}`]);
}

function batch(
  key: string,
  waitMs: number,
  afterLoss: AfterLoss,
  flags: readonly string[],
): Question<readonly Received[]> {
  let received: Received[] = [];
  return {
    bytes: LINE_BYTES,
    afterLoss,
    waitMs,
    write(out, elapsedMs) {
      // Asked again after a broken connection: what came over that one is void.
      received = [];
      writeRead(out, key, Math.ceil(waitMs - elapsedMs), flags);
    },
    read(reply) {
      if (says(reply, 'EN')) return received;
      received.push(receivedOf(reply));
      return more;
    },
  };
}

function receivedOf(reply: Reply): Received {
  if (reply.wire !== 'meta' || reply.kind !== 'value') throw refusalOf(reply);
  const { buffer, start, end } = reply;
  const received = {
    handle: '0',
    flags: 0,
    priority: 5,
    id: undefined as string | undefined,
    deliveries: undefined as number | undefined,
    origin: undefined as string | undefined,
    expiresInSeconds: undefined as number | undefined,
    // What points into a chunk keeps all of it alive.
    body:
      (end - start) * 2 > buffer.buffer.byteLength ? buffer.subarray(start, end) : copy(buffer, start, end),
  };
  for (const flag of reply.flags) {
    const token = flag.slice(1);
    switch (flag[0]) {
      case 'c':
        received.handle = token;
        break;
      case 'f':
        received.flags = Number(token);
        break;
      case 't':
        if (token !== '-1') received.expiresInSeconds = Number(token);
        break;
      case 'p':
        received.priority = Number(token);
        break;
      case 'u':
        received.id = token;
        break;
      case 'o':
        received.origin = displayName(Buffer.from(token, 'base64').toString('latin1'));
        break;
      case 'd':
        received.deliveries = Number(token);
    }
  }
  return received;
}

function copy(buffer: Buffer, start: number, end: number): Buffer {
  return start === end ? EMPTY : Buffer.from(buffer.subarray(start, end));
}

// --- messages that are held ---------------------------------------------------------------------

/** False if it is not held, and then nothing has happened. */
export function acknowledgeQuestion(key: string, handle: string): Question<boolean> {
  return {
    bytes: LINE_BYTES,
    afterLoss: 'never',
    write: (out) => writeMeta(out, { kind: 'md', key, flags: [`C${handle}`] }),
    read: doneOrNot,
  };
}

export type HeldAction = 'bury' | 'touch' | { readonly touchMs: number };

/** As above. */
export function heldQuestion(action: HeldAction, key: string, handle: string): Question<boolean> {
  const asked =
    action === 'bury' ? ['MB'] : action === 'touch' ? ['MT'] : ['MT', `D${Math.ceil(action.touchMs)}`];
  return act(key, [...asked, `C${handle}`]);
}

/** As above. */
export function giveBackQuestion(key: string, handle: string, delayMs: number): Question<boolean> {
  const asked = delayMs > 0 ? ['MA', `D${Math.ceil(delayMs)}`] : ['MA'];
  return act(key, [...asked, `C${handle}`]);
}

function act(key: string, flags: readonly string[]): Question<boolean> {
  return {
    bytes: LINE_BYTES,
    afterLoss: 'never',
    write: (out) => writeMeta(out, { kind: 'ma', key, flags }),
    read: doneOrNot,
  };
}

function doneOrNot(reply: Reply): boolean {
  if (says(reply, 'HD')) return true;
  if (says(reply, 'NF') || says(reply, 'EX')) return false;
  throw refusalOf(reply);
}

import { AdminError } from '@rookery/service';
import { displayName } from '../names.ts';
import { opensAt, parseSlotName } from '../queue/delays/wheel.ts';
import type { Queue } from '../queue/queue.ts';
import { handleOf, type Message, ordinaryPriority, type StoredLane } from '../store/store.ts';

/** A message as `/queues/NAME/messages` shows it; it stays where it is. */
export interface MessageView {
  /** `ready`, `open` while somebody holds it, `delayed` while its time has not come. */
  readonly state: 'ready' | 'open' | 'delayed';
  readonly priority: number;
  readonly added_at: string;
  readonly expires_at: string | null;
  readonly due_at: string | null;
  /** How often it came back from who had read it. */
  readonly returns: number;
  readonly id: string | null;
  /** For a dead letter: the queue that it came from. */
  readonly origin: string | null;
  readonly flags: number;
  readonly bytes: number;
  /** The body in Base64, or the beginning of a longer one. */
  readonly body: string;
}

export interface MessagesPage {
  readonly messages: readonly MessageView[];
  /** For `?after=`; null at the end. */
  readonly next_after: string | null;
}

/** Messages of one answer: what a person looks through. */
const messagesMax = 100;
/** Of one body: what is longer is a file, and nobody reads it here. */
const bodyBytesMax = 16 * 1024;
/** Read from the disk for one answer: a few milliseconds. */
const readBytesMax = 1024 * 1024;

/** The queue's messages, most urgent first, then delayed ones by their time. @throws AdminError, StoreError */
export async function peekMessages(queue: Queue, query: URLSearchParams): Promise<MessagesPage> {
  const limit = limitOf(query.get('limit'));
  const lanes = lanesOf(queue);
  let [at, sequence] = placeOf(query.get('after'), lanes);
  const open = new Set([...queue.reader.openReads].map(({ message }) => handleOf(message)));
  const messages: MessageView[] = [];
  let bytesLeft = readBytesMax;
  while (at < lanes.length) {
    const { name, delayed, lane } = lanes[at]!;
    const found = await lane.read(sequence, limit - messages.length, bytesLeft);
    if (found.length === 0) {
      at += 1;
      sequence = 0;
      continue;
    }
    for (const message of found) {
      messages.push(viewOf(message, delayed ? 'delayed' : open.has(handleOf(message)) ? 'open' : 'ready'));
      bytesLeft -= message.end - message.start;
    }
    sequence = found.at(-1)!.sequence;
    if (messages.length >= limit || bytesLeft <= 0) return { messages, next_after: `${name}.${sequence}` };
  }
  return { messages, next_after: null };
}

interface Place {
  readonly name: string;
  readonly delayed: boolean;
  readonly lane: StoredLane;
  /** What is less comes first. */
  readonly rank: number;
}

function lanesOf({ stored }: Queue): Place[] {
  const places = [...stored.lanes].map(([name, lane]): Place => {
    if (/^p\d$/.test(name)) return { name, delayed: false, lane, rank: Number(name[1]) };
    const slot = parseSlotName(name);
    return { name, delayed: true, lane, rank: 10 + (slot === undefined ? 0 : opensAt(slot)) };
  });
  places.push({ name: 'p5', delayed: false, lane: stored.main, rank: ordinaryPriority });
  return places.sort((a, b) => a.rank - b.rank);
}

/** @throws AdminError `bad_request` */
function placeOf(after: string | null, lanes: readonly Place[]): [at: number, sequence: number] {
  if (after === null) return [0, 0];
  const found = /^(.+)\.(\d+)$/.exec(after);
  if (found === null) throw new AdminError('bad_request', 'after: expected what next_after said');
  const at = lanes.findIndex(({ name }) => name === found[1]);
  // A slot of delayed messages that is gone: they are ready now, or in a later slot.
  if (at < 0) return [lanes.filter(({ delayed }) => !delayed).length, 0];
  return [at, Number(found[2])];
}

/** @throws AdminError `bad_request` */
function limitOf(text: string | null): number {
  const limit = text === null ? 20 : Number(text);
  if (Number.isSafeInteger(limit) && limit >= 1 && limit <= messagesMax) return limit;
  throw new AdminError('bad_request', `limit: expected 1 to ${messagesMax}`);
}

function viewOf(message: Message, state: MessageView['state']): MessageView {
  const { buffer, start, end, carried, lane, flags, addedAt, expiresAt } = message;
  return {
    state,
    priority: carried?.priority ?? ordinaryPriority,
    added_at: new Date(addedAt).toISOString(),
    expires_at: expiresAt === 0 ? null : new Date(expiresAt).toISOString(),
    due_at: carried === undefined || carried.dueAt === 0 ? null : new Date(carried.dueAt).toISOString(),
    returns: lane.returnsOf(message),
    id: carried?.id ?? null,
    origin: carried?.origin === undefined ? null : displayName(carried.origin),
    flags,
    bytes: end - start,
    body: buffer.toString('base64', start, Math.min(end, start + bodyBytesMax)),
  };
}

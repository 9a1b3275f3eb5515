/** What one session reads of kept groups: each group once, from where it asked for, as fast as it takes it. */
import { decodeCursor, encodeCursor, type Filter, type From } from '@rookery/protocol/websocket';
import { compileFilter } from '../durable/filter.ts';
import type { Begin, KeptGroup } from '../durable/group.ts';
import type { Subscription } from '../durable/subscription.ts';
import { Vector } from '../durable/vector.ts';
import type { RefusalCode } from './delivery.ts';
import type { Session } from './session.ts';

export interface SubscribeRequest {
  readonly kind: 'subscribe';
  readonly group: string;
  readonly from: From;
  readonly filter: Filter;
  readonly lastValue: boolean;
}

/** Each is a place in a log, and a filter that runs on each message. */
const SUBSCRIPTIONS_MAX = 256;
/** What may wait in the outbox before a log is read no further: a read's worth for the socket, and one behind it. */
const ROOM_BYTES = 1024 * 1024;

export class Subscriptions {
  readonly #session: Session;
  readonly #roomBytes: number;
  /** `undefined` while its place is looked for. */
  readonly #byGroup = new Map<string, Subscription | undefined>();

  constructor(session: Session, outboxBytes: number) {
    this.#session = session;
    this.#roomBytes = Math.min(ROOM_BYTES, outboxBytes / 4);
  }

  /** Why not, or `undefined`: then `subscribed` follows. */
  open(request: SubscribeRequest, group: KeptGroup | undefined, number: number): RefusalCode | undefined {
    const { from, filter, lastValue } = request;
    if (group === undefined || (lastValue && !group.hasView)) return 'NOT_KEPT';
    if (this.#byGroup.has(group.name)) return 'ALREADY_A_MEMBER';
    if (this.#byGroup.size >= SUBSCRIPTIONS_MAX) return 'TOO_MANY_GROUPS';
    const begin = beginOf(from);
    if (begin === undefined) return 'BAD_CURSOR';
    this.#byGroup.set(group.name, undefined);
    const again = begin.kind === 'cursor';
    const how = lastValue ? (again ? 'view_again' : 'view') : again ? 'cursor' : 'place';
    void group.locate(begin).then(
      (place) => {
        // It was left, or the session has ended, meanwhile.
        if (!this.#byGroup.has(group.name)) return;
        const subscription = group.subscribe(place, this.#listener(group.name), compileFilter(filter), how);
        this.#byGroup.set(group.name, subscription);
        const { given } = place;
        this.#session.tell({
          kind: 'subscribed',
          number,
          group: group.name,
          sequence: subscription.position,
          last: group.tail,
          whole: group.whole,
          cursor: encodeCursor({ floor: given.floor, strands: given }),
        });
        subscription.wake();
      },
      (error) => group.onReadFailed(error),
    );
    return undefined;
  }

  /** False if there is none. */
  close(group: string): boolean {
    this.#byGroup.get(group)?.close();
    return this.#byGroup.delete(group);
  }

  closeAll(): void {
    for (const group of [...this.#byGroup.keys()]) this.close(group);
  }

  /** There may be room. */
  wake(): void {
    if (this.#byGroup.size === 0 || this.#session.outboxBytes >= this.#roomBytes) return;
    for (const subscription of this.#byGroup.values()) subscription?.wake();
  }

  #listener(group: string): Parameters<KeptGroup['subscribe']>[1] {
    const session = this.#session;
    const roomBytes = this.#roomBytes;
    return {
      get room() {
        return session.outboxBytes < roomBytes;
      },
      give: (record, receivers) => session.giveKept(record, receivers),
      caughtUp: (sequence) => session.tell({ kind: 'caught_up', group, sequence }),
      missed: (count) => session.tell({ kind: 'missed', group, count }),
    };
  }
}

function beginOf(from: From): Begin | undefined {
  if (typeof from === 'string') return { kind: from };
  if ('sequence' in from) return { kind: 'sequence', sequence: from.sequence };
  if ('timeMs' in from) return { kind: 'time', timeMs: from.timeMs };
  if ('last' in from) return { kind: 'last', count: from.last };
  const given = decodeCursor(from.cursor);
  return given && { kind: 'cursor', given: new Vector(given.strands, given.floor) };
}

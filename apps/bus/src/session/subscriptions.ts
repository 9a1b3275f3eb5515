/** What one session reads of kept groups: each group once, from where it asked for, as fast as it takes it. */
import type { Unreadable } from '../durable/durable.ts';
import type { Reader, Reading, ReadRequest } from '../durable/reading/reading.ts';
import type { RefusalCode } from './delivery.ts';
import type { Session, Verdict } from './session.ts';

export interface SubscribeRequest extends ReadRequest {
  readonly kind: 'subscribe';
}

/** Each is a place in a log, and a filter that runs on each message. */
const SUBSCRIPTIONS_MAX = 256;
/** What may wait in the outbox before a log is read no further: a read's worth for the socket, and one behind it. */
const ROOM_BYTES = 1024 * 1024;

export class Subscriptions {
  readonly #session: Session;
  readonly #roomBytes: number;
  /** The one that read last is last. */
  readonly #byGroup = new Map<string, Reading>();
  /** Together, what all of them read at a time would be more than the outbox holds. */
  #reading = false;

  constructor(session: Session, outboxBytes: number) {
    this.#session = session;
    this.#roomBytes = Math.min(ROOM_BYTES, outboxBytes / 4);
  }

  /** When it is taken, `subscribed` follows, also where another keeper goes on. `read`: by the daemon. */
  open(
    request: SubscribeRequest,
    number: number,
    read: (request: ReadRequest, reader: Reader) => Reading | Unreadable,
  ): Verdict {
    const { group } = request;
    if (this.#byGroup.has(group)) return 'ALREADY_A_MEMBER';
    if (this.#byGroup.size >= SUBSCRIPTIONS_MAX) return 'TOO_MANY_GROUPS';
    const reading = read(request, this.#reader(group, number));
    if (reading === 'finding') return 'wait';
    if (typeof reading === 'string') return reading satisfies RefusalCode;
    this.#byGroup.set(group, reading);
    return 'taken';
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
    for (const reading of this.#byGroup.values()) reading.wake();
  }

  #begin(group: string): boolean {
    if (this.#reading) return false;
    this.#reading = true;
    const reading = this.#byGroup.get(group);
    if (reading !== undefined && this.#byGroup.delete(group)) this.#byGroup.set(group, reading);
    return true;
  }

  #end(): void {
    this.#reading = false;
    this.wake();
  }

  #reader(group: string, number: number): Reader {
    const session = this.#session;
    const roomBytes = this.#roomBytes;
    return {
      get room() {
        return session.outboxBytes < roomBytes;
      },
      begin: () => this.#begin(group),
      end: () => this.#end(),
      located: (place) => session.tell({ kind: 'subscribed', number, group, ...place }),
      give: (record, receivers) => session.giveKept(record, receivers),
      caughtUp: (sequence) => session.tell({ kind: 'caught_up', group, sequence }),
      missed: (count) => session.tell({ kind: 'missed', group, count }),
    };
  }
}

/** One client: its name, what it may do, what waits for it. Both wires end here. */
import type { Multicast } from '../groups/types.ts';
import type { Content, Delivery, EndReason, Format, RefusalCode } from './delivery.ts';
import { type Entry, type Numbered, Outbox, type SlowPolicy } from './outbox.ts';
import { Rate } from './rate.ts';
import { type SubscribeRequest, Subscriptions } from './subscriptions.ts';

/** The connection that a session is served on. */
export interface SessionConnection {
  /** The outbox has something, and it is the end of a turn. */
  flush(): void;
  /** What was told to wait may be asked again. */
  resume(): void;
  /** The session is over: say so and close. */
  ended(reason: EndReason): void;
}

export type Request =
  | { readonly kind: 'join' | 'leave'; readonly group: string }
  | { readonly kind: 'multicast'; readonly message: Multicast }
  | SubscribeRequest
  | { readonly kind: 'unsubscribe'; readonly group: string };

/** `wait`: ask again when `resume` is called; until then read nothing more of this client. */
export type Verdict = 'taken' | 'wait' | RefusalCode;

/** What a session asks of the daemon that it is at. */
export interface SessionHost {
  /** Checks what is the daemon's to check, and hands it to the groups. */
  ask(session: Session, request: Request, number: number): Verdict;
  /** The outbox has something for a connection that can't know it. */
  touch(session: Session): void;
  /** What its outbox takes of memory has changed. */
  weigh(session: Session, bytes: number): void;
  end(session: Session, reason: EndReason): void;
  /** It is told that so many messages gave way. */
  onDropped(count: number): void;
  readonly now: number;
}

export interface SessionLimits {
  readonly outboxBytes: number;
  readonly messagesPerSecond: number;
  readonly bytesPerSecond: number;
}

export interface Resumption {
  /** What proves that the session is the client's. */
  readonly key: string;
  /** Sent and not acknowledged, at most; 0 for any. */
  readonly windowBytes: number;
}

export interface SessionOptions {
  /** `#name#daemon`. */
  readonly name: string;
  readonly membership: boolean;
  readonly format: Format;
  /** The client acknowledges what it has taken, and may come back on another connection. */
  readonly resumption: Resumption | undefined;
  readonly limits: SessionLimits;
  readonly host: SessionHost;
}

/** A timer holds no more than 24 days; who waits for longer is asked again in between. */
const WAIT_MS_MAX = 3_600_000;

/** What an entry costs beside its bytes: its place in the queues. */
const ENTRY_BYTES = 100;

/** `receivers`: that the content is shared by. */
function entryOf(
  content: Content,
  group: string | undefined,
  key: string,
  policy: SlowPolicy,
  receivers: number,
): Entry<Content> {
  const sentBytes = typeof content === 'string' ? Buffer.byteLength(content) : content.length;
  const heldBytes = Math.ceil(sentBytes / receivers) + ENTRY_BYTES;
  return { bytes: sentBytes + ENTRY_BYTES, heldBytes, sentBytes, content, group, key, policy };
}

export class Session {
  readonly name: string;
  readonly membership: boolean;
  readonly format: Format;
  readonly resumption: Resumption | undefined;
  /** What it is in, or will be when its joins have come round. */
  readonly groups: Set<string> = new Set();
  connection: SessionConnection | undefined;
  /** When a parked session ends. */
  parkedUntil: number = Number.POSITIVE_INFINITY;
  /** When something last left the outbox. */
  progressAt: number;
  /** Groups whose senders are held up for this session. */
  readonly pressing: Set<string> = new Set();
  readonly subscriptions: Subscriptions;
  readonly counters = { received: 0, sent: 0, dropped: 0, waits: 0 };
  over = false;
  readonly #host: SessionHost;
  readonly #outbox: Outbox<Content>;
  readonly #messages: Rate;
  readonly #bytes: Rate;
  #timer: NodeJS.Timeout | undefined;
  /**
   * Requests on their way round the ring, in order, and refused ones between them. Plain numbers: objects would live
   * just long enough to grow old, and be the most of what V8 has to mark.
   */
  #under: number[] = [];
  #underHead = 0;
  readonly #underRefused = new Set<number>();
  #taken = 0;
  #confirmed = 0;
  #spoken = false;
  /** Refusals that the client may not have, oldest first; `delivery`: the number that the refusal was sent with. */
  #refused: { readonly number: number; readonly content: Content; delivery: number | undefined }[] = [];
  /** How many of them are on their way. */
  #refusedSent = 0;

  constructor({ name, membership, format, resumption, limits, host }: SessionOptions) {
    this.name = name;
    this.membership = membership;
    this.format = format;
    this.resumption = resumption;
    this.#host = host;
    this.progressAt = host.now;
    this.#messages = new Rate(limits.messagesPerSecond, host.now);
    this.#bytes = new Rate(limits.bytesPerSecond, host.now);
    const notice = (group: string, count: number) => {
      this.counters.dropped += count;
      host.onDropped(count);
      const content = format.encode({ kind: 'dropped', group, count }, 0);
      if (content === undefined) return undefined;
      return entryOf(content, undefined, '', 'disconnect', 1);
    };
    this.#outbox = new Outbox(limits.outboxBytes, resumption !== undefined, notice);
    this.subscriptions = new Subscriptions(this, limits.outboxBytes);
  }

  // ---- What the client asks for

  /** `number`: the client's, where its wire has them. */
  ask(request: Request, number: number = this.#taken + 1): Verdict {
    if (request.kind === 'multicast') {
      const { now } = this.#host;
      const waitMs = Math.max(this.#messages.waitMs(now), this.#bytes.waitMs(now));
      if (waitMs > 0) {
        this.counters.waits++;
        this.#timer ??= setTimeout(
          () => {
            this.#timer = undefined;
            this.connection?.resume();
          },
          Math.min(waitMs, WAIT_MS_MAX),
        );
        return 'wait';
      }
    }
    const verdict = this.#host.ask(this, request, number);
    if (verdict === 'wait') return verdict;
    this.#taken = number;
    if (verdict !== 'taken') return verdict;
    this.#under.push(number);
    if (request.kind === 'subscribe' || request.kind === 'unsubscribe') {
      this.#passAlone(number);
    } else if (request.kind === 'multicast') {
      this.counters.received++;
      this.#messages.spend(1);
      this.#bytes.spend(request.message.data.length);
    } else if (request.kind === 'join') this.groups.add(request.group);
    else this.groups.delete(request.group);
    return verdict;
  }

  /** Its client has said something since its hello, so it has had its welcome. */
  get spoken(): boolean {
    return this.#taken > 0 || this.#spoken;
  }

  /** The number of the last request that was taken or refused. */
  get taken(): number {
    return this.#taken;
  }

  /** All requests up to this number have come round, or their refusals have been sent. */
  get confirmed(): number {
    const unsent = this.#refused[this.#refusedSent];
    return unsent === undefined ? this.#confirmed : Math.min(this.#confirmed, unsent.number - 1);
  }

  /** Its oldest request has come round. */
  confirm(): void {
    this.#passUnder();
    while (this.#underRefused.size > 0 && this.#underRefused.delete(this.#under[this.#underHead]!)) {
      this.#passUnder();
    }
    if (this.resumption !== undefined) this.#host.touch(this);
  }

  #passUnder(): void {
    const number = this.#under[this.#underHead];
    if (number === undefined) return;
    this.#confirmed = number;
    this.#underHead++;
    if (this.#underHead > 1024 && this.#underHead * 2 > this.#under.length) {
      this.#under = this.#under.slice(this.#underHead);
      this.#underHead = 0;
    }
  }

  /** Tells the client, on a wire that has numbers, that a request was not carried out. */
  refuse(number: number, code: RefusalCode): void {
    this.#taken = number;
    const content = this.format.encode({ kind: 'refused', number, code }, 0);
    if (content === undefined) return;
    this.#refused.push({ number, content, delivery: undefined });
    this.#under.push(number);
    this.#passAlone(number);
    this.push(content, undefined, '', 'disconnect');
  }

  /** It doesn't go round the ring: it is confirmed when those before it are. */
  #passAlone(number: number): void {
    if (this.#under.length - this.#underHead === 1) this.#passUnder();
    else this.#underRefused.add(number);
    if (this.resumption !== undefined) this.#host.touch(this);
  }

  // ---- What the client is told

  /** What is never dropped. */
  tell(delivery: Delivery): void {
    const content = this.format.encode(delivery, 0);
    if (content !== undefined) this.push(content, undefined, '', 'disconnect');
  }

  // hot: once per message of a kept group and reader.
  /** There is room for it: its log is read no further when there is none. */
  giveKept(record: Uint8Array, receivers: number): void {
    const content = this.format.kept(record);
    if (content !== undefined) this.push(content, undefined, '', 'disconnect', receivers);
  }

  /** `group`: whose policy it is, for messages; undefined for what is never dropped. */
  push(content: Content, group: string | undefined, key: string, policy: SlowPolicy, receivers = 1): void {
    if (this.over) return;
    const before = this.#outbox.heldBytes;
    const fits = this.#outbox.push(entryOf(content, group, key, policy, receivers));
    this.#host.weigh(this, this.#outbox.heldBytes - before);
    if (fits) this.#host.touch(this);
    else this.#host.end(this, 'too_slow');
  }

  /** For the connection: what to write next. */
  take(bytes: number): Numbered<Content>[] {
    const before = this.#outbox.heldBytes;
    const taken = this.#outbox.take(bytes);
    this.counters.sent += taken.length;
    if (this.#refused.length > this.#refusedSent) {
      for (const { number, content } of taken) {
        const refusal = this.#refused[this.#refusedSent];
        if (refusal?.content !== content) continue;
        refusal.delivery = number;
        this.#refusedSent++;
      }
    }
    this.#progress(before);
    return taken;
  }

  /** The client has everything up to this number. False: that was never sent. */
  acknowledge(number: number): boolean {
    const before = this.#outbox.heldBytes;
    const known = this.#outbox.confirm(number);
    this.#spoken = true;
    let had = 0;
    while (had < this.#refused.length && (this.#refused[had]!.delivery ?? Number.POSITIVE_INFINITY) <= number)
      had++;
    this.#refused.splice(0, had);
    this.#refusedSent = Math.max(0, this.#refusedSent - had);
    this.#progress(before);
    return known;
  }

  /** A new connection, whose client has everything up to this number. False: what it lacks is gone. */
  attach(connection: SessionConnection, received: number): boolean {
    if (!this.#outbox.rewind(received)) return false;
    // Sent again, they have the same numbers.
    while (this.#refusedSent > 0 && this.#refused[this.#refusedSent - 1]!.delivery! > received)
      this.#refusedSent--;
    this.connection = connection;
    this.parkedUntil = Number.POSITIVE_INFINITY;
    this.#spoken = true;
    return true;
  }

  /** Memory that its outbox takes for itself. */
  get heldBytes(): number {
    return this.#outbox.heldBytes;
  }

  get outboxBytes(): number {
    return this.#outbox.bytes;
  }

  get unacknowledgedBytes(): number {
    return this.#outbox.unconfirmedBytes;
  }

  get ready(): boolean {
    return this.#outbox.ready;
  }

  end(reason: EndReason): void {
    this.#host.end(this, reason);
  }

  /** The host's last word. */
  close(reason: EndReason): void {
    this.over = true;
    this.subscriptions.closeAll();
    clearTimeout(this.#timer);
    this.connection?.ended(reason);
    this.connection = undefined;
  }

  #progress(before: number): void {
    const { heldBytes } = this.#outbox;
    if (heldBytes < before) this.progressAt = this.#host.now;
    this.#host.weigh(this, heldBytes - before);
    if (heldBytes < before) this.subscriptions.wake();
  }
}

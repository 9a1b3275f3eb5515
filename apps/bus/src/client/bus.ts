/** A session with a daemon, over as many connections as it takes. */
import {
  type ClientControl,
  type Delivery,
  EncodeError,
  encodeClientControl,
  encodeRecord,
  isGroupName,
  isPrivateName,
  type NumberedRecord,
  type Service,
} from '@rookery/protocol/websocket';
import { type Clock, platformClock } from './clock.ts';
import { Deliveries, type Entry } from './deliveries.ts';
import { BusError } from './errors.ts';
import { eventOf, type Message, ReceivedMessage, type SessionEvent } from './events.ts';
import { createGroup, type Group } from './group.ts';
import { Link, type Spoken } from './link.ts';
import { type ClientSettings, type ConnectOptions, type StateChange, settingsOf } from './options.ts';
import { Reader } from './reader.ts';
import { type Asked, Requests, type Settle } from './requests.ts';
import type { WebSocketConstructor } from './socket.ts';

export interface SendOptions {
  /** Default `agreed`: all receivers are given it at the same place in one order. `safe`: and not before all daemons hold it. */
  readonly service?: Service;
  /** 0 to 65535, the application's. */
  readonly messageType?: number;
  /** Up to 255 bytes: a newer message with the same one may take the place of an older one that still waits for a slow reader. */
  readonly key?: string;
  /** The sender wants no copy. */
  readonly selfDiscard?: boolean;
}

interface Query {
  readonly control: Extract<ClientControl, { kind: 'groups' | 'members' }>;
  readonly resolve: (answer: Extract<Spoken, { kind: 'groups' | 'members' }>) => void;
  readonly reject: (error: BusError) => void;
}

interface Session {
  readonly name: string;
  readonly key: string;
  readonly messageBytes: number;
  readonly groups: number;
}

/**
 * Connects to the first daemon that answers, and resolves when it has let the session in.
 *
 * @param urls `ws://host:port` or `wss://`. With several, the next one is tried when one doesn't answer.
 * @throws BusError `COULD_NOT_CONNECT` after as many attempts as the settings say; `UNAUTHORIZED`, `BAD_NAME`,
 *   `NAME_TAKEN` as soon as the daemon says so; `CLOSED` when `signal` aborts.
 */
export async function connect(urls: string | readonly string[], options: ConnectOptions = {}): Promise<Bus> {
  const list = typeof urls === 'string' ? [urls] : urls;
  if (list.length === 0) throw new BusError('BAD_ARGUMENT', 'give at least one URL');
  if (options.name !== undefined && !isPrivateName(options.name)) {
    throw new BusError('BAD_ARGUMENT', 'a name has 1 to 10 characters of 0x24 to 0x7e');
  }
  if (options.signal?.aborted) throw new BusError('CLOSED', 'the signal was aborted before');
  const bus = new Bus(list, options);
  await bus.opened;
  return bus;
}

const encoder = new TextEncoder();

/**
 * Iterate it to read all that the session is given, of all groups and for itself, in the one order. This takes over
 * from the groups' own loops, with what they have not read.
 */
export class Bus implements AsyncIterable<SessionEvent>, AsyncDisposable {
  readonly #settings: ClientSettings;
  readonly #clock: Clock;
  readonly #link: Link;
  readonly #onState: ((change: StateChange) => void) | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #opened: PromiseWithResolvers<void> = Promise.withResolvers();
  readonly #deliveries = new Deliveries();
  readonly #groups = new Map<string, Reader>();
  /** Leaves of a group that are not done: until then what comes is from before. */
  readonly #leaving = new Map<string, number>();
  readonly #queries = new Map<number, Query>();
  #requests = new Requests();
  #inbox: Reader | undefined;
  #all: Reader | undefined;
  #session: Session | undefined;
  #lastSession: Session | undefined;
  #state: StateChange['state'] = 'connecting';
  #error: BusError | undefined;
  #closing: Promise<void> | undefined;
  #queryId = 1;
  #flushing = false;
  #acknowledging: unknown;
  #drained: PromiseWithResolvers<void> | undefined;
  #idle: (() => void) | undefined;

  constructor(urls: readonly string[], options: ConnectOptions) {
    this.#settings = settingsOf(options.settings);
    this.#clock = options.clock ?? platformClock;
    this.#onState = options.onState;
    this.#signal = options.signal;
    this.#signal?.addEventListener('abort', this.#onAbort);
    // Nobody may be waiting for it.
    this.#opened.promise.catch(() => undefined);
    this.#link = new Link({
      urls,
      hello: options,
      settings: this.#settings,
      clock: this.#clock,
      random: options.random ?? Math.random,
      WebSocket: options.WebSocket ?? (globalThis.WebSocket as unknown as WebSocketConstructor),
      handlers: {
        session: () =>
          this.#session && {
            session: this.#session.name,
            key: this.#session.key,
            received: this.#deliveries.received,
          },
        onWelcome: ({ session, key, messageBytes, groups }) => {
          this.#session = { name: session, key, messageBytes, groups };
          this.#lastSession = this.#session;
        },
        onResumed: (taken) => {
          if (!this.#requests.resume(taken)) return false;
          this.#deliveries.resume();
          return true;
        },
        onReady: () => this.#goOn(),
        onLost: (reason) => this.#onLost(reason),
        onControl: (control, bytes) => this.#onControl(control, bytes),
        onRecords: (records) => this.#onRecords(records),
        onState: (change) => this.#tellState(change),
        onEnd: (error) => this.#end(error),
      },
    });
    this.#link.start();
  }

  /** Resolves when a daemon has let the session in for the first time. */
  get opened(): Promise<void> {
    return this.#opened.promise;
  }

  /** `#name#daemon`: what messages can be sent to. It changes when a session is lost. */
  get session(): string {
    return this.#lastSession?.name ?? '';
  }

  get state(): StateChange['state'] {
    return this.#state;
  }

  /** Bytes of requests that are not confirmed. */
  get unconfirmedBytes(): number {
    return this.#requests.unconfirmedBytes;
  }

  /**
   * Resolves when the join has come back in the one order. From then on the group's events are kept for who reads them.
   *
   * @throws BusError `BAD_ARGUMENT`, `ALREADY_A_MEMBER`, `CLOSED`, or why the daemon refused
   */
  async join(group: string): Promise<Group> {
    this.#check(group);
    if (this.#groups.has(group)) throw new BusError('ALREADY_A_MEMBER', `${group} is joined already`);
    const reader = new Reader(this.#deliveries, this.#onTaken);
    if (this.#all !== undefined) reader.end(readAsOne());
    this.#groups.set(group, reader);
    await new Promise<void>((resolve, reject) => {
      this.#ask({ kind: 'join', group }, (error) => {
        if (error === undefined) return resolve();
        this.#forget(group, reader, error);
        reject(error);
      });
    });
    return createGroup(this, group, reader, () => this.#leave(group, reader));
  }

  /**
   * Sends to groups, and to sessions as `#name#daemon`; one needs to be in none of them. Resolves when it is confirmed:
   * it has its place in the one order, and with `safe` all daemons hold it.
   *
   * @throws BusError `BAD_ARGUMENT`, `MESSAGE_TOO_LARGE`, `TOO_MANY_GROUPS`, `CLOSED`; `SESSION_LOST` if it is not
   *   known what became of it
   */
  multicast(
    groups: string | readonly string[],
    data: string | Uint8Array,
    options: SendOptions = {},
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#ask(this.#record(groups, data, options), (error) =>
        error === undefined ? resolve() : reject(error),
      );
    });
  }

  /**
   * As `multicast`, without being told what becomes of it. False if so much is unconfirmed that it is better to wait
   * for `drained` before sending more; this message is taken all the same.
   */
  // hot: once per message sent.
  send(groups: string | readonly string[], data: string | Uint8Array, options: SendOptions = {}): boolean {
    this.#ask(this.#record(groups, data, options), undefined);
    return this.#requests.unconfirmedBytes < this.#settings.writeWindowBytes;
  }

  /** Resolves when less than the window of requests is unconfirmed. */
  drained(): Promise<void> {
    if (this.#error !== undefined) return Promise.reject(this.#error);
    if (this.#requests.unconfirmedBytes < this.#settings.writeWindowBytes) return Promise.resolve();
    this.#drained ??= Promise.withResolvers();
    return this.#drained.promise;
  }

  /** Who is in a group, as far as the daemon knows now. One needs not be in it. */
  async members(group: string): Promise<readonly string[]> {
    this.#check(group);
    const answer = await this.#query((id) => ({ kind: 'members', id, group }));
    return answer.kind === 'members' ? answer.members : [];
  }

  /** All groups, with how many are in each. */
  async groups(): Promise<readonly { readonly name: string; readonly members: number }[]> {
    const answer = await this.#query((id) => ({ kind: 'groups', id }));
    return answer.kind === 'groups' ? answer.groups : [];
  }

  /** Messages that are sent to this session itself, kept from the first call on. Read it, as a group. */
  inbox(): AsyncIterable<Message> {
    this.#inbox ??= new Reader(this.#deliveries, this.#onTaken);
    if (this.#all !== undefined) this.#inbox.end(readAsOne());
    const reader = this.#inbox;
    return {
      [Symbol.asyncIterator]: () => ({
        next: () => reader.next() as Promise<IteratorResult<Message, undefined>>,
      }),
    };
  }

  [Symbol.asyncIterator](): AsyncIterator<SessionEvent, undefined> {
    const all = this.#all ?? this.#takeOver();
    return { next: () => all.next() };
  }

  /** Waits for confirmations, as long as `closeMs` says, ends the session, and what waits for it. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    if (this.#requests.unconfirmed > 0 && this.#link.greeted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#idle = resolve;
      const timer = this.#clock.setTimeout(resolve, this.#settings.closeMs);
      await promise;
      this.#clock.clearTimeout(timer);
    }
    this.#finish();
  }

  readonly #onAbort = (): void => this.#finish();

  #finish(): void {
    if (this.#error !== undefined) return;
    if (this.#link.greeted) {
      this.#flush();
      this.#link.send(encodeClientControl({ kind: 'bye' }));
    }
    this.#link.close();
    this.#end(undefined);
  }

  #end(error: BusError | undefined): void {
    const reason = error ?? new BusError('CLOSED', 'the bus was closed');
    this.#error = reason;
    this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#clock.clearTimeout(this.#acknowledging);
    for (const request of this.#requests.abandon()) request.settle?.(reason);
    for (const query of this.#queries.values()) query.reject(reason);
    this.#queries.clear();
    for (const reader of [...this.#groups.values(), this.#inbox, this.#all]) reader?.end(error);
    this.#drained?.promise.catch(() => undefined);
    this.#drained?.reject(reason);
    this.#idle?.();
    this.#opened.reject(reason);
    this.#tellState({ state: 'closed', error });
  }

  #tellState(change: StateChange): void {
    this.#state = change.state;
    if (change.state === 'connected') this.#opened.resolve();
    this.#onState?.(change);
  }

  // ---- Asking

  #check(group: string): void {
    if (this.#error !== undefined) throw this.#error;
    if (!isGroupName(group)) {
      throw new BusError(
        'BAD_ARGUMENT',
        `${JSON.stringify(group)} is no group: 1 to 31 characters of 0x24 to 0x7e`,
      );
    }
  }

  #record(groups: string | readonly string[], data: string | Uint8Array, options: SendOptions): Uint8Array {
    const list = typeof groups === 'string' ? [groups] : groups;
    const bytes = typeof data === 'string' ? encoder.encode(data) : data;
    const limits = this.#lastSession;
    if (limits !== undefined && bytes.length > limits.messageBytes) {
      throw new BusError('MESSAGE_TOO_LARGE', `a message has at most ${limits.messageBytes} bytes`);
    }
    if (limits !== undefined && list.length > limits.groups) {
      throw new BusError('TOO_MANY_GROUPS', `a message goes to at most ${limits.groups} groups`);
    }
    try {
      return encodeRecord({
        sender: '',
        groups: list,
        service: options.service ?? 'agreed',
        messageType: options.messageType ?? 0,
        key: options.key ?? '',
        selfDiscard: options.selfDiscard ?? false,
        bigEndian: false,
        data: bytes,
      });
    } catch (error) {
      if (error instanceof EncodeError) throw new BusError('BAD_ARGUMENT', error.message, { cause: error });
      throw error;
    }
  }

  #ask(asked: Asked, settle: Settle | undefined): void {
    if (this.#error !== undefined) throw this.#error;
    if (this.#closing !== undefined) throw new BusError('CLOSED', 'the bus is being closed');
    this.#requests.add(asked, settle);
    if (this.#requests.unwrittenBytes >= this.#settings.frameBytes) this.#flush();
    else this.#flushSoon();
  }

  /** What is asked in one turn goes out together. */
  #flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    this.#clock.defer(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (!this.#link.greeted) return;
    const { frameBytes, writeWindowBytes } = this.#settings;
    for (const frame of this.#requests.write(frameBytes, writeWindowBytes)) this.#link.send(frame);
  }

  async #leave(group: string, reader: Reader): Promise<void> {
    if (this.#groups.get(group) !== reader) return;
    this.#groups.delete(group);
    reader.end();
    reader.discard();
    this.#leaving.set(group, (this.#leaving.get(group) ?? 0) + 1);
    await new Promise<void>((resolve, reject) => {
      this.#ask({ kind: 'leave', group }, (error) => {
        if (error === undefined) return resolve();
        this.#left(group);
        reject(error);
      });
    });
  }

  #left(group: string): void {
    const left = (this.#leaving.get(group) ?? 0) - 1;
    if (left > 0) this.#leaving.set(group, left);
    else this.#leaving.delete(group);
  }

  #forget(group: string, reader: Reader, error: BusError): void {
    reader.end(error);
    if (this.#groups.get(group) === reader) this.#groups.delete(group);
  }

  #query(make: (id: number) => Query['control']): Promise<Parameters<Query['resolve']>[0]> {
    if (this.#error !== undefined) return Promise.reject(this.#error);
    const control = make(this.#queryId++);
    return new Promise((resolve, reject) => {
      this.#queries.set(control.id, { control, resolve, reject });
      if (this.#link.greeted) this.#link.send(encodeClientControl(control));
    });
  }

  // ---- A connection that was greeted, and a session that was lost

  #goOn(): void {
    for (const { control } of this.#queries.values()) this.#link.send(encodeClientControl(control));
    this.#flushSoon();
    // At once: the last one may have been lost, and the daemon be waiting for it.
    this.#acknowledge();
  }

  #onLost(reason: string): void {
    const session = this.#session?.name ?? '';
    this.#session = undefined;
    const readers = [...this.#groups.values(), this.#inbox, this.#all].filter(
      (reader) => reader !== undefined,
    );
    // What followed a loss that nobody has read of is part of it: else a program that doesn't read fills its memory.
    if (this.#deliveries.collapse()) for (const reader of readers) reader.prune();
    const entry = this.#deliveries.insert({ kind: 'lost', session, reason });
    for (const reader of readers) reader.push(entry);
    this.#deliveries.settle();
    this.#deliveries.begin();
    this.#leaving.clear();

    if (!this.#requests.untold) this.#startOver(reason);
  }

  /** All groups are joined again first; of what was asked and not confirmed only joins and leaves are certain. */
  #startOver(reason: string): void {
    const lost = new BusError(
      'SESSION_LOST',
      `the session ended, and this may have been done or not: ${reason}`,
    );
    const joins = new Map<string, Settle | undefined>();
    const abandoned = this.#requests.abandon();
    this.#requests = new Requests();
    for (const { asked, settle } of abandoned) {
      if (!(asked instanceof Uint8Array) && asked.kind === 'join' && this.#groups.has(asked.group)) {
        joins.set(asked.group, settle);
      }
    }
    for (const [group, reader] of this.#groups) {
      const settle = joins.get(group);
      this.#requests.add(
        { kind: 'join', group },
        settle ?? ((error) => error !== undefined && this.#forget(group, reader, error)),
      );
    }
    for (const { asked, settle } of abandoned) {
      if (asked instanceof Uint8Array) settle?.(lost);
      else if (asked.kind === 'leave' || settle !== joins.get(asked.group)) settle?.();
    }
    this.#onConfirmed();
  }

  // ---- Hearing

  #onControl(control: Spoken, bytes: number): boolean {
    switch (control.kind) {
      case 'confirmed': {
        const held = this.#requests.confirm(control.n);
        this.#onConfirmed();
        return held;
      }
      case 'groups':
      case 'members':
        this.#queries.get(control.id)?.resolve(control);
        this.#queries.delete(control.id);
        return true;
      default:
        return this.#onDelivery(control, bytes);
    }
  }

  #onConfirmed(): void {
    if (this.#drained !== undefined && this.#requests.unconfirmedBytes < this.#settings.writeWindowBytes) {
      this.#drained.resolve();
      this.#drained = undefined;
    }
    if (this.#requests.unwrittenBytes > 0) this.#flushSoon();
    if (this.#requests.unconfirmed === 0) this.#idle?.();
  }

  #onDelivery(delivery: Delivery, bytes: number): boolean {
    if (
      delivery.kind === 'refused' &&
      !this.#requests.refuse(delivery.n, new BusError(delivery.code, delivery.message))
    ) {
      return false;
    }
    const arrived = this.#arrive(delivery.d, eventOf(delivery), bytes);
    this.#deliveries.settle();
    this.#onTaken();
    return arrived;
  }

  // hot: once per frame.
  #onRecords(records: readonly NumberedRecord[]): boolean {
    for (let index = 0; index < records.length; index++) {
      const record = records[index]!;
      if (!this.#arrive(record.number, new ReceivedMessage(record), bytesOf(record))) return false;
    }
    this.#deliveries.settle();
    this.#onTaken();
    return true;
  }

  #arrive(number: number, event: SessionEvent | undefined, bytes: number): boolean {
    const { readWindowBytes } = this.#settings;
    // Twice, so that it doesn't matter how exactly each side counts.
    if (readWindowBytes > 0 && this.#deliveries.heldBytes >= 2 * readWindowBytes) return false;
    const entry = this.#deliveries.arrive(number, event, bytes);
    if (entry === undefined) return false;
    if (event !== undefined) this.#dispatch(entry, event);
    return true;
  }

  // hot: once per message.
  #dispatch(entry: Entry, event: SessionEvent): void {
    if (this.#all !== undefined) {
      this.#all.push(entry);
    } else if (event.kind === 'message') {
      const { groups } = event;
      for (let index = 0; index < groups.length; index++) {
        if (index === 0 || groups.indexOf(groups[index]!) === index)
          this.#readerOf(groups[index]!)?.push(entry);
      }
    } else if (event.kind !== 'lost' && event.kind !== 'left') {
      this.#readerOf(event.group)?.push(entry);
    }
    if (event.kind === 'left') this.#left(event.group);
  }

  #readerOf(group: string): Reader | undefined {
    if (group === this.#session?.name) return this.#inbox;
    // What still comes of an earlier stay is not for this one.
    return this.#leaving.size > 0 && this.#leaving.has(group) ? undefined : this.#groups.get(group);
  }

  #takeOver(): Reader {
    const all = new Reader(this.#deliveries, this.#onTaken);
    const waiting = this.#deliveries.waiting();
    for (const entry of waiting) entry.waiting = 0;
    for (const reader of [...this.#groups.values(), this.#inbox]) reader?.handOver(readAsOne());
    for (const entry of waiting) all.push(entry);
    if (this.#error !== undefined) all.end(this.#error.code === 'CLOSED' ? undefined : this.#error);
    this.#all = all;
    return all;
  }

  /** Acknowledges what readers have taken: at once when it is much, else soon. */
  readonly #onTaken = (): void => {
    const { acknowledgeBytes, acknowledgeMs, readWindowBytes } = this.#settings;
    if (!this.#deliveries.due || !this.#link.greeted) return;
    const most = readWindowBytes > 0 ? Math.min(acknowledgeBytes, readWindowBytes / 4) : acknowledgeBytes;
    if (this.#deliveries.dueBytes >= most) this.#acknowledge();
    else this.#acknowledging ??= this.#clock.setTimeout(() => this.#acknowledge(), acknowledgeMs);
  };

  #acknowledge(): void {
    this.#clock.clearTimeout(this.#acknowledging);
    this.#acknowledging = undefined;
    if (!this.#link.greeted || !this.#deliveries.due) return;
    this.#link.send(encodeClientControl({ kind: 'ack', received: this.#deliveries.acknowledge() }));
  }
}

function readAsOne(): BusError {
  return new BusError('NOT_READABLE', 'the whole session is read instead: see its loop');
}

/** As the daemon counts it for the window, or less. */
function bytesOf({ sender, groups, key, data }: NumberedRecord): number {
  let bytes = 12 + sender.length + key.length + data.length;
  for (let index = 0; index < groups.length; index++) bytes += 1 + groups[index]!.length;
  return bytes;
}

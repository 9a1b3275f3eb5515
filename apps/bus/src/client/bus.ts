/** A session with a daemon, over as many connections as it takes. */
import {
  type Delivery,
  encodeClientControl,
  isGroupName,
  isPrivateName,
  type NumberedRecord,
} from '@rookery/protocol/websocket';
import { type Clock, platformClock } from './clock.ts';
import type { Deliveries } from './deliveries.ts';
import { BusError } from './errors.ts';
import { type ArrivedEvent, eventOf, type Message, ReceivedMessage, type SessionEvent } from './events.ts';
import { createGroup, type Group } from './group.ts';
import { Link, type Spoken } from './link.ts';
import { type MessageLimits, recordOf, type SendOptions } from './message.ts';
import { type ClientSettings, type ConnectOptions, type StateChange, settingsOf } from './options.ts';
import { type Answer, Queries, type Question } from './queries.ts';
import type { Reader } from './reader.ts';
import { Readers } from './readers.ts';
import { type Asked, Requests, type Settle } from './requests.ts';
import type { WebSocketConstructor } from './socket.ts';
import { startOver } from './start-over.ts';
import {
  createSubscription,
  type SubscribeOptions,
  type Subscription,
  SubscriptionState,
} from './subscription.ts';

interface Session extends MessageLimits {
  readonly name: string;
  readonly key: string;
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
  readonly #readers: Readers;
  readonly #deliveries: Deliveries;
  readonly #queries = new Queries();
  readonly #membership: boolean;
  #requests = new Requests();
  #session: Session | undefined;
  #lastSession: Session | undefined;
  #state: StateChange['state'] = 'connecting';
  #error: BusError | undefined;
  #closing: Promise<void> | undefined;
  #flushing = false;
  #acknowledging: unknown;
  #drained: PromiseWithResolvers<void> | undefined;
  #idle: (() => void) | undefined;

  constructor(urls: readonly string[], options: ConnectOptions) {
    this.#settings = settingsOf(options.settings);
    this.#clock = options.clock ?? platformClock;
    this.#onState = options.onState;
    this.#membership = options.membership ?? true;
    this.#signal = options.signal;
    this.#readers = new Readers(this.#onTaken);
    this.#deliveries = this.#readers.deliveries;
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

  /** Whether views are sent. */
  get membership(): boolean {
    return this.#membership;
  }

  get state(): StateChange['state'] {
    return this.#state;
  }

  /** @internal Until `close` is called, or the bus ends. */
  get takesRequests(): boolean {
    return this.#error === undefined && this.#closing === undefined;
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
    if (this.#readers.groups.has(group)) throw new BusError('ALREADY_A_MEMBER', `${group} is joined already`);
    const reader = this.#readers.open(group);
    await new Promise<void>((resolve, reject) => {
      this.#ask({ kind: 'join', group }, (error) => {
        if (error === undefined) return resolve();
        this.#readers.forget(group, reader, error);
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
      this.#ask(recordOf(groups, data, options, this.#lastSession), (error) =>
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
    this.#ask(recordOf(groups, data, options, this.#lastSession), undefined);
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

  /**
   * Reads a group that the daemon keeps: what was sent before, and then what comes. One needn't be in it, and isn't seen
   * in it. Resolves when the daemon has taken it.
   *
   * @throws BusError `BAD_ARGUMENT`, `ALREADY_A_MEMBER` for a group that is subscribed to already, `NOT_KEPT`,
   *   `BAD_CURSOR`, `CLOSED`
   */
  async subscribe(group: string, options: SubscribeOptions = {}): Promise<Subscription> {
    this.#check(group);
    const { from, lastValue } = options;
    if (lastValue === true && from !== undefined && !(typeof from === 'object' && 'cursor' in from)) {
      throw new BusError('BAD_ARGUMENT', 'a view begins now, or behind a cursor: give no other from');
    }
    if (this.#readers.subscriptions.has(group)) {
      throw new BusError('ALREADY_A_MEMBER', `${group} is subscribed to already`);
    }
    const state = this.#readers.subscribe((reader) => new SubscriptionState(group, options, reader));
    await new Promise<void>((resolve, reject) => {
      state.number = this.#ask(state.request(), (error) => {
        if (error === undefined) return resolve();
        this.#readers.unsubscribe(state, error);
        reject(error);
      });
    });
    return createSubscription(state, () => this.#unsubscribe(state));
  }

  /** Messages that are sent to this session itself, kept from the first call on. Read it, as a group. */
  inbox(): AsyncIterable<Message> {
    const reader = this.#readers.inbox();
    return {
      [Symbol.asyncIterator]: () => ({
        next: () => reader.next() as Promise<IteratorResult<Message, undefined>>,
      }),
    };
  }

  [Symbol.asyncIterator](): AsyncIterator<SessionEvent, undefined> {
    const all = this.#readers.all();
    return { next: () => all.next() as Promise<IteratorResult<SessionEvent, undefined>> };
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
    this.#queries.end(reason);
    this.#readers.end(error);
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

  #ask(asked: Asked, settle: Settle | undefined): number {
    if (this.#error !== undefined) throw this.#error;
    if (this.#closing !== undefined) throw new BusError('CLOSED', 'the bus is being closed');
    const number = this.#requests.add(asked, settle);
    if (this.#requests.unwrittenBytes >= this.#settings.frameBytes) this.#flush();
    else this.#flushSoon();
    return number;
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
    if (!this.#readers.leave(group, reader)) return;
    await new Promise<void>((resolve, reject) => {
      this.#ask({ kind: 'leave', group }, (error) => {
        if (error === undefined) return resolve();
        this.#readers.left(group);
        reject(error);
      });
    });
  }

  async #unsubscribe(state: SubscriptionState): Promise<void> {
    if (!this.#readers.unsubscribe(state) || this.#error !== undefined) return;
    await new Promise<void>((resolve) => {
      // Who isn't subscribed any more has what it wants.
      this.#ask({ kind: 'unsubscribe', group: state.group }, () => resolve());
    });
  }

  #query(make: (id: number) => Question): Promise<Answer> {
    if (this.#error !== undefined) return Promise.reject(this.#error);
    return this.#queries.ask(make, (question) => {
      if (this.#link.greeted) this.#link.send(encodeClientControl(question));
    });
  }

  // ---- A connection that was greeted, and a session that was lost

  #goOn(): void {
    for (const question of this.#queries.questions) this.#link.send(encodeClientControl(question));
    this.#flushSoon();
    // At once: the last one may have been lost, and the daemon be waiting for it.
    this.#acknowledge();
  }

  #onLost(reason: string): void {
    const session = this.#session?.name ?? '';
    this.#session = undefined;
    this.#readers.lose({ kind: 'lost', session, reason });
    if (this.#requests.untold) return;
    const abandoned = this.#requests.abandon();
    this.#requests = new Requests();
    startOver(this.#requests, abandoned, this.#readers, reason);
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
        this.#queries.answer(control);
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
    if (delivery.kind === 'subscribed') {
      const state = this.#readers.subscriptions.get(delivery.group);
      if (state?.number === delivery.n) state.begin(delivery.cursor);
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

  #arrive(number: number, event: ArrivedEvent | undefined, bytes: number): boolean {
    const { readWindowBytes } = this.#settings;
    // Twice, so that it doesn't matter how exactly each side counts.
    if (readWindowBytes > 0 && this.#deliveries.heldBytes >= 2 * readWindowBytes) return false;
    const entry = this.#deliveries.arrive(number, event, bytes);
    if (entry === undefined) return false;
    if (event !== undefined) this.#readers.give(entry, event, this.#session?.name);
    return true;
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

/** As the daemon counts it for the window, or less. */
function bytesOf({ sender, groups, key, data }: NumberedRecord): number {
  let bytes = 12 + sender.length + key.length + data.length;
  for (let index = 0; index < groups.length; index++) bytes += 1 + groups[index]!.length;
  return bytes;
}

/**
 * Publishing that outlasts a daemon: a message is kept on disk until the daemon has ordered it. For Node only; how to
 * use it: docs/bus-client.md.
 */
import { type MessageRecord, type Origin, REFUSAL_CODES } from '@rookery/protocol/websocket';
import { nodeDisk, type SyncMode } from '@rookery/storage';
import { type Bus, connect } from '../client/bus.ts';
import { BusError, type BusErrorCode } from '../client/errors.ts';
import type { SendOptions } from '../client/message.ts';
import type { ConnectOptions } from '../client/options.ts';
import { SpoolError } from './errors.ts';
import { encodeStored, type Position } from './message.ts';
import { type Outcome, Sender } from './sender.ts';
import { openAbandonedSlots, openFreeSlot } from './slots.ts';
import { Store } from './store.ts';

export interface PublisherOptions extends Pick<ConnectOptions, 'token' | 'settings' | 'WebSocket'> {
  /** Daemons, `ws://host:port`; the next one is tried when one doesn't answer. */
  readonly urls: string | readonly string[];
  /** Where messages wait; made if it isn't there. Several publishers may share it. */
  readonly folder: string;
  /** Waiting at most, frames included; on disk up to twice that. Default 256 MiB. */
  readonly spoolBytes?: number;
  /** Of one message's data. Default 1 MiB. */
  readonly messageBytes?: number;
  /** When the disk has it: `always` before `publish` resolves; default at the latest 50 ms after, should the power fail. */
  readonly sync?: SyncMode;
  /** Told of what isn't the answer to a call. */
  readonly onEvent?: (event: PublisherEvent) => void;
}

export type PublisherEvent =
  | { readonly kind: 'connected' }
  /** There is no daemon; messages wait. Told once, until there is one again. */
  | { readonly kind: 'away'; readonly reason: string }
  /** The daemon will never take this message: it was dropped. */
  | {
      readonly kind: 'refused';
      readonly groups: readonly string[];
      readonly code: BusErrorCode;
      readonly message: string;
    }
  /** The disk failed; every call fails from here on. */
  | { readonly kind: 'failed'; readonly error: Error };

export interface Publisher extends AsyncDisposable {
  /**
   * Resolves when the message is kept: it will be sent, by this program or by the next one with this folder.
   *
   * @throws SpoolError `SPOOL_FULL`, `MESSAGE_TOO_LARGE`, `SPOOL_FAILED`, `CLOSED`; BusError `BAD_ARGUMENT`
   */
  publish(
    groups: string | readonly string[],
    data: string | Uint8Array,
    options?: SendOptions,
    position?: Position,
  ): Promise<void>;
  /** As `publish`, for who can't wait: false if the message was not taken. @throws SpoolError but `SPOOL_FULL`, BusError */
  offer(
    groups: string | readonly string[],
    data: string | Uint8Array,
    options?: SendOptions,
    position?: Position,
  ): boolean;
  /** Resolves when there is room again in a spool that was full, or the signal is given. */
  room(signal?: AbortSignal): Promise<void>;
  /** Resolves when the daemon has ordered all that was published, or the signal is given. */
  sent(signal?: AbortSignal): Promise<void>;
  /** Bytes that wait, for room or for the daemon. */
  readonly waitingBytes: number;
  /** Where each input goes on behind what was published before, also by earlier programs with this slot. */
  readonly positions: Readonly<Record<string, string>>;
  /** Lets go of the folder. What was not sent stays there. */
  close(): Promise<void>;
}

export const PUBLISHER_DEFAULTS: {
  readonly spoolBytes: number;
  readonly messageBytes: number;
  readonly sync: { readonly everyMs: number };
} = {
  spoolBytes: 256 * 1024 * 1024,
  messageBytes: 1024 * 1024,
  sync: { everyMs: 50 },
};

/** The client's own window; and few enough promises. */
const WINDOW = { bytes: 1024 * 1024, messages: 4096 };
/** A token that is refused, or a name, may be put right while we run. */
const REFUSED_RETRY_MS = 10_000;

/** @throws SpoolError `NO_SLOT`, `SPOOL_FAILED` */
export async function openPublisher(options: PublisherOptions): Promise<Publisher> {
  const own = new SpooledPublisher(options);
  await own.open((open) => openFreeSlot(options.folder, open));
  own.adopt();
  return own;
}

class SpooledPublisher implements Publisher {
  readonly #options: PublisherOptions;
  readonly #closing = new AbortController();
  #store!: Store;
  #sender!: Sender;
  #bus: Bus | undefined;
  #retry: NodeJS.Timeout | undefined;
  #away = false;
  #failure: Error | undefined;
  #committed = 0;
  /** Calls of `publish`, by the sequence that must be written. */
  #unwritten: { sequence: number; settle: PromiseWithResolvers<void> }[] = [];
  /** Who looks again whenever something was written, sent or failed. */
  #watchers = new Set<() => void>();
  #adopting: Promise<void> = Promise.resolve();
  /** The last of those who wait to be written. */
  #turn: Promise<void> | undefined;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  async open(find: (open: (directory: string) => Promise<Store>) => Promise<Store>): Promise<void> {
    this.#store = await find((directory) => this.#openStore(directory));
    this.#sender = new Sender({
      store: this.#store,
      window: WINDOW,
      onRefused: (record, { code, message }) =>
        this.#options.onEvent?.({ kind: 'refused', groups: record.groups, code, message }),
      onSettled: () => this.#look(),
      onFailed: (error) => this.#fail(error as Error),
    });
    this.#connect();
  }

  /** Sends what others left behind in the folder, one after the other, beside its own. */
  adopt(): void {
    this.#adopting = this.#adopt().catch((error: Error) => {
      // It waits for the next program: what is this one's own isn't concerned.
      this.#options.onEvent?.({ kind: 'away', reason: error.message });
    });
  }

  async #adopt(): Promise<void> {
    const abandoned = openAbandonedSlots(this.#options.folder, (directory) => this.#openStore(directory));
    for await (const store of abandoned) {
      if (store.lives.every(({ forgotten, committed }) => forgotten === committed)) {
        await store.close();
      } else {
        const other = new SpooledPublisher(this.#options);
        await other.open(() => Promise.resolve(store));
        await other.sent(this.#closing.signal);
        await other.close();
      }
      if (this.#closing.signal.aborted) return;
    }
  }

  #openStore(directory: string): Promise<Store> {
    const { spoolBytes, messageBytes, sync } = { ...PUBLISHER_DEFAULTS, ...this.#options };
    return Store.open({
      disk: nodeDisk,
      directory,
      sync,
      spoolBytes,
      messageBytes,
      onCommitted: (sequence) => this.#onCommitted(sequence),
      onForgotten: () => this.#look(),
      onFailed: (error) => this.#fail(error),
    });
  }

  get waitingBytes(): number {
    return this.#store.bytes;
  }

  get positions(): Readonly<Record<string, string>> {
    return this.#store.positions;
  }

  async publish(
    groups: string | readonly string[],
    data: string | Uint8Array,
    options: SendOptions = {},
    position?: Position,
  ): Promise<void> {
    const payload = encodeStored(groups, data, options, position);
    const settle = Promise.withResolvers<void>();
    const keep = (): void => {
      this.#unwritten.push({ sequence: this.#append(payload, position), settle });
    };
    if (this.#turn !== undefined || this.#store.congested) await this.#inTurn(keep);
    else keep();
    return settle.promise;
  }

  /** In the order of the calls: who waits is passed by nobody, and the next one looks when this one has appended. */
  async #inTurn(keep: () => void): Promise<void> {
    const before = this.#turn ?? Promise.resolve();
    const turn = before
      .catch(() => undefined)
      .then(async () => {
        while (this.#store.congested && this.#failure === undefined) await this.#watch();
        keep();
      });
    this.#turn = turn;
    try {
      await turn;
    } finally {
      if (this.#turn === turn) this.#turn = undefined;
    }
  }

  // hot: once per line of a log.
  offer(
    groups: string | readonly string[],
    data: string | Uint8Array,
    options: SendOptions = {},
    position?: Position,
  ): boolean {
    try {
      this.#append(encodeStored(groups, data, options, position), position);
      return true;
    } catch (error) {
      if (error instanceof SpoolError && error.code === 'SPOOL_FULL') return false;
      throw error;
    }
  }

  #append(payload: Buffer, position: Position | undefined): number {
    if (this.#failure !== undefined) throw this.#failure;
    return this.#store.append(payload, position);
  }

  async room(signal?: AbortSignal): Promise<void> {
    const { spoolBytes } = { ...PUBLISHER_DEFAULTS, ...this.#options };
    // A quarter at least, so that who waits doesn't come again for each message.
    while (this.#store.bytes > spoolBytes * 0.75 || this.#store.congested) {
      if (signal?.aborted || this.#failure !== undefined) return;
      await this.#watch(signal);
    }
  }

  async sent(signal?: AbortSignal): Promise<void> {
    while (!(this.#sender.idle && this.#unwritten.length === 0 && this.#committed >= this.#lastSequence)) {
      if (this.#failure !== undefined) throw this.#failure;
      if (signal?.aborted) return;
      await this.#watch(signal);
    }
  }

  get #lastSequence(): number {
    return this.#store.lives.at(-1)!.committed;
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#sender.use(undefined);
    this.#closing.abort();
    clearTimeout(this.#retry);
    await this.#bus?.close();
    await this.#adopting;
    await this.#store.close().catch((error: Error) => this.#fail(error));
    this.#fail(new SpoolError('CLOSED', 'the publisher was closed'));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #onCommitted(sequence: number): void {
    this.#committed = sequence;
    const waiting = this.#unwritten;
    let index = 0;
    while (index < waiting.length && waiting[index]!.sequence <= sequence) waiting[index++]!.settle.resolve();
    if (index > 0) this.#unwritten = waiting.slice(index);
    this.#sender.committed(sequence);
    this.#look();
  }

  #fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    for (const { settle } of this.#unwritten) settle.reject(error);
    this.#unwritten = [];
    this.#look();
    if (error instanceof SpoolError && error.code === 'CLOSED') return;
    this.#options.onEvent?.({ kind: 'failed', error });
    void this.#bus?.close();
  }

  #look(): void {
    for (const look of [...this.#watchers]) look();
  }

  #watch(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        this.#watchers.delete(look);
        signal?.removeEventListener('abort', look);
        resolve();
      };
      this.#watchers.add(look);
      signal?.addEventListener('abort', look, { once: true });
    });
  }

  /** For ever: a daemon that is away is what the spool is for. */
  #connect(): void {
    const { urls, token, settings, WebSocket } = this.#options;
    connect(urls, {
      membership: false,
      signal: this.#closing.signal,
      settings: { retryMaxMs: 2000, ...settings, connectAttempts: Number.POSITIVE_INFINITY, closeMs: 0 },
      onState: (change) => {
        if (change.state === 'connected') this.#tell(undefined);
        else if (change.state === 'connecting' && change.attempt > 1) this.#tell('no daemon answers');
        else if (change.state === 'closed' && change.error !== undefined) this.#reconnectLater(change.error);
      },
      ...(token === undefined ? {} : { token }),
      ...(WebSocket === undefined ? {} : { WebSocket }),
    }).then(
      (bus) => {
        this.#bus = bus;
        this.#sender.use({ send: (record, origin, settle) => publishOn(bus, record, origin, settle) });
      },
      // Told as a state, too.
      () => undefined,
    );
  }

  #reconnectLater({ message }: BusError): void {
    this.#sender.use(undefined);
    this.#bus = undefined;
    this.#tell(message);
    if (this.#closing.signal.aborted || this.#failure !== undefined) return;
    this.#retry = setTimeout(() => this.#connect(), REFUSED_RETRY_MS);
  }

  #tell(reason: string | undefined): void {
    if ((reason !== undefined) === this.#away) return;
    this.#away = reason !== undefined;
    this.#options.onEvent?.(reason === undefined ? { kind: 'connected' } : { kind: 'away', reason });
  }
}

function publishOn(
  bus: Bus,
  record: MessageRecord,
  origin: Origin,
  settle: (outcome: Outcome) => void,
): void {
  const { groups, data, service, messageType, key, selfDiscard } = record;
  bus.multicast(groups, data, { service, messageType, key, selfDiscard, origin }).then(
    () => settle('ordered'),
    (error) => settle(outcomeOf(error)),
  );
}

function outcomeOf(error: unknown): Outcome {
  const refused = error instanceof BusError && (REFUSAL_CODES as readonly string[]).includes(error.code);
  return refused ? error : 'lost';
}

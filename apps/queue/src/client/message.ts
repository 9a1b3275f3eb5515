/** A message as a program has it. */
import type { Codec } from './codec.ts';
import { QueueError } from './errors.ts';
import type { CallOptions } from './options.ts';

export interface Message<T = Buffer> {
  readonly queue: string;
  /** The server's name for it, while it is open. */
  readonly handle: string;
  /** 32 bits of the program's. */
  readonly flags: number;
  /** 0 is read first, 9 last. */
  readonly priority: number;
  /** What it was put with, if with any. */
  readonly id: string | undefined;
  /** Which delivery this is, from 1. Of an open message only: else undefined. */
  readonly deliveries: number | undefined;
  /** The queue where it was before it became a dead letter. */
  readonly origin: string | undefined;
  /** Seconds until it expires; undefined for never. */
  readonly expiresInSeconds: number | undefined;
  readonly body: Buffer;
  /** The body as the codec has it. @throws QueueError `BAD_BODY` */
  readonly value: T;
  /** The body as UTF-8. */
  readonly text: string;
}

export interface AbortOptions extends CallOptions {
  /** Ready again so much later, behind all others; default: at once, in its place. */
  readonly delayMs?: number;
}

export interface TouchOptions extends CallOptions {
  /** So long from now; default: the queue's `open_read_timeout_ms` anew. */
  readonly timeMs?: number;
}

/** It is the program's until it is settled: acknowledged, aborted, buried, or its time or connection is over. */
export interface OpenMessage<T = Buffer> extends Message<T> {
  /** Whether it is open as far as the client knows. */
  readonly open: boolean;
  /** It is done, and never comes again. @throws QueueError `NOT_OPEN` if it is back in its queue already; else as any call */
  acknowledge(options?: CallOptions): Promise<void>;
  /** Puts it back. With it not open any more nothing happens. */
  abort(options?: AbortOptions): Promise<void>;
  /** Makes it a dead letter, however often it was delivered. @throws QueueError `NOT_OPEN` */
  bury(options?: CallOptions): Promise<void>;
  /** Gives it more time. @throws QueueError `NOT_OPEN` */
  touch(options?: TouchOptions): Promise<void>;
}

/** What the server said of it. */
export type Received = Omit<Message, 'queue' | 'value' | 'text'>;

/** What can be done to an open message. */
export interface Holder {
  readonly open: boolean;
  acknowledge(options: CallOptions | undefined): Promise<void>;
  abort(delayMs: number, options: CallOptions | undefined): Promise<void>;
  bury(options: CallOptions | undefined): Promise<void>;
  touch(timeMs: number, options: CallOptions | undefined): Promise<void>;
}

const nobody: Holder = {
  open: false,
  acknowledge: notOpen,
  abort: () => Promise.resolve(),
  bury: notOpen,
  touch: notOpen,
};

function notOpen(): Promise<never> {
  return Promise.reject(new QueueError('NOT_OPEN', 'the message is not open'));
}

const unread: unique symbol = Symbol('unread');

export class ReceivedMessage<T> implements OpenMessage<T> {
  readonly queue: string;
  readonly handle: string;
  readonly flags: number;
  readonly priority: number;
  readonly id: string | undefined;
  readonly deliveries: number | undefined;
  readonly origin: string | undefined;
  readonly expiresInSeconds: number | undefined;
  readonly body: Buffer;
  readonly #codec: Codec<never, T>;
  readonly #holder: Holder;
  #value: T | typeof unread = unread;

  constructor(queue: string, received: Received, codec: Codec<never, T>, holder: Holder = nobody) {
    this.queue = queue;
    this.handle = received.handle;
    this.flags = received.flags;
    this.priority = received.priority;
    this.id = received.id;
    this.deliveries = received.deliveries;
    this.origin = received.origin;
    this.expiresInSeconds = received.expiresInSeconds;
    this.body = received.body;
    this.#codec = codec;
    this.#holder = holder;
  }

  get value(): T {
    if (this.#value === unread) {
      try {
        this.#value = this.#codec.decode(this.body, this.flags);
      } catch (cause) {
        throw new QueueError(
          'BAD_BODY',
          `the body of a message of ${this.queue} is not what the codec reads`,
          {
            cause,
          },
        );
      }
    }
    return this.#value;
  }

  get text(): string {
    return this.body.toString('utf8');
  }

  get open(): boolean {
    return this.#holder.open;
  }

  acknowledge(options?: CallOptions): Promise<void> {
    return this.#holder.acknowledge(options);
  }

  abort(options?: AbortOptions): Promise<void> {
    return this.#holder.abort(options?.delayMs ?? 0, options);
  }

  bury(options?: CallOptions): Promise<void> {
    return this.#holder.bury(options);
  }

  touch(options?: TouchOptions): Promise<void> {
    return this.#holder.touch(options?.timeMs ?? 0, options);
  }
}

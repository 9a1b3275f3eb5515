/** A message as a program has it. */
import type { Codec } from './codec.ts';
import { QueueError } from './errors.ts';
import type { CallOptions } from './options.ts';

export interface Message<T = Buffer> {
  readonly queue: string;
  /** Its place in the queue: later messages have larger ones. */
  readonly sequence: number;
  readonly flags: number;
  readonly body: Buffer;
  /** Seconds until it expires; undefined for never. */
  readonly expiresInSeconds: number | undefined;
  /** The body as the codec has it. @throws QueueError `BAD_BODY` */
  readonly value: T;
  /** The body as UTF-8. */
  readonly text: string;
}

/** It is the program's until it is settled: acknowledged, aborted, or its time or connection is over. */
export interface OpenMessage<T = Buffer> extends Message<T> {
  /** Whether it is open as far as the client knows. */
  readonly open: boolean;
  /** It is done, and never comes again. @throws QueueError `NOT_OPEN` if it is back in its queue already; else as any call */
  acknowledge(options?: CallOptions): Promise<void>;
  /** Puts it back to its place in the queue. With it not open any more nothing happens. */
  abort(options?: CallOptions): Promise<void>;
  /** It gets the queue's `open_read_timeout` anew. @throws QueueError `NOT_OPEN` */
  touch(options?: CallOptions): Promise<void>;
}

/** What the server said of it. */
export interface Received {
  readonly sequence: number;
  readonly flags: number;
  readonly expiresInSeconds: number | undefined;
  readonly body: Buffer;
}

/** What can be done to the open message of a connection. */
export interface Holder {
  readonly open: boolean;
  acknowledge(options: CallOptions | undefined): Promise<void>;
  abort(options: CallOptions | undefined): Promise<void>;
  touch(options: CallOptions | undefined): Promise<void>;
}

const nobody: Holder = {
  open: false,
  acknowledge: notOpen,
  abort: () => Promise.resolve(),
  touch: notOpen,
};

function notOpen(): Promise<never> {
  return Promise.reject(new QueueError('NOT_OPEN', 'the message is not open'));
}

const unread: unique symbol = Symbol('unread');

export class ReceivedMessage<T> implements OpenMessage<T> {
  readonly queue: string;
  readonly #received: Received;
  readonly #codec: Codec<never, T>;
  readonly #holder: Holder;
  #value: T | typeof unread = unread;

  constructor(queue: string, received: Received, codec: Codec<never, T>, holder: Holder = nobody) {
    this.queue = queue;
    this.#received = received;
    this.#codec = codec;
    this.#holder = holder;
  }

  get sequence(): number {
    return this.#received.sequence;
  }

  get flags(): number {
    return this.#received.flags;
  }

  get body(): Buffer {
    return this.#received.body;
  }

  get expiresInSeconds(): number | undefined {
    return this.#received.expiresInSeconds;
  }

  get value(): T {
    if (this.#value === unread) {
      try {
        this.#value = this.#codec.decode(this.body, this.flags);
      } catch (cause) {
        throw new QueueError(
          'BAD_BODY',
          `the body of ${this.queue}/${this.sequence} is not what the codec reads`,
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

  abort(options?: CallOptions): Promise<void> {
    return this.#holder.abort(options);
  }

  touch(options?: CallOptions): Promise<void> {
    return this.#holder.touch(options);
  }
}

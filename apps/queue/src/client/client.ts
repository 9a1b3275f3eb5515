/** A client of one server. */
import { DEFAULT_ADDRESS, parseAddress, type QueueAddress } from './address.ts';
import { type Asker, ask } from './ask.ts';
import { platformClock } from './clock.ts';
import { bytes, type Codec } from './codec.ts';
import { QueueError } from './errors.ts';
import { Link } from './link.ts';
import { accessOf, type CallOptions, type ConnectOptions, type LinkOptions, settingsOf } from './options.ts';
import { type Figures, flushAllQuestion, queuesQuestion, statsQuestion } from './questions/management.ts';
import { Queue } from './queue.ts';
import { ReadLinks } from './read-links.ts';
import { type QueueStats, queueStatsOf } from './stats.ts';

/**
 * Connects to a server, and resolves when it is connected.
 *
 * @param address `host:port`, or a unix socket as `unix:/path`. Default 127.0.0.1:22122.
 * @throws QueueError `COULD_NOT_CONNECT` after as many attempts as the settings say; `UNAUTHORIZED`; `ABORTED`, `BAD_ARGUMENT`
 */
export async function connect(
  address: string | QueueAddress = DEFAULT_ADDRESS,
  options: ConnectOptions = {},
): Promise<QueueClient> {
  const where = typeof address === 'string' ? parseAddress(address) : address;
  if (options.signal?.aborted) {
    throw new QueueError('ABORTED', 'the signal was aborted before', { cause: options.signal.reason });
  }
  const client = new QueueClient(where, options);
  await client.connected;
  return client;
}

export class QueueClient implements AsyncDisposable {
  readonly #link: Link;
  readonly #reads: ReadLinks;
  readonly #asker: Asker;
  readonly #random: () => number;
  readonly #signal: AbortSignal | undefined;
  readonly #connected: PromiseWithResolvers<void> = Promise.withResolvers();
  #closing: Promise<void> | undefined;

  constructor(address: QueueAddress, options: ConnectOptions) {
    const settings = settingsOf(options.settings);
    const clock = options.clock ?? platformClock;
    this.#random = options.random ?? Math.random;
    this.#asker = { clock, settings };
    const linkOptions: LinkOptions = {
      address,
      access: accessOf(options, address),
      settings,
      clock,
      random: this.#random,
    };
    this.#reads = new ReadLinks(linkOptions);
    // Nobody may be waiting for it.
    this.#connected.promise.catch(() => undefined);
    this.#link = new Link(linkOptions, (change) => {
      if (change.state === 'connected') this.#connected.resolve();
      else if (change.state === 'closed') {
        const error = change.error ?? closedError();
        this.#reads.close(error);
        this.#connected.reject(error);
      }
      options.onState?.(change);
    });
    this.#signal = options.signal;
    this.#signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Resolves when it is connected for the first time. */
  get connected(): Promise<void> {
    return this.#connected.promise;
  }

  /** A queue, which needs not be there yet. Bodies are bytes or strings, unless a codec says otherwise. */
  queue(name: string): Queue;
  queue<In, Out>(name: string, options: { readonly codec: Codec<In, Out> }): Queue<In, Out>;
  queue(name: string, options?: { readonly codec: Codec<unknown, unknown> }): Queue<never, unknown> {
    return new Queue(name, options?.codec ?? (bytes as Codec<never, unknown>), {
      link: this.#link,
      reads: this.#reads,
      asker: this.#asker,
      random: this.#random,
    });
  }

  /** Every queue of the server, by name. */
  async queues(options?: CallOptions): Promise<QueueStats[]> {
    const queues = await ask(this.#link, queuesQuestion([]), this.#asker, options);
    return [...queues]
      .map(([key, figures]) => queueStatsOf(key, figures))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** The server's figures, under the names that the `stats` command has. */
  stats(options?: CallOptions): Promise<Figures> {
    return ask(this.#link, statsQuestion(), this.#asker, options);
  }

  /** Drops the messages of all queues. */
  async flushAll(options?: CallOptions): Promise<void> {
    await ask(this.#link, flushAllQuestion(), this.#asker, options);
  }

  /**
   * Waits, but no longer than the setting `closeMs`, for the answers to what was asked on the main connection, and ends
   * all connections: reads that wait fail, and open messages go back to their queues.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#signal?.removeEventListener('abort', this.#onAbort);
    const { clock, settings } = this.#asker;
    let timer: unknown;
    const late = new Promise<void>((resolve) => {
      timer = clock.setTimeout(resolve, settings.closeMs);
    });
    await Promise.race([this.#link.idle(), late]);
    clock.clearTimeout(timer);
    this.#link.close();
  }

  readonly #onAbort = (): void => {
    this.#link.close(new QueueError('ABORTED', 'the client was aborted', { cause: this.#signal?.reason }));
  };
}

function closedError(): QueueError {
  return new QueueError('CLOSED', 'the client is closed');
}

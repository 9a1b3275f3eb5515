import { addAbortSignal } from 'node:stream';
import { aborted, linesOf, wholeOf } from '@rookery/service';
import { type Bus, BusError, type SendOptions } from '../client/index.ts';
import { explained, openBus, type Target } from './connection.ts';

export interface PubOptions extends SendOptions {
  readonly groups: readonly string[];
  /** What is published; none reads standard input. */
  readonly text: string | undefined;
  /** Each line of the input is a message of its own. */
  readonly lines: boolean;
}

/** A daemon that restarts is back by then; what waits for this one wants an answer some time. */
const RECONNECT_ATTEMPTS = 10;
/** After Ctrl-C what is on its way has so long to be confirmed. */
const CLOSE_MS = 1000;
/** Bytes on their way before more of the input is read: the client's own window. */
const WINDOW_BYTES = 1024 * 1024;

/** Publishes one message, or a line at a time, and resolves when all is confirmed. */
export async function pub(target: Target, options: PubOptions, signal: AbortSignal): Promise<void> {
  const { text, lines } = options;
  const input = text === undefined ? addAbortSignal(signal, process.stdin) : undefined;
  if (input !== undefined && process.stdin.isTTY) {
    process.stderr.write(`Reading ${lines ? 'messages, one a line' : 'one message'}; Ctrl-D ends it.\n`);
  }
  const bus = await openBus(target, signal, {
    membership: false,
    settings: { reconnectAttempts: RECONNECT_ATTEMPTS, writeWindowBytes: WINDOW_BYTES, closeMs: CLOSE_MS },
  });
  const publisher = new Publisher(bus, options, signal);
  try {
    if (input === undefined) await publisher.publish(text!);
    else if (!lines) await publisher.publish(await wholeOf(input));
    else for await (const line of linesOf(input)) await publisher.publish(line);
    await publisher.done();
  } catch (error) {
    throw explained(error, target.urls);
  } finally {
    if (process.stderr.isTTY)
      process.stderr.write(`${publisher.published} published, ${publisher.confirmed} confirmed\n`);
    await bus.close();
  }
}

class Publisher {
  published = 0;
  confirmed = 0;
  readonly #bus: Bus;
  readonly #options: PubOptions;
  readonly #over: Promise<void>;
  #failure: Error | undefined;
  #settled: (() => void) | undefined;

  constructor(bus: Bus, options: PubOptions, signal: AbortSignal) {
    this.#bus = bus;
    this.#options = options;
    this.#over = aborted(signal);
  }

  /** Resolves when more may be published; the confirmation comes later. Rejects with the first failure of all. */
  async publish(data: string | Uint8Array): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    this.published++;
    const number = this.published;
    this.#bus.multicast(this.#options.groups, data, this.#options).then(
      () => {
        this.confirmed++;
        this.#settle();
      },
      (error: BusError) => {
        this.#failure ??= this.#options.lines
          ? new BusError(error.code, `line ${number}: ${error.message}`, { cause: error })
          : error;
        this.#settle();
      },
    );
    if (this.#bus.unconfirmedBytes >= WINDOW_BYTES) await Promise.race([this.#bus.drained(), this.#over]);
  }

  /** Resolves when all is confirmed. */
  async done(): Promise<void> {
    const settled = new Promise<void>((resolve) => {
      this.#settled = resolve;
      this.#settle();
    });
    await Promise.race([settled, this.#over]);
    if (this.#failure !== undefined) throw this.#failure;
  }

  #settle(): void {
    if (this.#failure !== undefined || this.confirmed === this.published) this.#settled?.();
  }
}

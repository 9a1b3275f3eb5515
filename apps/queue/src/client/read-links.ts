/**
 * Connections for reads. A read that waits holds up all that comes behind it on its connection, and an open message
 * belongs to the connection that opened it: so each of them has one for itself.
 */
import { QueueError } from './errors.ts';
import { Link } from './link.ts';
import type { LinkOptions } from './options.ts';

/** Idle ones that are kept for the next read. 16: a usual prefetch. */
const IDLE_MAX = 16;

export class ReadLinks {
  readonly #options: LinkOptions;
  readonly #lent = new Set<Link>();
  #idle: Link[] = [];
  #closed: QueueError | undefined;

  constructor(options: LinkOptions) {
    // The client's main connection has been made, or the caller would not be here: from then on none is given up.
    const settings = { ...options.settings, connectAttempts: options.settings.reconnectAttempts };
    this.#options = { ...options, settings };
  }

  /** Give it back, or let it be closed. @throws QueueError `OVERLOADED`, `CLOSED` */
  borrow(): Link {
    if (this.#closed !== undefined) throw this.#closed;
    const { readConnections } = this.#options.settings;
    if (this.#lent.size >= readConnections) {
      throw new QueueError(
        'OVERLOADED',
        `${readConnections} reads wait or hold messages already (the setting readConnections)`,
      );
    }
    // One that could not be made again meanwhile is over.
    this.#idle = this.#idle.filter(({ closed }) => !closed);
    const link = this.#idle.pop() ?? new Link(this.#options);
    this.#lent.add(link);
    return link;
  }

  /** With nothing open on it any more it is used again; otherwise its connection ends. */
  giveBack(link: Link, clean: boolean): void {
    if (!this.#lent.delete(link)) return;
    const usable = clean && link.connected && !link.owed && this.#closed === undefined;
    if (usable && this.#idle.length < IDLE_MAX) this.#idle.push(link);
    else link.close();
  }

  close(error: QueueError): void {
    this.#closed = error;
    for (const link of [...this.#lent, ...this.#idle]) link.close(error);
    this.#lent.clear();
    this.#idle = [];
  }
}

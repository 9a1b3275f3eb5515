/** Carries a spool to the daemon: reads what is next, hands it out, forgets what is confirmed. */
import type { MessageRecord, Origin } from '@rookery/protocol/websocket';
import type { BusError } from '../client/errors.ts';
import { Fifo } from '../client/fifo.ts';
import { SendingOrder, type WindowLimits } from './core.ts';
import type { Entry, Store } from './store.ts';

export type Outcome =
  | 'ordered'
  /** It may have been ordered or not: it will be sent again, with all behind it. */
  | 'lost'
  /** The daemon will never take it. */
  | BusError;

export interface Outlet {
  /** Messages go out in the order of the calls. `settle` is called once. */
  send(record: MessageRecord, origin: Origin, settle: (outcome: Outcome) => void): void;
}

export interface SenderOptions {
  readonly store: Store;
  readonly window: WindowLimits;
  /** A message was dropped, as the daemon will never take it. */
  readonly onRefused: (record: MessageRecord, error: BusError) => void;
  readonly onSettled: () => void;
  /** The spool can't be read: nothing more is sent. */
  readonly onFailed: (error: unknown) => void;
}

export class Sender {
  readonly #options: SenderOptions;
  readonly #order: SendingOrder;
  #outlet: Outlet | undefined;
  #reading = false;
  /** What may be forgotten of each life. */
  readonly #due = new Map<number, number>();
  /** What is on its way, by its life. */
  readonly #sent = new Map<number, Fifo<Entry>>();

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#order = new SendingOrder(options.window);
    for (const { forgotten, committed } of options.store.lives) this.#order.add(forgotten, committed);
  }

  /** All that is written is confirmed. */
  get idle(): boolean {
    return this.#order.idle && !this.#reading;
  }

  /** All of the present life up to here may be sent. */
  committed(sequence: number): void {
    this.#order.committed(this.#options.store.lives.length - 1, sequence);
    this.#wake();
  }

  /** From here on messages go there. What is on its way elsewhere must be settled first. */
  use(outlet: Outlet | undefined): void {
    this.#outlet = outlet;
    this.#wake();
  }

  #wake(): void {
    if (this.#reading || this.#outlet === undefined) return;
    const wanted = this.#order.next();
    if (wanted === undefined) return;
    this.#reading = true;
    const { life, afterSequence, throughSequence, maxEntries, maxBytes } = wanted;
    const { generation } = this.#order;
    this.#options.store.read(life, afterSequence, { maxEntries, maxBytes }).then(
      (entries) => {
        this.#reading = false;
        if (generation === this.#order.generation && this.#outlet !== undefined) {
          const written = entries.filter(({ sequence }) => sequence <= throughSequence);
          if (written.length === 0) this.#order.skip(life, throughSequence);
          for (const entry of written) this.#send(life, entry, this.#outlet);
        }
        this.#options.onSettled();
        this.#wake();
      },
      (error) => this.#options.onFailed(error),
    );
  }

  // hot: once per message.
  #send(life: number, entry: Entry, outlet: Outlet): void {
    const { generation } = this.#order;
    const { record, sequence, bytes } = entry;
    this.#order.sending(life, sequence, bytes);
    const sent = this.#sent.get(life) ?? new Fifo<Entry>();
    this.#sent.set(life, sent);
    sent.push(entry);
    outlet.send(record, { publisher: this.#options.store.publisher(life), sequence }, (outcome) => {
      if (outcome === 'lost') this.#lose(generation);
      else {
        if (outcome !== 'ordered') this.#options.onRefused(record, outcome);
        this.#settle(generation, life, sequence);
      }
      this.#wake();
    });
  }

  #settle(generation: number, life: number, sequence: number): void {
    for (const { life: of, through } of this.#order.settle(generation, life, sequence)) {
      if (this.#due.size === 0) queueMicrotask(() => this.#forget());
      this.#due.set(of, through);
    }
  }

  /** What one confirmation of the daemon settles is forgotten in one go. */
  #forget(): void {
    try {
      for (const [life, through] of this.#due) {
        this.#options.store.forget(life, this.#taken(life, through));
      }
      this.#due.clear();
      this.#options.onSettled();
    } catch (error) {
      this.#options.onFailed(error);
    }
  }

  #lose(generation: number): void {
    if (generation !== this.#order.generation) return;
    // What is confirmed isn't read again.
    this.#forget();
    this.#order.lose(generation);
    this.#sent.clear();
  }

  #taken(life: number, through: number): Entry[] {
    const sent = this.#sent.get(life);
    const taken: Entry[] = [];
    while (sent?.at(0) !== undefined && sent.at(0)!.sequence <= through) taken.push(sent.shift()!);
    return taken;
  }
}

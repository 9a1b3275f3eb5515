/** One connection and the messages of a queue that are open on it. */
import { type Asker, ask } from './ask.ts';
import { QueueError } from './errors.ts';
import type { Link } from './link.ts';
import type { Holder, Received } from './message.ts';
import type { CallOptions } from './options.ts';
import {
  acknowledgeQuestion,
  giveBackQuestion,
  type HeldAction,
  heldQuestion,
  openQuestion,
} from './questions/reads.ts';

export class Holding {
  readonly link: Link;
  readonly #key: string;
  readonly #asker: Asker;
  readonly #held = new Set<Held>();

  /** `key`: the queue's, with a cursor if there is one. The link is this one's alone. */
  constructor(link: Link, key: string, asker: Asker) {
    this.link = link;
    this.#key = key;
    this.#asker = asker;
    link.onBroken = () => {
      for (const held of [...this.#held]) held.settle();
    };
  }

  /**
   * Opens up to so many, and waits up to so long for the first: meanwhile nothing else is answered on this connection. A
   * broken connection gives back what it opened: then it is asked for again.
   */
  open(count: number, waitMs: number, options: CallOptions | undefined): Promise<readonly Received[]> {
    const question = openQuestion(this.#key, count, waitMs);
    // Given up, but the server opened them all the same.
    const late = (received: readonly Received[]): void => {
      for (const { handle } of received) {
        ask(this.link, giveBackQuestion(this.#key, handle, 0), this.#asker, undefined).catch(() => undefined);
      }
    };
    return ask(this.link, { ...question, late }, this.#asker, options);
  }

  /** What may be done to a message that was just opened. `onSettled` is told once, when it is open no more. */
  hold({ handle }: Received, onSettled: () => void): Holder {
    const held = new Held(this.link, this.#key, handle, this.#asker, () => {
      this.#held.delete(held);
      onSettled();
    });
    this.#held.add(held);
    return held;
  }
}

class Held implements Holder {
  readonly #link: Link;
  readonly #key: string;
  readonly #handle: string;
  readonly #asker: Asker;
  readonly #onSettled: () => void;
  open = true;

  constructor(link: Link, key: string, handle: string, asker: Asker, onSettled: () => void) {
    this.#link = link;
    this.#key = key;
    this.#handle = handle;
    this.#asker = asker;
    this.#onSettled = onSettled;
  }

  acknowledge(options: CallOptions | undefined): Promise<void> {
    return this.#end(acknowledgeQuestion(this.#key, this.#handle), options);
  }

  bury(options: CallOptions | undefined): Promise<void> {
    return this.#end(heldQuestion('bury', this.#key, this.#handle), options);
  }

  async abort(delayMs: number, options: CallOptions | undefined): Promise<void> {
    if (!this.open) return;
    await this.#end(giveBackQuestion(this.#key, this.#handle, delayMs), options).catch((error: unknown) => {
      // The end of its time, or of the connection, has put it back just as well.
      if (!(error instanceof QueueError && error.code === 'NOT_OPEN')) throw error;
    });
  }

  async touch(timeMs: number, options: CallOptions | undefined): Promise<void> {
    this.#check();
    const action: HeldAction = timeMs > 0 ? { touchMs: timeMs } : 'touch';
    if (await ask(this.#link, heldQuestion(action, this.#key, this.#handle), this.#asker, options)) return;
    this.settle();
    throw timeWasOver();
  }

  settle(): void {
    if (!this.open) return;
    this.open = false;
    this.#onSettled();
  }

  async #end(
    question: ReturnType<typeof acknowledgeQuestion>,
    options: CallOptions | undefined,
  ): Promise<void> {
    this.#check();
    const asked = ask(this.#link, question, this.#asker, options);
    // At once and not with the answer: nothing else is to be done with it, and the next can be opened in the same write.
    this.settle();
    const done = await asked.catch((error: unknown) => {
      // It is nobody's here, and may be open there still.
      if (!(error instanceof QueueError && error.code === 'NOT_OPEN')) {
        ask(this.#link, giveBackQuestion(this.#key, this.#handle, 0), this.#asker, undefined).catch(
          () => undefined,
        );
      }
      throw error;
    });
    if (!done) throw timeWasOver();
  }

  #check(): void {
    if (this.open) return;
    throw new QueueError('NOT_OPEN', 'the message is not open: it was settled, or its connection broke');
  }
}

function timeWasOver(): QueueError {
  return new QueueError('NOT_OPEN', 'the message’s time was over: it is back in its queue');
}

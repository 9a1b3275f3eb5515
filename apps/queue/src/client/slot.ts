/** One connection that has one message of a queue open at a time. */
import { type Asker, ask } from './ask.ts';
import { QueueError } from './errors.ts';
import type { Link } from './link.ts';
import type { Holder, Received } from './message.ts';
import type { CallOptions } from './options.ts';
import { abortQuestion, confirmQuestion, readQuestion, touchQuestion } from './questions.ts';

export class Slot {
  readonly #link: Link;
  readonly #key: string;
  readonly #asker: Asker;

  /** `key`: the queue's, with a cursor if there is one. */
  constructor(link: Link, key: string, asker: Asker) {
    this.#link = link;
    this.#key = key;
    this.#asker = asker;
  }

  /** Waits up to so long for a message and opens it. A broken connection gives it back: then it is asked for again. */
  open(waitMs: number, options: CallOptions | undefined): Promise<Received | undefined> {
    const question = readQuestion({ key: `${this.#key}/open`, waitMs, afterLoss: 'again' });
    return ask(this.#link, question, this.#asker, options);
  }

  /** What may be done to the message that was just opened. `onSettled` is told once, when it is open no more. */
  hold(onSettled: () => void): Holder {
    const held = new Held(this.#link, this.#key, this.#asker, onSettled);
    this.#link.onBroken = () => held.settle();
    return held;
  }
}

class Held implements Holder {
  readonly #link: Link;
  readonly #key: string;
  readonly #asker: Asker;
  readonly #onSettled: () => void;
  open = true;

  constructor(link: Link, key: string, asker: Asker, onSettled: () => void) {
    this.#link = link;
    this.#key = key;
    this.#asker = asker;
    this.#onSettled = onSettled;
  }

  async acknowledge(options: CallOptions | undefined): Promise<void> {
    this.#check();
    const asked = ask(this.#link, confirmQuestion(this.#key), this.#asker, options);
    // At once and not with the answer: a second call must not acknowledge what is opened next, which goes out in the
    // same write.
    this.settle();
    if (!(await asked)) throw timeWasOver();
  }

  async abort(options: CallOptions | undefined): Promise<void> {
    if (!this.open) return;
    const asked = ask(this.#link, abortQuestion(this.#key), this.#asker, options);
    this.settle();
    await asked.catch((error: unknown) => {
      // The end of the connection has put it back just as well.
      if (!(error instanceof QueueError && error.code === 'NOT_OPEN')) throw error;
    });
  }

  async touch(options: CallOptions | undefined): Promise<void> {
    this.#check();
    if (await ask(this.#link, touchQuestion(this.#key), this.#asker, options)) return;
    this.settle();
    throw timeWasOver();
  }

  settle(): void {
    if (!this.open) return;
    this.open = false;
    this.#link.onBroken = undefined;
    this.#onSettled();
  }

  #check(): void {
    if (this.open) return;
    throw new QueueError('NOT_OPEN', 'the message is not open: it was settled, or its connection broke');
  }
}

function timeWasOver(): QueueError {
  return new QueueError('NOT_OPEN', 'the message’s time was over: it is back in its queue');
}

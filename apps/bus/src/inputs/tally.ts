/** What an input has to say about itself: counted, and told seldom, for it often stands in the web server's error log. */

export interface Counts {
  published: number;
  /** The spool was full. */
  dropped: number;
  /** Longer than a line may be. */
  cut: number;
  /** Not the format; published as it was. */
  malformed: number;
  /** The daemon will never take it. */
  refused: number;
}

/** Between two lines about what goes wrong: a full spool says so, and doesn't fill a disk with it. */
const TELL_MS = 10_000;

const SAID: readonly (readonly [keyof Counts, string])[] = [
  ['dropped', 'dropped, the spool is full'],
  ['cut', 'cut, longer than a line may be'],
  ['malformed', 'malformed, published as they came'],
  ['refused', 'refused by the daemon'],
];

export class Tally {
  readonly counts: Counts = { published: 0, dropped: 0, cut: 0, malformed: 0, refused: 0 };
  readonly #write: (line: string) => void;
  #told: Counts = { ...this.counts };
  #timer: NodeJS.Timeout | undefined;

  constructor(write: (line: string) => void) {
    this.#write = write;
  }

  add(what: keyof Counts, count = 1): void {
    this.counts[what] += count;
    if (what === 'published' || this.#timer !== undefined) return;
    this.#tell();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#tell();
    }, TELL_MS).unref();
  }

  say(text: string): void {
    this.#write(`rookery-bus: ${text}\n`);
  }

  /** Tells what was not told yet. */
  close(): void {
    clearTimeout(this.#timer);
    this.#tell();
  }

  #tell(): void {
    const told = SAID.flatMap(([what, words]) => {
      const grown = this.counts[what] - this.#told[what];
      return grown === 0 ? [] : [`${grown} ${grown === 1 ? 'line' : 'lines'} ${words}`];
    });
    this.#told = { ...this.counts };
    if (told.length > 0) this.say(told.join('; '));
  }
}

/** Questions that wait for an answer, and how many may be asked. Pure. */
import { AddressRate } from './rate.ts';

/** How long an answer may take. */
export const CHALLENGE_MS = 2000;
/** The oldest gives way. */
const CHALLENGES_MAX = 1024;
/** Several times what daemons need of each other; recorded datagrams don't make us louder than this. */
const QUESTION_RATE = { perSecond: 50, burst: 5, allPerSecond: 1000, allBurst: 512 };

interface Challenge {
  readonly serial: number;
  readonly atMs: number;
}

export class Challenges {
  readonly #challenges = new Map<string, Challenge>();
  readonly #rate = new AddressRate(QUESTION_RATE);
  readonly #nonce: () => Buffer;
  #serial = 0;

  constructor(nonce: () => Buffer) {
    this.#nonce = nonce;
  }

  /** The nonce of a new question to that address; undefined if it would be one too many. */
  ask(now: number, address: string): Buffer | undefined {
    if (!this.#rate.take(now, address)) return undefined;
    const nonce = this.#nonce();
    if (this.#challenges.size >= CHALLENGES_MAX) {
      this.#challenges.delete(this.#challenges.keys().next().value as string);
    }
    this.#challenges.set(nonce.toString('latin1'), { serial: ++this.#serial, atMs: now });
    return nonce;
  }

  /** Which question that was, counted from 1; undefined if nobody asked it, or too long ago. A group's has many answers. */
  find(now: number, nonce: Buffer): number | undefined {
    const challenge = this.#challenges.get(nonce.toString('latin1'));
    return challenge === undefined || now - challenge.atMs > CHALLENGE_MS ? undefined : challenge.serial;
  }

  expire(now: number): void {
    for (const [nonce, { atMs }] of this.#challenges) {
      if (now - atMs <= CHALLENGE_MS) break;
      this.#challenges.delete(nonce);
    }
  }

  get count(): number {
    return this.#challenges.size;
  }
}

/**
 * What waits to be sent and what waits to be answered, over as many connections as it takes. Pure: it knows neither
 * sockets nor timers, and each call that needs a clock is given `now`.
 */
import { Fifo } from './fifo.ts';

/**
 * What becomes of a call whose connection breaks.
 *
 * - `again`: it is sent once more, for doing it twice is the same as doing it once.
 * - `unless-sent`: it waits for the next connection if it was not sent; else nobody knows what became of it.
 * - `never`: it makes no sense on another connection.
 */
export type AfterLoss = 'again' | 'unless-sent' | 'never';

export interface PipelineCall {
  /** Of its request. */
  readonly bytes: number;
  readonly afterLoss: AfterLoss;
  /** When its caller gives it up. `Infinity`: never. */
  readonly deadlineAt: number;
  /** How long the server may take for it, once all before it is answered. */
  readonly answerMs: number;
  /** The pipeline's own. `over`: its caller has been told; if it was sent, its answer is still to come. */
  state: 'new' | 'waiting' | 'sent' | 'over';
}

export interface PipelineLimits {
  readonly waitingCalls: number;
  readonly waitingBytes: number;
  readonly pipelineCalls: number;
  readonly pipelineBytes: number;
}

export class Pipeline<C extends PipelineCall> {
  readonly #limits: PipelineLimits;
  /** Those that are over stay until they come to the head, or until they are the most. */
  readonly #waiting = new Fifo<C>();
  readonly #sent = new Fifo<C>();
  #waitingCalls = 0;
  #waitingBytes = 0;
  #sentBytes = 0;
  #wantedCalls = 0;
  /** Since when the oldest sent call is the oldest. */
  #oldestSince = 0;

  constructor(limits: PipelineLimits) {
    this.#limits = limits;
  }

  get waitingCalls(): number {
    return this.#waitingCalls;
  }

  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Sent and not answered, given up or not. */
  get sentCalls(): number {
    return this.#sent.length;
  }

  get sentBytes(): number {
    return this.#sentBytes;
  }

  /** Those whose callers still wait for an answer. */
  get wantedCalls(): number {
    return this.#wantedCalls;
  }

  /** False if so much waits that no more is taken. */
  // hot: once per call, as are `take` and `answered`.
  add(call: C): boolean {
    const { waitingCalls, waitingBytes } = this.#limits;
    // One that is larger than the limit may wait alone.
    if (this.#waitingCalls >= waitingCalls) return false;
    if (this.#waitingCalls > 0 && this.#waitingBytes + call.bytes > waitingBytes) return false;
    call.state = 'waiting';
    this.#waiting.push(call);
    this.#waitingCalls++;
    this.#waitingBytes += call.bytes;
    this.#wantedCalls++;
    return true;
  }

  /** The next one to send now, or none. */
  take(now: number): C | undefined {
    for (let call = this.#waiting.first; call !== undefined; call = this.#waiting.first) {
      if (call.state === 'waiting') {
        const { pipelineCalls, pipelineBytes } = this.#limits;
        const { length } = this.#sent;
        if (length >= pipelineCalls) return undefined;
        if (length > 0 && this.#sentBytes + call.bytes > pipelineBytes) return undefined;
        this.#waiting.shift();
        this.#waitingCalls--;
        this.#waitingBytes -= call.bytes;
        call.state = 'sent';
        if (length === 0) this.#oldestSince = now;
        this.#sent.push(call);
        this.#sentBytes += call.bytes;
        return call;
      }
      this.#waiting.shift();
    }
    return undefined;
  }

  /** Whose answer comes next. Undefined: nothing was asked. */
  get oldest(): C | undefined {
    return this.#sent.first;
  }

  /** The oldest has its whole answer. */
  answered(now: number): void {
    const call = this.#sent.shift();
    if (call === undefined) return;
    this.#sentBytes -= call.bytes;
    this.#oldestSince = now;
    if (call.state === 'sent') this.#wantedCalls--;
    call.state = 'over';
  }

  /** Its caller wants it no more. Gives whether it was sent. */
  giveUp(call: C): boolean {
    const sent = call.state === 'sent';
    if (call.state === 'waiting') this.#leave(call);
    if (call.state !== 'over') this.#wantedCalls--;
    call.state = 'over';
    const length = this.#waiting.length;
    // Else a program that gives up call after call, while no server is there, keeps all their bodies.
    if (length > 64 && length > 2 * this.#waitingCalls) {
      this.#waiting.replace(this.#waiting.toArray().filter((waiting) => waiting.state === 'waiting'));
    }
    return sent;
  }

  /**
   * The connection broke. Gives those that end with it; what may go on waits again, in its order and before all else.
   * Those of them that were sent have the state `sent`. `unread`: the server has carried out nothing of what was sent.
   */
  lost(unread = false): C[] {
    const ended: C[] = [];
    const kept: C[] = [];
    for (const call of this.#sent.toArray()) {
      if (call.state !== 'sent') continue;
      if (call.afterLoss === 'again' || (unread && call.afterLoss === 'unless-sent')) {
        call.state = 'waiting';
        this.#waitingCalls++;
        this.#waitingBytes += call.bytes;
        kept.push(call);
      } else ended.push(call);
    }
    this.#sent.replace([]);
    this.#sentBytes = 0;
    for (const call of this.#waiting.toArray()) {
      if (call.state !== 'waiting') continue;
      if (call.afterLoss === 'never') {
        this.#leave(call);
        ended.push(call);
      } else kept.push(call);
    }
    this.#waiting.replace(kept);
    this.#wantedCalls -= ended.length;
    return ended;
  }

  /** Gives all that are not over. */
  clear(): C[] {
    const all = [...this.#sent.toArray(), ...this.#waiting.toArray()].filter((call) => call.state !== 'over');
    this.#sent.replace([]);
    this.#waiting.replace([]);
    this.#waitingCalls = 0;
    this.#waitingBytes = 0;
    this.#sentBytes = 0;
    this.#wantedCalls = 0;
    return all;
  }

  /** Those whose time is over. Call `giveUp` for each. */
  due(now: number): C[] {
    return this.#pending().filter((call) => call.deadlineAt <= now);
  }

  /** When the next one's time is over; `Infinity` if none's ever is. */
  nextDeadlineAt(): number {
    return this.#pending().reduce((next, call) => Math.min(next, call.deadlineAt), Number.POSITIVE_INFINITY);
  }

  /** From when on the server is taken for dead; `Infinity` while it owes nothing. */
  get stuckAt(): number {
    const call = this.#sent.first;
    return call === undefined ? Number.POSITIVE_INFINITY : this.#oldestSince + call.answerMs;
  }

  #pending(): C[] {
    return [...this.#sent.toArray(), ...this.#waiting.toArray()].filter((call) => call.state !== 'over');
  }

  #leave(call: C): void {
    this.#waitingCalls--;
    this.#waitingBytes -= call.bytes;
  }
}

import type { RecordableHistogram } from 'node:perf_hooks';
import type { Bus, SessionEvent } from '../../client/index.ts';
import { readStamp } from './stamp.ts';

/** Counts what one session is given of a run, and times what it sent itself. */
export class Receiver {
  readonly session: string;
  readonly #events: AsyncIterator<SessionEvent, undefined>;
  readonly #index: number;
  messages = 0;
  dropped = 0;
  /** When the last of them came. */
  lastMs = 0;

  /** Begins to keep what comes; `index` is that of the sender on the same session. */
  constructor(bus: Bus, index: number) {
    this.session = bus.session;
    this.#events = bus[Symbol.asyncIterator]();
    this.#index = index;
  }

  /** Resolves when all have come, or were dropped for a slow reader. `latency` is in nanoseconds. */
  async receive(run: number, expected: number, latency: RecordableHistogram): Promise<void> {
    // hot: once per message.
    while (this.messages + this.dropped < expected) {
      const { value: event, done } = await this.#events.next();
      if (done) return;
      if (event.kind === 'message') {
        const stamp = readStamp(event.data);
        if (stamp?.run !== run) continue;
        const nowMs = performance.now();
        this.messages++;
        this.lastMs = nowMs;
        if (stamp.sender === this.#index)
          latency.record(Math.max(1, Math.round((nowMs - stamp.sentMs) * 1e6)));
      } else if (event.kind === 'dropped') this.dropped += event.count;
      else if (event.kind === 'lost') throw new Error(`${event.session} was lost: ${event.reason}`);
    }
  }
}

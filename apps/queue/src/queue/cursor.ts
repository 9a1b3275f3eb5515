import type { Message, StoredCursor } from '../store/store.ts';
import type { Queue } from './queue.ts';
import { Reader, type Source } from './reader.ts';
import type { WindowBudget } from './window.ts';

/**
 * Reads along a queue without consuming it. What the queue's own readers consumed, or what expired, is skipped.
 */
export class Cursor implements Source {
  readonly name: string;
  readonly queue: Queue;
  readonly stored: StoredCursor;
  readonly reader: Reader;

  constructor(queue: Queue, stored: StoredCursor, windowBudget: WindowBudget) {
    this.name = stored.name;
    this.queue = queue;
    this.stored = stored;
    this.reader = new Reader(this, queue.settings.maxMemoryBytes, stored.consumedThrough, windowBudget);
    this.reader.paused = queue.settings.paused;
  }

  settingsChanged(): void {
    const { maxMemoryBytes, openReadTimeoutMs } = this.queue.settings;
    this.reader.maxWindowBytes = maxMemoryBytes;
    this.reader.setOpenReadTimeout(openReadTimeoutMs);
    this.reader.paused = this.queue.settings.paused;
  }

  get lastSequence(): number {
    return this.queue.lastSequence;
  }

  get openReadTimeoutMs(): number {
    return this.queue.openReadTimeoutMs;
  }

  acknowledge(message: Message): void {
    const { sequence } = message;
    // Mostly it is the oldest that is left: then what the queue's own readers took before it is done with as well, and
    // the cursor's position stays one number however the two take turns.
    if (this.reader.holdsBefore(sequence)) this.stored.acknowledge(sequence);
    else this.stored.acknowledgeThrough(sequence);
  }

  /** Whose readers it passes by again and again is no dead letter of the queue. */
  comesBack(): boolean {
    return true;
  }

  pass(message: Message, now: number): boolean {
    if (this.stored.isAcknowledged(message.sequence)) return true;
    if (this.queue.stored.main.isAcknowledged(message.sequence)) return true;
    return this.queue.isExpired(message, now);
  }
}

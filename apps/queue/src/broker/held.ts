import type { Clock } from '@rookery/storage';
import { Queue } from '../queue/queue.ts';
import type { OpenRead, Reader } from '../queue/reader.ts';
import { BrokerError } from './errors.ts';
import type { Session } from './session.ts';
import type { ReadTarget } from './targets.ts';

/** Which of the messages that a session holds of a queue: the one with this handle, or so many of the oldest. */
export type Selection = { readonly handle: number } | { readonly oldest: number };

/** What a session does with messages that it holds open. What answers false has done nothing: not all of it is held. */
export interface Held {
  /** Acknowledges. @throws StoreError */
  close(session: Session, target: ReadTarget, selection: Selection): boolean;
  /** Gives back: to its place, or with a delay to the end of the queue then. @throws BrokerError, StoreError */
  abort(session: Session, target: ReadTarget, selection: Selection, delayMs: number): boolean;
  /** To where dead letters go. @throws BrokerError, StoreError */
  bury(session: Session, target: ReadTarget, selection: Selection): boolean;
  /** Gives more time, to all of the queue without a selection; 0: as much as the queue's setting says. @throws BrokerError */
  touch(session: Session, target: ReadTarget, timeoutMs: number, selection?: Selection): boolean;
  /** What `/close`, `/abort` and `/bury` do to the oldest. @throws BrokerError, StoreError */
  endOldest(session: Session, reader: Reader, target: ReadTarget, now: number): void;
}

export interface HeldSurroundings {
  readonly readerOf: (target: ReadTarget) => Reader | undefined;
  readonly clock: Clock;
  readonly maxDelayMs: number;
  readonly watchOpenReads: (reader: Reader, deadline: number) => void;
  readonly watchDelayed: (queue: Queue) => void;
}

export function createHeld(surroundings: HeldSurroundings): Held {
  const { readerOf, clock, maxDelayMs } = surroundings;

  /** Oldest first; undefined if not all of it is held. */
  function select(session: Session, target: ReadTarget, selection?: Selection): OpenRead[] | undefined {
    const reader = readerOf(target);
    if (reader === undefined) return undefined;
    if (selection === undefined) return session.held(reader);
    if ('handle' in selection) {
      const read = session.find(reader, selection.handle);
      return read === undefined ? undefined : [read];
    }
    const held = session.held(reader).slice(0, selection.oldest);
    return held.length < selection.oldest ? undefined : held;
  }

  function end(session: Session, reads: OpenRead[] | undefined, act: (read: OpenRead) => void): boolean {
    if (reads === undefined) return false;
    for (const read of reads) {
      act(read);
      session.remove(read);
    }
    return true;
  }

  function delay(read: OpenRead, delayMs: number, now: number): void {
    const queue = queueOf(read);
    if (read.reader.isCurrent(read.message)) queue.delay(read.message, delayMs, now);
    read.reader.release(read);
    read.reader.abortedTotal += 1;
    surroundings.watchDelayed(queue);
  }

  function bury(read: OpenRead, now: number): void {
    const current = read.reader.isCurrent(read.message);
    if (current && !queueOf(read).bury(read.message, now)) read.reader.abort([read], now);
    else read.reader.release(read);
  }

  return {
    close(session, target, selection) {
      const reads = select(session, target, selection);
      // None of none is done: `confirm q 0`.
      if (reads === undefined) return 'oldest' in selection && selection.oldest === 0;
      return end(session, reads, (read) => read.reader.close(read));
    },
    abort(session, target, selection, delayMs) {
      checkDelay(delayMs, maxDelayMs);
      const now = clock.now();
      const reads = select(session, target, selection);
      if (delayMs > 0) return end(session, reads, (read) => delay(read, delayMs, now));
      // All before the first is handed out again.
      reads?.[0]?.reader.abort(reads, now);
      return end(session, reads, () => undefined);
    },
    bury(session, target, selection) {
      const now = clock.now();
      return end(session, select(session, target, selection), (read) => bury(read, now));
    },
    touch(session, target, timeoutMs, selection) {
      checkDelay(timeoutMs, maxDelayMs);
      const reads = select(session, target, selection) ?? [];
      for (const read of reads) {
        const givenMs = timeoutMs > 0 ? timeoutMs : read.reader.source.openReadTimeoutMs;
        if (givenMs === 0) continue;
        read.deadline = clock.now() + givenMs;
        surroundings.watchOpenReads(read.reader, read.deadline);
      }
      return reads.length > 0;
    },
    endOldest(session, reader, target, now) {
      const read = session.oldest(reader);
      if (read === undefined) return;
      checkDelay(target.delayMs, maxDelayMs);
      if (target.close) reader.close(read);
      else if (target.bury) bury(read, now);
      else if (target.delayMs > 0) delay(read, target.delayMs, now);
      else reader.abort([read], now);
      session.remove(read);
    },
  };
}

/** @throws BrokerError `bad-options` */
export function checkDelay(delayMs: number, maxDelayMs: number): void {
  if (delayMs > maxDelayMs) {
    throw new BrokerError('bad-options', `a delay is ${maxDelayMs} ms at most (max_delay_ms)`);
  }
}

function queueOf({ reader }: OpenRead): Queue {
  if (reader.source instanceof Queue) return reader.source;
  throw new BrokerError('bad-options', "a cursor reads along: it can't move messages");
}

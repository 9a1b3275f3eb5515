import { join } from 'node:path';
import { type Log, type LogOptions, openLog, type Stream } from '@rookery/storage';
import { translate, translateAsync } from './log-errors.ts';
import { LogCursor, LogQueue, parseCursorStreamName, parseLaneStreamName } from './log-queue.ts';
import type { Store } from './store.ts';

export type LogStoreOptions = Omit<LogOptions, 'onCommit'>;

/** Where the log lies in the folder that `serve` has as `--data`. */
export function logDirectory(dataDirectory: string): string {
  return join(dataDirectory, 'log');
}

/** @throws StoreError `store-locked`, or LogError for a folder that is not a log of this version */
export async function openLogStore(options: LogStoreOptions): Promise<LogStore> {
  let store: LogStore | undefined;
  let torn = false;
  const log = await translateAsync(
    openLog({
      ...options,
      onCommit: (position) => store?.onCommit(position),
      onEvent: (event) => {
        options.onEvent?.(event);
        // In the middle, or at the end of a segment that others follow: records may be missing before others that are
        // there. A torn tail of the last one takes what is newest, and is taken for the others too: it costs little.
        if (event.type === 'damaged' || event.type === 'torn-tail') torn = true;
        if (event.type === 'failed') store?.onFailure(event.error);
      },
    }),
  );
  store = new LogStore(log);
  let changed = false;
  for (const queue of store.queues.values()) if (await queue.recover(torn)) changed = true;
  // A second crash must not find half of what this one changed: a new message could get the sequence of a void id.
  if (changed) await translateAsync(log.sync());
  return store;
}

/**
 * The embedded store: every lane of a queue is a stream of one log, a message is one record (head.ts), and a cursor is
 * a stream that holds acknowledgements only.
 */
export class LogStore implements Store {
  readonly log: Log;
  readonly queues: Map<string, LogQueue> = new Map();
  onCommit: (position: number) => void = () => undefined;
  onFailure: (error: Error) => void = () => undefined;

  constructor(log: Log) {
    this.log = log;
    const queues: Stream[] = [];
    const cursors: Stream[] = [];
    const beside = new Map<number, Map<string, Stream>>();
    for (const stream of log.streams.values()) {
      if (stream.name.startsWith('c:')) cursors.push(stream);
      else if (stream.name.startsWith('l:')) {
        const { queueStreamId, lane } = parseLaneStreamName(stream.name);
        const lanes = beside.get(queueStreamId);
        if (lanes === undefined) beside.set(queueStreamId, new Map([[lane, stream]]));
        else lanes.set(lane, stream);
      } else queues.push(stream);
    }
    for (const stream of queues) {
      // A stream that recovery had to name itself still holds somebody's messages: it shows as a queue.
      const name = stream.name.startsWith('q:') ? stream.name.slice(2) : stream.name;
      this.#adopt(name, stream, beside.get(stream.id) ?? none);
      beside.delete(stream.id);
    }
    // The removal of their queue was kept, and theirs was lost.
    for (const lanes of beside.values()) for (const stream of lanes.values()) stream.remove();
    for (const stream of cursors) {
      const { queueName, cursorName } = parseCursorStreamName(stream.name);
      const queue = this.queues.get(queueName);
      if (queue === undefined) stream.remove();
      else queue.cursors.set(cursorName, new LogCursor(queue, cursorName, stream));
    }
  }

  get position(): number {
    return this.log.position;
  }

  get committedPosition(): number {
    return this.log.committedPosition;
  }

  get full(): boolean {
    return this.log.full;
  }

  get congested(): boolean {
    return this.log.congested;
  }

  get maxChangeBytes(): number {
    return this.log.maxInFlightBytes;
  }

  createQueue(name: string, attributes: string): LogQueue {
    const stream = translate(() => this.log.createStream(`q:${name}`, Buffer.from(attributes)));
    return this.#adopt(name, stream, none);
  }

  sync(): Promise<void> {
    return translateAsync(this.log.sync());
  }

  close(): Promise<void> {
    return translateAsync(this.log.close());
  }

  #adopt(name: string, main: Stream, beside: ReadonlyMap<string, Stream>): LogQueue {
    const queue = new LogQueue(this.log, name, { main, beside }, () => this.queues.delete(name));
    this.queues.set(name, queue);
    return queue;
  }
}

const none: ReadonlyMap<string, Stream> = new Map();

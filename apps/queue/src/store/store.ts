/**
 * What the broker needs of a place that keeps messages. It talks of queues, sequences and positions, never of files,
 * so that an engine on other machines can stand behind it. Every implementation runs the suite in `compliance.ts`.
 */
export interface Store {
  /** The queues found when the store was opened, and those created since. */
  readonly queues: ReadonlyMap<string, StoredQueue>;
  /** Counts every change, in order. A reply about a change waits until `committedPosition` has reached it. */
  readonly position: number;
  readonly committedPosition: number;
  /** Puts are refused for want of space; everything else goes on. */
  readonly full: boolean;
  /** More is in flight than is good: read no more requests until the next commit. */
  readonly congested: boolean;
  /** The most that one change may hold, all copies of a message together. */
  readonly maxChangeBytes: number;
  /** Called at each commit, synchronously. One listener: the server. */
  onCommit: (position: number) => void;
  /** Called once if the store can't go on; nothing is committed after it. */
  onFailure: (error: Error) => void;

  /** @throws StoreError */
  createQueue(name: string, attributes: string): StoredQueue;
  /** Resolves when all that was changed before the call is as durable as it can be, whatever the mode. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface StoredQueue {
  readonly name: string;
  /** What the broker keeps with the queue, as JSON. */
  readonly attributes: string;
  /** The sequence of the newest message ever put; 0 if none. */
  readonly lastSequence: number;
  /** Messages not acknowledged, and the bytes of their bodies. */
  readonly count: number;
  readonly bodyBytes: number;
  readonly cursors: ReadonlyMap<string, StoredCursor>;

  /** Keeps a message whose body is `buffer[start, end)`; the body is copied. @throws StoreError */
  append(properties: MessageProperties, buffer: Uint8Array, start: number, end: number): Message;
  /** Puts a message of another queue at this one's tail and acknowledges it there: both or neither. @throws StoreError */
  moveFrom(source: StoredQueue, message: Message, properties: MessageProperties): Message;
  /**
   * Messages after the sequence that are not acknowledged, in order. At least one if there is one, however large.
   * @throws StoreError `store-read-failed`
   */
  read(afterSequence: number, maxMessages: number, maxBytes: number): Promise<Message[]>;
  /** @throws StoreError */
  acknowledge(message: Message): void;
  isAcknowledged(sequence: number): boolean;
  /** Acknowledges everything put so far. @throws StoreError */
  purge(): void;
  setAttributes(attributes: string): void;
  remove(): void;
  /** A durable position of its own over this queue's messages. */
  createCursor(name: string): StoredCursor;
}

/** Remembers what one cursor has consumed; the messages stay the queue's. */
export interface StoredCursor {
  readonly name: string;
  /** It has consumed everything up to this sequence, perhaps more: reading can go on from here. */
  readonly consumedThrough: number;
  /** @throws StoreError */
  acknowledge(sequence: number): void;
  /** It has done with everything up to the sequence, whoever consumed it. @throws StoreError */
  acknowledgeThrough(sequence: number): void;
  isAcknowledged(sequence: number): boolean;
  remove(): void;
}

export interface MessageProperties {
  /** The client's, given back as they came. 32 bits. */
  readonly flags: number;
  /** Milliseconds since the Unix epoch. */
  readonly addedAt: number;
  /** Milliseconds since the Unix epoch; 0 for never. */
  readonly expiresAt: number;
}

/** One message in memory: its body is `buffer[start, end)`, shared with the store: read it, never write it. */
export interface Message extends MessageProperties {
  readonly sequence: number;
  /** What a reply that delivers this message must wait for; 0 if it was read back from the store. */
  readonly position: number;
  readonly buffer: Buffer;
  readonly start: number;
  readonly end: number;
  /** The store's own handle. */
  readonly handle: unknown;
}

/** Why a store refused. */
export type StoreErrorCode =
  | 'store-full'
  | 'store-busy'
  | 'store-failed'
  | 'store-closed'
  | 'store-read-failed'
  | 'store-locked'
  | 'body-too-large'
  | 'queue-exists'
  | 'name-too-long'
  | 'queue-removed';

export class StoreError extends Error {
  readonly code: StoreErrorCode;
  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StoreError';
    this.code = code;
  }
}

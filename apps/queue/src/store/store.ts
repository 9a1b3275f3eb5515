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

/** Messages in one order, with sequences of their own. */
export interface StoredLane {
  /** 0 for a queue's main lane; else a multiple of 2^49, so that with a sequence it names a message of the queue. */
  readonly handleBase: number;
  /** The sequence of the newest message ever put; 0 if none. */
  readonly lastSequence: number;
  /** Messages not acknowledged, and their bytes: of the bodies, and of what they carry beside (`carriedBytes`). */
  readonly count: number;
  readonly bodyBytes: number;

  /**
   * Keeps a message whose body is `buffer[start, end)`; the body is copied. With `carried.identified` the queue's ids
   * have its id from now on: a crash leaves both or neither. @throws StoreError
   */
  append(properties: MessageProperties, buffer: Uint8Array, start: number, end: number): Message;
  /** Puts a message of another lane at this one's tail and acknowledges it there: both or neither. @throws StoreError */
  moveFrom(message: Message, properties: MessageProperties): Message;
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
  /** How often the message came back from a reader, 255 at most. */
  returnsOf(message: Message): number;
  /** It came back once more; returns how often now. @throws StoreError */
  countReturn(message: Message): number;
}

/** A queue: its lanes, and what is kept beside them. */
export interface StoredQueue {
  readonly name: string;
  /** Where messages of ordinary priority stand. */
  readonly main: StoredLane;
  /** What the broker keeps with the queue, as JSON. */
  readonly attributes: string;
  readonly cursors: ReadonlyMap<string, StoredCursor>;
  /** Further lanes, by a name of the broker's. */
  readonly lanes: ReadonlyMap<string, StoredLane>;
  /** Ids found when the store was opened, oldest first. */
  readonly foundIds: readonly KeptId[];
  /** The mark of the id that was kept last. */
  readonly lastIdMark: number;

  /** @throws StoreError */
  createLane(name: string): StoredLane;
  /** With all it holds. @throws StoreError */
  removeLane(name: string): void;
  /** Forgets all ids up to the mark. @throws StoreError */
  forgetIdsThrough(mark: number): void;
  /** Forgets one id: its message was not put after all. @throws StoreError */
  forgetId(mark: number): void;
  /** @throws StoreError */
  setAttributes(attributes: string): void;
  remove(): void;
  /** A durable position of its own over the main lane's messages. */
  createCursor(name: string): StoredCursor;
}

/** An id that messages may not have a second time. */
export interface KeptId {
  readonly id: string;
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  /** Grows with each id. */
  readonly mark: number;
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
  /** Undefined for most. */
  readonly carried?: Carried | undefined;
}

/** What some messages carry beside their body. */
export interface Carried {
  /** When it is to be ready, milliseconds since the Unix epoch; 0: at once. */
  readonly dueAt: number;
  /** 0 to 9, 0 is read first. */
  readonly priority: number;
  /** How often it came back before it came to this lane. */
  readonly returns: number;
  readonly id: string | undefined;
  /** The id was put to this queue, and is among its ids. */
  readonly identified: boolean;
  /** For a dead letter: the queue that it came from. */
  readonly origin: string | undefined;
}

/** The priority of a queue's main lane. */
export const ordinaryPriority = 5;

/** What a message carries that carries nothing. */
export const nothingCarried: Carried = {
  dueAt: 0,
  priority: ordinaryPriority,
  returns: 0,
  id: undefined,
  identified: false,
  origin: undefined,
};

/** One message in memory: its body is `buffer[start, end)`, shared with the store: read it, never write it. */
export interface Message extends MessageProperties {
  readonly sequence: number;
  /** What a reply that delivers this message must wait for: its put, or a later one. 0: nothing. */
  readonly position: number;
  readonly buffer: Buffer;
  readonly start: number;
  readonly end: number;
  /** Where it is kept. */
  readonly lane: StoredLane;
  readonly carried: Carried | undefined;
}

/** Lanes are told apart above the sequences in a handle. */
const handleUnit = 2 ** 49;

/** `handleBase` of a lane, by its name: `''` is the main lane, `p0` to `p9` those of the other priorities. */
export function handleBase(laneName: string): number {
  return /^p\d$/.test(laneName) ? (Number(laneName[1]) + 1) * handleUnit : 0;
}

/** Names a message of a queue while it stands in its lane. */
export function handleOf(message: Message): number {
  return message.lane.handleBase + message.sequence;
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

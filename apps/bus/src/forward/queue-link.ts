/**
 * One connection to a queue that speaks memcache: puts are pipelined, and answered in order. With the meta commands a
 * put may carry an id, by which the queue drops what it has; otherwise it is a plain `set`.
 */
import { connect, type Socket } from 'node:net';
import {
  createTextReplyDecoder,
  Output,
  type Reply,
  type TextReplyDecoder,
  writeMetaRequest,
  writeTextRequest,
} from '@rookery/protocol/memcache';
import type { Address } from '@rookery/service';

export type PutOutcome =
  /** It is in the queue, or was already. */
  | 'stored'
  /** The queue is full, or has no memory: again, later. */
  | 'full'
  /** The queue will never take it; the line says why. */
  | { readonly refused: string };

export interface QueueLink {
  /** Whether the queue knows ids. */
  readonly deduplicates: boolean;
  /** Rejects when the connection breaks before the answer: it may have been stored or not. */
  put(data: Uint8Array, id: string | undefined): Promise<PutOutcome>;
  close(): void;
}

const SET = {
  wire: 'text',
  kind: 'store',
  verb: 'set',
  flags: 0,
  exptime: 0,
  cas: undefined,
  noreply: false,
} as const;

const CONNECT_MS = 5000;
/** A queue that says nothing for so long is gone, whatever TCP thinks. */
const ANSWER_MS = 10_000;

/** @throws Error if nobody answers */
export async function openQueueLink({ host, port }: Address, queue: string): Promise<QueueLink> {
  const socket = await connected(host, port);
  const link = new Link(socket, queue);
  await link.ask();
  return link;
}

function connected(host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: CONNECT_MS, noDelay: true });
    socket.once('connect', () => {
      socket.removeAllListeners('timeout');
      resolve(socket);
    });
    socket.once('timeout', () => socket.destroy(new Error('it does not answer')));
    socket.once('error', reject);
  });
}

class Link implements QueueLink {
  deduplicates = false;
  readonly #socket: Socket;
  readonly #queue: string;
  readonly #decoder: TextReplyDecoder = createTextReplyDecoder();
  readonly #output = new Output();
  #waiting: PromiseWithResolvers<Reply>[] = [];
  #flushing = false;
  #over: Error | undefined;

  constructor(socket: Socket, queue: string) {
    this.#socket = socket;
    this.#queue = queue;
    socket.setTimeout(ANSWER_MS, () => {
      if (this.#waiting.length > 0) socket.destroy(new Error('the queue does not answer'));
    });
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', (error) => this.#end(error));
    socket.on('close', () => this.#end(new Error('the connection to the queue was closed')));
  }

  /** Only who knows the meta commands answers MN; to Starling and Kestrel it is an unknown word without a body. */
  async ask(): Promise<void> {
    writeMetaRequest(this.#output, { kind: 'mn' });
    const reply = await this.#answer();
    this.deduplicates = reply.wire === 'meta' && reply.kind === 'status' && reply.code === 'MN';
  }

  async put(data: Uint8Array, id: string | undefined): Promise<PutOutcome> {
    const body = {
      buffer: Buffer.from(data.buffer, data.byteOffset, data.length),
      start: 0,
      end: data.length,
    };
    if (this.deduplicates && id !== undefined) {
      writeMetaRequest(this.#output, { kind: 'ms', key: this.#queue, flags: [`U${id}`], ...body });
    } else {
      writeTextRequest(this.#output, { ...SET, key: this.#queue, ...body });
    }
    return outcomeOf(await this.#answer());
  }

  close(): void {
    this.#socket.end();
    this.#socket.destroySoon();
  }

  #answer(): Promise<Reply> {
    if (this.#over !== undefined) return Promise.reject(this.#over);
    const answer = Promise.withResolvers<Reply>();
    this.#waiting.push(answer);
    if (!this.#flushing) {
      this.#flushing = true;
      setImmediate(() => {
        this.#flushing = false;
        this.#socket.cork();
        for (const chunk of this.#output.take()) this.#socket.write(chunk);
        this.#socket.uncork();
      });
    }
    return answer.promise;
  }

  #read(chunk: Buffer): void {
    this.#decoder.push(chunk);
    for (let reply = this.#decoder.next(); reply !== undefined; reply = this.#decoder.next()) {
      const waiting = this.#waiting.shift();
      if (waiting === undefined || reply.kind === 'bad') {
        waiting?.reject(new Error('the queue does not speak memcache'));
        this.#socket.destroy();
        return;
      }
      waiting.resolve(reply);
    }
  }

  #end(error: Error): void {
    this.#over ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(this.#over);
  }
}

function outcomeOf(reply: Reply): PutOutcome {
  if (reply.wire === 'meta' && reply.kind === 'status') {
    return reply.code === 'HD' ? 'stored' : 'full';
  }
  if (reply.wire === 'text' && reply.kind === 'line') {
    if (reply.text === 'STORED') return 'stored';
    if (reply.text === 'NOT_STORED') return 'full';
    return { refused: reply.text };
  }
  if (reply.wire === 'text' && reply.kind === 'error') {
    // The server's own trouble passes; what the client did wrong stays wrong.
    if (reply.error === 'SERVER_ERROR' && !/too large/i.test(reply.message)) return 'full';
    return { refused: `${reply.error} ${reply.message}`.trim() };
  }
  return { refused: `an answer to something else (${reply.kind})` };
}

import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { createTextReplyDecoder, type Reply } from '@rookery/protocol/memcache';

/** One message as a get answered it. */
export interface Received {
  readonly key: string;
  readonly flags: number;
  readonly body: string;
}

/** A connection that a test speaks the text protocol over, one answer per request, pipelined if it likes. */
export interface TextClient {
  /** Resolves with the line that answers, such as `STORED`. Rejects when the connection ends first. */
  line(bytes: string): Promise<string>;
  /** Resolves with the messages before `END`. A line in the place of values rejects. */
  values(bytes: string): Promise<Received[]>;
  /** Resolves with whether the connection has ended, at the latest after so many milliseconds. */
  ended(withinMs: number): Promise<boolean>;
  destroy(): void;
}

interface Pending {
  readonly values: Received[] | undefined;
  resolve(result: never): void;
  reject(error: Error): void;
}

export async function connectText(port: number, host = '127.0.0.1'): Promise<TextClient> {
  const socket = await new Promise<Socket>((resolve, reject) => {
    const opened = connect({ port, host, noDelay: true }, () => resolve(opened));
    opened.once('error', reject);
  });
  const decoder = createTextReplyDecoder();
  const pending: Pending[] = [];
  let failure: Error | undefined;
  const { promise: closed, resolve: tellClosed } = Promise.withResolvers<void>();

  function answer(reply: Reply): void {
    const [first] = pending;
    if (first === undefined) throw new Error(`an answer to nothing: ${JSON.stringify(reply)}`);
    if (first.values !== undefined && reply.kind === 'value' && reply.wire === 'text') {
      const body = reply.buffer.toString('latin1', reply.start, reply.end);
      first.values.push({ key: reply.key, flags: reply.flags, body });
      return;
    }
    pending.shift();
    if (first.values !== undefined && reply.kind === 'end') first.resolve(first.values as never);
    else if (first.values === undefined && reply.kind === 'line') first.resolve(reply.text as never);
    else if (first.values === undefined && reply.kind === 'end') first.resolve('END' as never);
    else first.reject(new Error(`unexpected answer ${JSON.stringify(reply)}`));
  }

  socket.on('data', (chunk: Buffer) => {
    decoder.push(chunk);
    for (let reply = decoder.next(); reply !== undefined; reply = decoder.next()) answer(reply);
  });
  const end = (): void => {
    failure ??= new Error('the connection ended');
    for (const waiting of pending.splice(0)) waiting.reject(failure);
    tellClosed();
  };
  socket.on('error', end);
  socket.on('close', end);

  function ask<T>(bytes: string, values: Received[] | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      if (failure !== undefined) {
        reject(failure);
        return;
      }
      pending.push({ values, resolve: resolve as (result: never) => void, reject });
      socket.write(bytes, 'latin1');
    });
  }

  return {
    line: (bytes) => ask<string>(bytes, undefined),
    values: (bytes) => ask<Received[]>(bytes, []),
    ended: (withinMs) =>
      Promise.race([closed.then(() => true), delay(withinMs, failure !== undefined, { ref: false })]),
    destroy: () => socket.destroy(),
  };
}

/** What the server says instead of an answer, as errors: docs/protocol.md, "What refusals look like". */
import type { Reply } from '@rookery/protocol/memcache';
import { QueueError, type QueueErrorCode } from './errors.ts';

const SERVER_ERRORS: readonly (readonly [RegExp, QueueErrorCode])[] = [
  [/^out of memory/, 'QUEUE_FULL'],
  [/^object too large/, 'TOO_LARGE'],
  [/^(?:out of disk space|busy)/, 'BUSY'],
  [/^the server takes no |paused/, 'PAUSED'],
  [/too many|at most|limit/, 'LIMIT'],
];

/** What a server says that takes no more connections, before it has read anything. */
export function isTurnedAway(reply: Reply): boolean {
  return reply.kind === 'error' && reply.error === 'ERROR' && reply.message === 'Too many open connections';
}

/** The error of a reply that is a refusal, or that nobody asked for. */
export function refusalOf(reply: Reply): QueueError {
  if (reply.kind === 'error') {
    const { error, message } = reply;
    const said = `the server refused: ${message || error}`;
    if (/^(?:unauthenticated|authentication|forbidden)/.test(message))
      return new QueueError('UNAUTHORIZED', said);
    const retry = /^rate limited, retry in (\d{1,9}) ms/.exec(message);
    if (retry !== null) return new QueueError('RATE_LIMITED', said, { retryMs: Number(retry[1]) });
    if (error === 'ERROR') return new QueueError('UNSUPPORTED', 'the server does not know this command');
    if (error === 'CLIENT_ERROR') {
      return new QueueError(/^invalid flag/.test(message) ? 'UNSUPPORTED' : 'BAD_ARGUMENT', said);
    }
    const code = SERVER_ERRORS.find(([pattern]) => pattern.test(message))?.[1] ?? 'REFUSED';
    return new QueueError(code, said);
  }
  if (reply.wire === 'meta' && reply.kind === 'status' && reply.code === 'NS') {
    return new QueueError('QUEUE_FULL', 'the queue is full');
  }
  if (reply.kind === 'line' && reply.text === 'NOT_STORED') {
    return new QueueError('QUEUE_FULL', 'the queue is full');
  }
  const said = reply.kind === 'line' ? reply.text.slice(0, 80) : reply.kind;
  return new QueueError('BAD_REPLY', `the server gave an answer that does not fit: ${said}`);
}

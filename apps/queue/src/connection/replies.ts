import { type BadRequest, ERRORS, type ErrorCode, writeTextLine } from '@rookery/protocol/memcache';
import { checkWrittenName, type ReadTarget } from '../broker/targets.ts';
import type { Message } from '../store/store.ts';
import type { Connection } from './connection.ts';
import { type Failure, failureOf } from './failures.ts';

// What the three wires have in common when they answer.

/** What the decoder could not take; the same on the text and the meta wire. */
export function refuseBadRequest(connection: Connection, request: BadRequest): void {
  refuseLine(connection, request.reason, request.noreply);
  if (request.fatal) connection.close();
}

/** A line whose command is unknown or whose arguments make no sense. */
export function refuseLine(connection: Connection, code: ErrorCode, noreply = false): void {
  const { dialect } = connection.broker;
  const { text } = ERRORS[code];
  if (!noreply) writeTextLine(connection.out, text === 'ERROR' ? dialect.unknownCommand : text);
  if (dialect.errorsClose) connection.close();
}

/**
 * What `version` answers. libmemcached takes a major number of 0 for a reply that it can't read, and then its
 * `memcping`, its statistics and what stands on them (PHP, pylibmc) fail: before its own 1.0 the server names the
 * memcached whose protocol it speaks. `stats` tells its own version always.
 */
export function wireVersion(version: string): string {
  return version.startsWith('0.') ? '1.6.0' : version;
}

/** A refusal of the broker or the store. */
export function refuse(connection: Connection, error: unknown, noreply: boolean): void {
  const failure = failureOf(error, connection.broker.dialect);
  countRefusal(connection, failure);
  if (!noreply) writeTextLine(connection.out, failure.line);
  if (failure.close) connection.close();
}

export function countRefusal({ host }: Connection, { code }: Failure): void {
  if (code === 'forbidden' && host.access !== undefined) host.access.counters.forbidden += 1;
}

/**
 * What must be committed before the message may go out: a read that also acknowledges (a plain get, `/close/open`)
 * waits for that, so that what was received never comes again; any other waits for the put of its message.
 */
export function replyPosition(connection: Connection, target: ReadTarget, message: Message): number {
  return (target.open || target.peek) && !changes(target)
    ? message.position
    : connection.broker.store.position;
}

/** Whether a read that answers nothing has changed something all the same. */
export function changes(target: ReadTarget): boolean {
  return target.close || target.abort || target.bury;
}

/**
 * memcached's other verbs, as far as a queue has a meaning for them: `add` wants an empty queue, `replace` one that
 * is not; a message that is in the queue never changes.
 */
export function storeRefusal(
  connection: Connection,
  verb: 'set' | 'add' | 'replace' | 'append' | 'prepend' | 'cas' | 'configure',
  name: string,
): string | undefined {
  const items = connection.broker.registry.queues.get(name)?.items ?? 0;
  switch (verb) {
    case 'add':
      return items === 0 ? undefined : 'NOT_STORED';
    case 'replace':
      return items === 0 ? 'NOT_STORED' : undefined;
    case 'append':
    case 'prepend':
      return 'NOT_STORED';
    case 'cas':
      return items === 0 ? 'NOT_FOUND' : 'EXISTS';
    case 'set':
    case 'configure':
      return undefined;
  }
}

/** Answers now, or blocks the connection until what was begun has ended. */
export function whenDone(
  connection: Connection,
  work: Promise<void> | undefined,
  answer: () => void,
  fail: (error: unknown) => void,
): void {
  if (work === undefined) {
    answer();
    return;
  }
  connection.block();
  work.then(answer, fail).finally(() => connection.unblock());
}

/** One step of a redrive. @throws BrokerError */
export async function redrive(
  connection: Connection,
  from: string,
  max: number,
  to: string | undefined,
): Promise<number> {
  const { broker } = connection;
  broker.checkBatch(max);
  broker.checkWrites();
  if (to !== undefined) checkWrittenName(to, broker.dialect);
  const { rights } = connection;
  if (rights === undefined) return broker.redriver.redrive(from, max, to);
  rights.demand('manage', from);
  if (to !== undefined) rights.demand('write', to);
  return broker.redriver.redrive(from, max, to, (name) => rights.has('write', name));
}

/** Blocks the connection until all that was changed is on the device, whatever the mode. */
export function afterSync(connection: Connection, reply: (error: unknown) => void): void {
  connection.block();
  connection.broker.store.sync().then(
    () => {
      reply(undefined);
      connection.unblock();
    },
    (error: unknown) => {
      reply(error);
      connection.unblock();
    },
  );
}

/** Queues written per turn: about a millisecond, so that ten thousand queues' figures don't hold up the others. */
const itemsPerTurn = 100;

/** Writes one item after the other, some per turn of the event loop, and as fast as the client reads. */
export function bitByBit<T>(
  connection: Connection,
  items: readonly T[],
  write: (item: T) => void,
  finish: () => void,
): void {
  let next = 0;
  function some(): void {
    const end = Math.min(items.length, next + itemsPerTurn);
    // Some twenty figures each, and as many of the server's.
    connection.costs(10 + 10 * (end - next));
    for (; next < end; next += 1) write(items[next]!);
    if (next === items.length) finish();
  }
  some();
  if (next === items.length) return;
  connection.block();
  function more(): void {
    if (connection.closed) return;
    if (connection.repliesPileUp) {
      connection.broker.clock.setTimeout(more, 10);
      return;
    }
    some();
    if (next === items.length) connection.unblock();
    else {
      connection.flush();
      connection.broker.clock.defer(more);
    }
  }
  connection.broker.clock.defer(more);
}

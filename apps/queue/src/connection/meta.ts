import {
  type BadRequest,
  type MetaCode,
  type MetaFacts,
  type MetaGet,
  type MetaRequest,
  type MetaSet,
  metaQuiet,
  metaReturnFlags,
  writeMetaStatus,
  writeMetaValue,
  writeTextError,
  writeTextLine,
} from '@rookery/protocol/memcache';
import { later } from '../broker/broker.ts';
import { BrokerError } from '../broker/errors.ts';
import type { ReadTarget, WriteTarget } from '../broker/targets.ts';
import { expiresAt } from '../dialect.ts';
import { handleOf, type Message, ordinaryPriority } from '../store/store.ts';
import type { Connection } from './connection.ts';
import { act, configure, debug, remove } from './meta-queue.ts';
import { afterSync, changes, refuse, refuseBadRequest, replyPosition, storeRefusal } from './replies.ts';
import { readable, writable } from './rights.ts';

export function handleMeta(connection: Connection, request: MetaRequest | BadRequest): void {
  switch (request.kind) {
    case 'mg':
      get(connection, request);
      return;
    case 'ms':
      set(connection, request);
      return;
    case 'mn':
      writeMetaStatus(connection.out, 'MN');
      return;
    case 'bad':
      refuseBadRequest(connection, request);
      return;
    case 'md':
      remove(connection, request);
      return;
    case 'me':
      debug(connection, request);
      return;
    default:
      act(connection, request);
  }
}

export function answer(
  connection: Connection,
  request: Exclude<MetaRequest, { kind: 'mn' }>,
  code: MetaCode,
  facts?: MetaFacts,
): void {
  if (request.quiet && metaQuiet(request.kind, code)) return;
  writeMetaStatus(connection.out, code, metaReturnFlags(request, facts));
}

/** With the flag v a message is taken, as `get` does; without it the client only asks what is there. */
function get(connection: Connection, request: MetaGet): void {
  const { broker, session } = connection;
  try {
    const asked = readable(connection, request.key);
    const target: ReadTarget =
      request.value || asked.open || asked.close || asked.abort ? asked : { ...asked, peek: true };
    const batch = request.batch ?? asked.batch;
    const batched = batch === asked.batch ? target : { ...target, batch };
    if (batch > 1 && (batched.peek || changes(batched)) && !batched.open) {
      throw new BrokerError('bad-options', 'a batch goes with a read with v, plain or open');
    }
    const message = broker.read(session, batched, (found, error) => {
      if (error !== undefined) refuse(connection, error, false);
      else deliverAll(connection, request, batched, found);
      connection.unblock();
    });
    if (message === later) connection.block();
    else deliverAll(connection, request, batched, message);
  } catch (error) {
    refuse(connection, error, false);
  }
}

/** A batch has its end said; one message has none. */
function deliverAll(
  connection: Connection,
  request: MetaGet,
  target: ReadTarget,
  first: Message | undefined,
): void {
  const isBatch = request.batch !== undefined || target.batch > 1;
  if (!isBatch) {
    deliver(connection, request, target, first);
    return;
  }
  if (first !== undefined) {
    deliver(connection, request, target, first);
    for (let count = 1; count < target.batch && !connection.repliesPileUp; count += 1) {
      const message = connection.broker.readMore(connection.session, target);
      if (message === undefined) break;
      connection.costs(1);
      deliver(connection, request, target, message);
    }
  }
  writeMetaStatus(connection.out, 'EN', metaReturnFlags(request));
}

function deliver(
  connection: Connection,
  request: MetaGet,
  target: ReadTarget,
  message: Message | undefined,
): void {
  const { broker, out } = connection;
  if (message === undefined) {
    if (changes(target)) connection.needs(broker.store.position);
    answer(connection, request, 'EN');
    return;
  }
  // What it says of deliveries must be true after a crash as well.
  const counted = request.flags.includes('d');
  connection.needs(counted ? broker.store.position : replyPosition(connection, target, message));
  const { carried } = message;
  const facts: MetaFacts = {
    clientFlags: message.flags,
    size: message.end - message.start,
    ttl:
      message.expiresAt === 0 ? -1 : Math.max(0, Math.ceil((message.expiresAt - broker.clock.now()) / 1000)),
    cas: handleOf(message),
    deliveries: counted ? message.lane.returnsOf(message) + 1 : 0,
    priority: carried?.priority ?? ordinaryPriority,
    id: carried?.id,
    origin: carried?.origin,
  };
  if (request.value) {
    writeMetaValue(out, metaReturnFlags(request, facts), message.buffer, message.start, message.end);
  } else answer(connection, request, 'HD', facts);
}

function withOptions(target: WriteTarget, request: MetaSet): WriteTarget {
  const { delayMs, priority, id } = request;
  if (delayMs === 0 && priority === undefined && id === undefined) return target;
  const before = target.options ?? { delayMs: 0, priority: ordinaryPriority, id: undefined };
  const options = {
    delayMs: delayMs > 0 ? delayMs : before.delayMs,
    priority: priority ?? before.priority,
    id: id ?? before.id,
  };
  return { ...target, options };
}

export const refusalCodes: Readonly<Record<string, MetaCode>> = {
  NOT_STORED: 'NS',
  NOT_FOUND: 'NF',
  EXISTS: 'EX',
};

function set(connection: Connection, request: MetaSet): void {
  const { broker, out } = connection;
  try {
    if (request.mode === 'configure') {
      configure(connection, request);
      return;
    }
    const target = withOptions(writable(connection, request.key, request.end - request.start), request);
    const verb = request.cas === undefined ? request.mode : 'cas';
    const refusal = storeRefusal(connection, verb, target.queues[0]!);
    if (refusal !== undefined) {
      answer(connection, request, refusalCodes[refusal]!);
      return;
    }
    const expires = expiresAt(request.exptime, broker.clock.now(), broker.dialect);
    const { clientFlags, buffer, start, end } = request;
    const outcome = broker.put(target, clientFlags, expires, buffer, start, end);
    const facts: MetaFacts = {
      size: end - start,
      // What is delayed, or in another lane, gets its handle when it is read.
      ...(target.options === undefined
        ? { cas: broker.registry.queues.get(target.queues[0]!)?.lastSequence ?? 0 }
        : { duplicate: outcome === 'duplicate' }),
    };
    if (outcome === 'stored' || outcome === 'duplicate') {
      connection.needs(broker.store.position);
      answer(connection, request, 'HD', facts);
    } else if (outcome === 'stored-sync') {
      afterSync(connection, (error) => {
        if (error !== undefined) refuse(connection, error, false);
        else answer(connection, request, 'HD', facts);
      });
    } else if (outcome === 'too-large') writeTextError(out, 'body_too_large');
    else if (broker.dialect.full === 'NOT_STORED') answer(connection, request, 'NS');
    else writeTextLine(out, broker.dialect.full);
  } catch (error) {
    refuse(connection, error, false);
  }
}

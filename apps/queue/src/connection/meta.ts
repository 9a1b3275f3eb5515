import {
  type BadRequest,
  type MetaCode,
  type MetaFacts,
  type MetaGet,
  type MetaRequest,
  type MetaSet,
  metaQuiet,
  metaReturnFlags,
  writeMetaDebug,
  writeMetaStatus,
  writeMetaValue,
  writeTextError,
  writeTextLine,
} from '@rookery/protocol/memcache';
import { later } from '../broker/broker.ts';
import type { ReadTarget } from '../broker/targets.ts';
import { expiresAt } from '../dialect.ts';
import type { Message } from '../store/store.ts';
import type { Connection } from './connection.ts';
import { afterSync, refuse, refuseBadRequest, replyPosition, storeRefusal } from './replies.ts';

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
    default:
      manage(connection, request);
  }
}

function answer(
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
    const asked = broker.readTarget(request.key);
    const target: ReadTarget =
      request.value || asked.open || asked.close || asked.abort ? asked : { ...asked, peek: true };
    const message = broker.read(session, target, (found, error) => {
      if (error !== undefined) refuse(connection, error, false);
      else deliver(connection, request, target, found);
      connection.unblock();
    });
    if (message === later) connection.block();
    else deliver(connection, request, target, message);
  } catch (error) {
    refuse(connection, error, false);
  }
}

function deliver(
  connection: Connection,
  request: MetaGet,
  target: ReadTarget,
  message: Message | undefined,
): void {
  const { broker, out } = connection;
  if (message === undefined) {
    if (target.close) connection.needs(broker.store.position);
    answer(connection, request, 'EN');
    return;
  }
  connection.needs(replyPosition(connection, target, message));
  const facts: MetaFacts = {
    clientFlags: message.flags,
    size: message.end - message.start,
    ttl:
      message.expiresAt === 0 ? -1 : Math.max(0, Math.ceil((message.expiresAt - broker.clock.now()) / 1000)),
    cas: message.sequence,
  };
  if (request.value) {
    writeMetaValue(out, metaReturnFlags(request, facts), message.buffer, message.start, message.end);
  } else answer(connection, request, 'HD', facts);
}

const refusalCodes: Readonly<Record<string, MetaCode>> = { NOT_STORED: 'NS', NOT_FOUND: 'NF', EXISTS: 'EX' };

function set(connection: Connection, request: MetaSet): void {
  const { broker, out } = connection;
  try {
    if (request.mode === 'configure') return writeTextError(out, 'bad_token');
    const target = broker.writeTarget(request.key);
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
      cas: broker.registry.queues.get(target.queues[0]!)?.lastSequence ?? 0,
      size: end - start,
    };
    if (outcome === 'stored') {
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

function manage(
  connection: Connection,
  request: Exclude<MetaRequest, MetaGet | MetaSet | { kind: 'mn' }>,
): void {
  const { broker, out } = connection;
  try {
    if (request.kind === 'md') {
      if (request.cas !== undefined) {
        // A queue is no single thing: no cas is ever the one that is there.
        const refusal = storeRefusal(connection, 'cas', request.key)!;
        answer(connection, request, refusalCodes[refusal]!);
        return;
      }
      const deleted = broker.delete(request.key);
      if (deleted) connection.needs(broker.store.position);
      answer(connection, request, deleted ? 'HD' : 'NF');
      return;
    }
    const queue = broker.registry.queues.get(request.key);
    if (request.kind === 'me') {
      if (queue === undefined) answer(connection, request, 'EN');
      else
        writeMetaDebug(out, request, {
          items: queue.items,
          bytes: queue.bodyBytes,
          open: queue.reader.openReads.size,
        });
    } else if (queue === undefined || queue.items === 0) answer(connection, request, 'NF');
    else writeTextError(out, 'non_numeric');
  } catch (error) {
    refuse(connection, error, false);
  }
}

import {
  type BadRequest,
  type BinaryRequest,
  ERRORS,
  type ErrorCode,
  isQuietOpcode,
  loudOpcode,
  Opcode,
  writeBinaryError,
  writeBinaryOk,
  writeBinaryStat,
  writeBinaryText,
  writeBinaryValue,
} from '@rookery/protocol/memcache';
import { later } from '../broker/broker.ts';
import { BrokerError } from '../broker/errors.ts';
import type { ReadTarget } from '../broker/targets.ts';
import { expiresAt } from '../dialect.ts';
import { queueStats, serverStats } from '../stats.ts';
import { handleOf, type Message } from '../store/store.ts';
import type { Connection } from './connection.ts';
import { failureOf } from './failures.ts';
import {
  afterSync,
  bitByBit,
  changes,
  countRefusal,
  replyPosition,
  storeRefusal,
  whenDone,
  wireVersion,
} from './replies.ts';
import { demandServer, manageable, readable, readableItems, visibleQueues, writable } from './rights.ts';
import { handleSasl } from './stranger.ts';

export function handleBinary(connection: Connection, request: BinaryRequest | BadRequest): void {
  if (request.kind === 'bad') {
    writeBinaryError(connection.out, request, request.reason);
    if (request.fatal) connection.close();
    return;
  }
  try {
    dispatch(connection, request);
  } catch (error) {
    refuse(connection, request, error);
  }
}

function dispatch(connection: Connection, request: BinaryRequest): void {
  const { broker, out } = connection;
  switch (loudOpcode(request.opcode)) {
    case Opcode.get:
    case Opcode.getK:
    case Opcode.gat:
    case Opcode.gatK:
      get(connection, request);
      return;
    case Opcode.set:
      store(connection, request, 'set');
      return;
    case Opcode.add:
      store(connection, request, 'add');
      return;
    case Opcode.replace:
      store(connection, request, 'replace');
      return;
    case Opcode.append:
    case Opcode.prepend:
      writeBinaryError(out, request, 'not_stored');
      return;
    case Opcode.delete: {
      const name = manageable(connection, request.key);
      if (request.cas !== 0) {
        refuseCas(connection, request, name);
        return;
      }
      const deleted = broker.delete(name);
      if (!deleted && broker.dialect.deletedNothing !== 'DELETED')
        writeBinaryError(out, request, 'not_found');
      else done(connection, request);
      return;
    }
    case Opcode.increment:
    case Opcode.decrement: {
      const items = readableItems(connection, request.key);
      writeBinaryError(out, request, items === 0 ? 'not_found' : 'non_numeric');
      return;
    }
    case Opcode.touch: {
      const touched = broker.held.touch(connection.session, readable(connection, request.key), 0);
      if (touched) writeBinaryOk(out, request);
      else writeBinaryError(out, request, 'not_found');
      return;
    }
    case Opcode.flush:
      demandServer(connection);
      whenDone(
        connection,
        broker.flusher.flushAllAt(expiresAt(request.exptime ?? 0, broker.clock.now(), broker.dialect)),
        () => done(connection, request),
        (error) => refuse(connection, request, error),
      );
      return;
    case Opcode.noop:
    case Opcode.verbosity:
      writeBinaryOk(out, request);
      return;
    case Opcode.version:
      writeBinaryText(out, request, wireVersion(connection.host.version));
      return;
    case Opcode.stat:
      stat(connection, request);
      return;
    case Opcode.quit:
      if (!isQuietOpcode(request.opcode)) writeBinaryOk(out, request);
      connection.close();
      return;
    case Opcode.saslList:
    case Opcode.saslAuth:
    case Opcode.saslStep: {
      const { access } = connection.host;
      if (access === undefined) writeBinaryError(out, request, 'unknown_command');
      else handleSasl(connection, request, access);
      return;
    }
    default:
      writeBinaryError(out, request, 'unknown_command');
  }
}

/** A change has been made: the reply, if one is wanted, waits for it. */
function done(connection: Connection, request: BinaryRequest, cas = 0): void {
  connection.needs(connection.broker.store.position);
  if (!isQuietOpcode(request.opcode)) writeBinaryOk(connection.out, request, cas);
}

function refuse(connection: Connection, request: BinaryRequest, error: unknown): void {
  const failure = failureOf(error, connection.broker.dialect);
  countRefusal(connection, failure);
  if (failure.code === 'rate_limited') {
    // The time to wait is in the words.
    const text = failure.line.slice('SERVER_ERROR '.length);
    writeBinaryText(connection.out, request, text, ERRORS.rate_limited.status);
  } else writeBinaryError(connection.out, request, failure.code);
  if (failure.close) connection.close();
}

function get(connection: Connection, request: BinaryRequest): void {
  const { broker, session } = connection;
  const target = readable(connection, request.key);
  if (target.batch > 1) throw new BrokerError('bad-options', 'a binary get has one answer, and no batch');
  const message = broker.read(session, target, (found, error) => {
    if (error !== undefined) refuse(connection, request, error);
    else deliver(connection, request, target, found);
    connection.unblock();
  });
  if (message === later) connection.block();
  else deliver(connection, request, target, message);
}

function deliver(
  connection: Connection,
  request: BinaryRequest,
  target: ReadTarget,
  message: Message | undefined,
): void {
  const { broker, out } = connection;
  if (message === undefined) {
    if (changes(target)) connection.needs(broker.store.position);
    if (!isQuietOpcode(request.opcode)) writeBinaryError(out, request, 'not_found');
    return;
  }
  connection.needs(replyPosition(connection, target, message));
  const opcode = loudOpcode(request.opcode);
  const key = opcode === Opcode.getK || opcode === Opcode.gatK ? request.key : '';
  const { flags, buffer, start, end } = message;
  writeBinaryValue(out, request, flags, key, buffer, start, end, handleOf(message));
}

const refusalCodes: Readonly<Record<string, ErrorCode>> = {
  // The binary protocol has codes of its own for what the text one calls NOT_STORED.
  add: 'exists',
  replace: 'not_found',
};

/** A message never changes, and a queue is no single thing: no cas is ever the one that is there. */
function refuseCas(connection: Connection, request: BinaryRequest, name: string): void {
  const missing = storeRefusal(connection, 'cas', name) === 'NOT_FOUND';
  writeBinaryError(connection.out, request, missing ? 'not_found' : 'exists');
}

function store(connection: Connection, request: BinaryRequest, verb: 'set' | 'add' | 'replace'): void {
  const { broker, out } = connection;
  const target = writable(connection, request.key, request.end - request.start);
  const [name] = target.queues;
  if (storeRefusal(connection, verb, name!) !== undefined) {
    writeBinaryError(out, request, refusalCodes[verb]!);
    return;
  }
  if (request.cas !== 0) {
    refuseCas(connection, request, name!);
    return;
  }
  // On this wire the exptime is unsigned: what was sent as negative arrives as more than 2^31.
  const expires = expiresAt((request.exptime ?? 0) | 0, broker.clock.now(), broker.dialect);
  const outcome = broker.put(target, request.flags ?? 0, expires, request.buffer, request.start, request.end);
  const cas = broker.registry.queues.get(name!)?.lastSequence ?? 0;
  if (outcome === 'stored' || outcome === 'duplicate') done(connection, request, cas);
  else if (outcome === 'stored-sync') {
    afterSync(connection, (error) => {
      if (error !== undefined) refuse(connection, request, error);
      else done(connection, request, cas);
    });
  } else if (outcome === 'too-large') writeBinaryError(out, request, 'body_too_large');
  else writeBinaryError(out, request, broker.dialect.full === 'NOT_STORED' ? 'not_stored' : 'out_of_memory');
}

function stat(connection: Connection, request: BinaryRequest): void {
  const { broker, out } = connection;
  const finish = (): void => writeBinaryStat(out, request.opaque, '', '');
  if (request.key !== '') {
    finish();
    return;
  }
  for (const [name, value] of serverStats(connection.host)) {
    writeBinaryStat(out, request.opaque, name, String(value));
  }
  bitByBit(
    connection,
    visibleQueues(connection),
    (queue) => {
      for (const [name, value] of queueStats(broker, queue)) {
        writeBinaryStat(out, request.opaque, `queue_${queue.name}_${name}`, String(value));
      }
    },
    finish,
  );
}

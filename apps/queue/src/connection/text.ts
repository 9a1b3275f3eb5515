import {
  type BadRequest,
  type TextGet,
  type TextRequest,
  type TextStore,
  writeTextError,
  writeTextLine,
  writeTextStatus,
  writeTextValue,
} from '@rookery/protocol/memcache';
import { later } from '../broker/broker.ts';
import type { ReadTarget } from '../broker/targets.ts';
import { expiresAt } from '../dialect.ts';
import { handleOf, type Message } from '../store/store.ts';
import type { Connection } from './connection.ts';
import { handleLine } from './lines.ts';
import { afterSync, changes, refuse, refuseBadRequest, replyPosition, storeRefusal } from './replies.ts';
import { readable, writable } from './rights.ts';

export function handleText(connection: Connection, request: TextRequest | BadRequest): void {
  switch (request.kind) {
    case 'get':
      readKeys(connection, request, 0);
      return;
    case 'store':
      store(connection, request);
      return;
    case 'line':
      handleLine(connection, request);
      return;
    case 'bad':
      refuseBadRequest(connection, request);
  }
}

// hot:
/** Reads the keys from `index` on, one after the other; a key that waits holds up those behind it. */
function readKeys(connection: Connection, request: TextGet, index: number): void {
  const { broker, session, out } = connection;
  const { keys } = request;
  if (keys.length > 1 && index === 0) connection.costs(keys.length - 1);
  for (let at = index; at < keys.length; at += 1) {
    if (at > index && connection.repliesPileUp) {
      connection.whenRead(() => readKeys(connection, request, at));
      return;
    }
    const key = keys[at]!;
    let target: ReadTarget;
    let message: Message | undefined | typeof later;
    try {
      target = readable(connection, key);
      message = broker.read(session, target, (found, error) => {
        // First, because the next key may block anew.
        connection.unblock();
        if (error === undefined) {
          if (found !== undefined) writeMessages(connection, request, key, target, found);
          readKeys(connection, request, at + 1);
        } else refuse(connection, error, false);
      });
    } catch (error) {
      refuse(connection, error, false);
      return;
    }
    if (message === later) {
      connection.block();
      return;
    }
    if (message !== undefined) writeMessages(connection, request, key, target, message);
    else if (changes(target)) connection.needs(broker.store.position);
  }
  writeTextStatus(out, 'END');
}

/** The message, and those that follow it in a batch. */
function writeMessages(
  connection: Connection,
  request: TextGet,
  key: string,
  target: ReadTarget,
  first: Message,
): void {
  writeMessage(connection, request, key, target, first);
  for (let count = 1; count < target.batch && !connection.repliesPileUp; count += 1) {
    const message = connection.broker.readMore(connection.session, target);
    if (message === undefined) return;
    connection.costs(1);
    writeMessage(connection, request, key, target, message);
  }
}

// hot:
function writeMessage(
  connection: Connection,
  request: TextGet,
  key: string,
  target: ReadTarget,
  message: Message,
): void {
  const { broker } = connection;
  connection.needs(replyPosition(connection, target, message));
  const shown = broker.dialect.bareNames ? target.queue : key;
  const withCas = request.verb === 'gets' || request.verb === 'gats';
  writeTextValue(
    connection.out,
    shown,
    message.flags,
    message.buffer,
    message.start,
    message.end,
    withCas ? handleOf(message) : undefined,
  );
}

// hot:
function store(connection: Connection, request: TextStore): void {
  const { broker, out } = connection;
  const { noreply } = request;
  try {
    const target = writable(connection, request.key, request.end - request.start);
    if (request.verb !== 'set') {
      const refusal = storeRefusal(connection, request.verb, target.queues[0]!);
      if (refusal !== undefined) {
        if (!noreply) writeTextLine(out, refusal);
        return;
      }
    }
    const expires =
      request.exptime === 0 ? 0 : expiresAt(request.exptime, broker.clock.now(), broker.dialect);
    const outcome = broker.put(target, request.flags, expires, request.buffer, request.start, request.end);
    if (outcome === 'stored' || outcome === 'duplicate') {
      connection.needs(broker.store.position);
      if (!noreply) writeTextStatus(out, 'STORED');
    } else if (outcome === 'stored-sync') {
      afterSync(connection, (error) => {
        if (error !== undefined) refuse(connection, error, noreply);
        else if (!noreply) writeTextStatus(out, 'STORED');
      });
    } else if (!noreply) {
      if (outcome === 'too-large') writeTextError(out, 'body_too_large');
      else writeTextLine(out, broker.dialect.full);
    }
  } catch (error) {
    refuse(connection, error, noreply);
  }
}

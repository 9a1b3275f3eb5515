import { type TextLine, writeTextStatus, writeTextValue } from '@rookery/protocol/memcache';
import { later } from '../broker/broker.ts';
import { BrokerError } from '../broker/errors.ts';
import type { ReadTarget } from '../broker/targets.ts';
import type { Message } from '../store/store.ts';
import type { Connection } from './connection.ts';
import { refuse, refuseLine } from './replies.ts';
import { readable } from './rights.ts';

/**
 * `monitor QUEUE SECONDS [MAX]`: hands over messages as they come, each an open read and a `VALUE … END` block of its
 * own; a bare `END` after the time, after MAX messages, or when the connection holds as many open reads as it may.
 */
export function handleMonitor(connection: Connection, request: TextLine): void {
  const { broker, session, out } = connection;
  const [name, seconds, max] = request.args;
  const timeSeconds = Number(seconds);
  const most = max === undefined ? Number.POSITIVE_INFINITY : Number(max);
  if (name === undefined || !(timeSeconds >= 0) || !(most >= 1)) {
    refuseLine(connection, 'bad_line');
    return;
  }
  const target = readable(connection, name);
  if (target.close || target.abort || target.peek || target.bury) {
    // It would hand over the same message for ever, or close what the client has not yet seen.
    throw new BrokerError('bad-options', 'monitor opens: close, abort, bury and peek do not go with it');
  }
  const until = broker.clock.now() + timeSeconds * 1000;
  let handed = 0;
  let failed = false;

  function hand(message: Message): void {
    handed += 1;
    connection.needs(message.position);
    const { flags, buffer, start, end } = message;
    writeTextValue(out, broker.dialect.bareNames ? target.queue : name!, flags, buffer, start, end);
    writeTextStatus(out, 'END');
  }

  /** Hands over what is there; true when it is over. */
  function go(): boolean {
    for (;;) {
      if (handed >= most) return true;
      if (handed > 0 && connection.repliesPileUp) {
        connection.whenRead(() => {
          if (go()) finish();
          else connection.block();
        });
        return false;
      }
      const leftMs = until - broker.clock.now();
      // When the time is over, what is there already is handed over all the same.
      const read: ReadTarget = { ...target, open: true, timeoutMs: Math.max(0, Math.ceil(leftMs)) };
      let message: Message | undefined | typeof later;
      try {
        message = broker.read(session, read, (found, error) => {
          if (found !== undefined) hand(found);
          if (error !== undefined) fail(error);
          if (found !== undefined && !go()) connection.flush();
          else {
            finish();
            connection.unblock();
          }
        });
      } catch (error) {
        if (!(error instanceof BrokerError && error.code === 'too-many-open-reads')) fail(error);
        return true;
      }
      if (message === later) return false;
      if (message === undefined) return true;
      hand(message);
    }
  }

  function fail(error: unknown): void {
    failed = true;
    refuse(connection, error, false);
  }

  function finish(): void {
    if (!failed) writeTextStatus(out, 'END');
  }

  if (go()) finish();
  else {
    connection.block();
    connection.flush();
  }
}

/** `confirm QUEUE N`: acknowledges the N oldest open reads of the queue. */
export function handleConfirm(connection: Connection, request: TextLine): void {
  const { broker, session, out } = connection;
  const [name, count] = request.args;
  const many = Number(count);
  if (name === undefined || count === undefined || !Number.isSafeInteger(many) || many < 0) {
    refuseLine(connection, 'bad_line');
    return;
  }
  if (!broker.confirm(session, readable(connection, name), many)) {
    writeTextStatus(out, 'ERROR');
    return;
  }
  connection.needs(broker.store.position);
  writeTextStatus(out, 'END');
}

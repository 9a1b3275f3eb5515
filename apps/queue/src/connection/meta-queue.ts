import {
  type MetaArithmetic,
  type MetaDebug,
  type MetaDelete,
  type MetaQueueMode,
  type MetaSet,
  metaReturnFlags,
  type Uint64,
  writeMetaDebug,
  writeMetaValue,
  writeTextError,
} from '@rookery/protocol/memcache';
import type { Selection } from '../broker/held.ts';
import { parseChanges, shownSettings } from '../broker/queue-settings.ts';
import type { Connection } from './connection.ts';
import { answer, refusalCodes } from './meta.ts';
import { redrive, refuse, storeRefusal } from './replies.ts';
import { checkSettings, manageable, readable, readableItems, visibleQueue } from './rights.ts';

// The meta commands on queues and on messages that are held: docs/protocol-messages.md.

/** `md`: acknowledges with C or B, else deletes the queue. */
export function remove(connection: Connection, request: MetaDelete): void {
  const { broker, session } = connection;
  try {
    const selection = selectionOf(request.cas, request.batch);
    if (selection !== undefined) {
      const closed = broker.held.close(session, readable(connection, request.key), selection);
      if (closed) {
        connection.needs(broker.store.position);
        answer(connection, request, 'HD');
      } else if (request.cas === undefined) answer(connection, request, 'NF');
      // A queue is no single thing: no other cas is ever the one that is there.
      else answer(connection, request, refusalCodes[storeRefusal(connection, 'cas', request.key)!]!);
      return;
    }
    const deleted = broker.delete(manageable(connection, request.key));
    if (deleted) connection.needs(broker.store.position);
    answer(connection, request, deleted ? 'HD' : 'NF');
  } catch (error) {
    refuse(connection, error, false);
  }
}

export function debug(connection: Connection, request: MetaDebug): void {
  const queue = visibleQueue(connection, request.key);
  if (queue === undefined) answer(connection, request, 'EN');
  else {
    writeMetaDebug(connection.out, request, {
      items: queue.items,
      bytes: queue.bodyBytes,
      open: queue.reader.openReads.size,
      delayed: queue.delayedItems,
      paused: Number(queue.settings.paused),
    });
  }
}

/** `ms … MC`: settings as JSON. @throws BrokerError, StoreError */
export function configure(connection: Connection, request: MetaSet): void {
  const { broker } = connection;
  const json = request.buffer.toString('utf8', request.start, request.end);
  const changes = parseChanges(json);
  checkSettings(connection, request.key, changes);
  broker.changeSettings(request.key, changes);
  connection.needs(broker.store.position);
  answer(connection, request, 'HD');
}

/** `ma`: for what is held A, B and T, for queues P, R, V, F and C; and memcached's own, which queues have no use for. */
export function act(connection: Connection, request: MetaArithmetic): void {
  try {
    if (request.mode === 'incr' || request.mode === 'decr') {
      const items = readableItems(connection, request.key);
      if (items === 0) answer(connection, request, 'NF');
      else writeTextError(connection.out, 'non_numeric');
    } else actions[request.mode](connection, request);
  } catch (error) {
    refuse(connection, error, false);
  }
}

const actions: Readonly<Record<MetaQueueMode, (connection: Connection, request: MetaArithmetic) => void>> = {
  abort: (connection, request) => {
    const { broker, session } = connection;
    const selection = selectionOf(request.cas, request.batch) ?? { oldest: 1 };
    const target = readable(connection, request.key);
    done(connection, request, broker.held.abort(session, target, selection, request.delayMs));
  },
  bury: (connection, request) => {
    const { broker, session } = connection;
    const selection = selectionOf(request.cas, request.batch) ?? { oldest: 1 };
    done(connection, request, broker.held.bury(session, readable(connection, request.key), selection));
  },
  touch: (connection, request) => {
    const { broker, session } = connection;
    const selection = selectionOf(request.cas, request.batch);
    const target = readable(connection, request.key);
    done(connection, request, broker.held.touch(session, target, request.delayMs, selection));
  },
  pause: (connection, request) => pause(connection, request, true),
  resume: (connection, request) => pause(connection, request, false),
  move: (connection, request) => {
    const { broker, out } = connection;
    connection.block();
    redrive(connection, request.key, request.batch ?? 1, request.target).then(
      (moved) => {
        connection.needs(broker.store.position);
        if (request.value) {
          const body = Buffer.from(String(moved));
          writeMetaValue(out, metaReturnFlags(request), body, 0, body.length);
        } else answer(connection, request, 'HD');
        connection.unblock();
      },
      (error: unknown) => {
        refuse(connection, error, false);
        connection.unblock();
      },
    );
  },
  flush: (connection, request) => {
    connection.broker.flusher.flush(manageable(connection, request.key));
    done(connection, request, true);
  },
  configure: (connection, request) => {
    const queue = visibleQueue(connection, request.key);
    if (queue === undefined) answer(connection, request, 'NF');
    else if (request.value) {
      const body = Buffer.from(JSON.stringify(shownSettings(queue.settings)));
      writeMetaValue(connection.out, metaReturnFlags(request), body, 0, body.length);
    } else answer(connection, request, 'HD');
  },
};

function pause(connection: Connection, request: MetaArithmetic, paused: boolean): void {
  checkSettings(connection, request.key, {});
  connection.broker.changeSettings(request.key, { paused });
  done(connection, request, true);
}

function done(connection: Connection, request: MetaArithmetic, held: boolean): void {
  connection.needs(connection.broker.store.position);
  answer(connection, request, held ? 'HD' : 'NF');
}

/** A handle above what numbers are exact for is nobody's. */
function selectionOf(handle: Uint64 | undefined, oldest: number | undefined): Selection | undefined {
  if (handle !== undefined) return { handle: Number(handle) };
  return oldest === undefined ? undefined : { oldest };
}

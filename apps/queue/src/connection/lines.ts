import {
  type TextLine,
  writeTextError,
  writeTextLine,
  writeTextNumber,
  writeTextStat,
  writeTextStatus,
} from '@rookery/protocol/memcache';
import { AccessError } from '../access/errors.ts';
import { BrokerError } from '../broker/errors.ts';
import { type SettingChanges, shownSettings } from '../broker/queue-settings.ts';
import { type ServerStatus, serverStatuses } from '../broker/status.ts';
import { expiresAt } from '../dialect.ts';
import { displayName } from '../names.ts';
import { queueStats, serverStats } from '../stats.ts';
import type { Connection } from './connection.ts';
import { handleConfirm, handleMonitor } from './monitor.ts';
import { bitByBit, redrive, refuse, refuseLine, whenDone, wireVersion } from './replies.ts';
import {
  checkSettings,
  demandServer,
  manageable,
  readable,
  readableItems,
  visibleQueue,
  visibleQueues,
} from './rights.ts';

type LineHandler = (connection: Connection, request: TextLine) => void;

/** Every command that is one line: memcached's, then those of Kestrel. */
const handlers: Readonly<Record<string, LineHandler>> = {
  delete: (connection, request) => {
    const [name] = request.args;
    // Old clients send a time of 0 behind the name; with yet more it isn't known what is meant.
    if (name === undefined || request.args.length > 2) return refuseLine(connection, 'missing_arguments');
    const deleted = connection.broker.delete(manageable(connection, name));
    if (deleted) connection.needs(connection.broker.store.position);
    if (!request.noreply) {
      writeTextLine(connection.out, deleted ? 'DELETED' : connection.broker.dialect.deletedNothing);
    }
  },
  touch: (connection, request) => {
    const [key, exptime] = request.args;
    if (key === undefined || exptime === undefined) return refuseLine(connection, 'missing_arguments');
    const { broker, session } = connection;
    const seconds = Number(exptime);
    const touched = broker.held.touch(session, readable(connection, key), seconds > 0 ? seconds * 1000 : 0);
    if (!request.noreply) writeTextStatus(connection.out, touched ? 'TOUCHED' : 'NOT_FOUND');
  },
  incr: arithmetic,
  decr: arithmetic,
  flush_all: (connection, request) => {
    demandServer(connection);
    const { broker, out } = connection;
    const delay = Number(request.args[0] ?? 0);
    if (!Number.isSafeInteger(delay) || delay < 0) return refuseLine(connection, 'bad_exptime');
    whenDone(
      connection,
      broker.flusher.flushAllAt(expiresAt(delay, broker.clock.now(), broker.dialect)),
      () => {
        connection.needs(broker.store.position);
        if (!request.noreply) writeTextLine(out, broker.dialect.flushedAll);
      },
      (error) => refuse(connection, error, request.noreply),
    );
  },
  version: (connection) => writeTextLine(connection.out, `VERSION ${wireVersion(connection.host.version)}`),
  verbosity: (connection, request) => {
    if (request.noreply) return;
    if (request.args.length === 1) writeTextStatus(connection.out, 'OK');
    else refuseLine(connection, 'missing_arguments');
  },
  stats: (connection, request) => {
    const [what] = request.args;
    if (what?.toLowerCase() === 'reset') return writeTextStatus(connection.out, 'RESET');
    // memcached's sub-reports are about slabs; monitoring tools take an empty one.
    if (what !== undefined) return writeTextStatus(connection.out, 'END');
    const { out, broker } = connection;
    for (const [name, value] of serverStats(connection.host)) writeTextStat(out, name, value);
    bitByBit(
      connection,
      visibleQueues(connection),
      (queue) => {
        for (const [name, value] of queueStats(broker, queue)) {
          writeTextStat(out, `queue_${queue.name}_${name}`, value);
        }
      },
      () => writeTextStatus(out, 'END'),
    );
  },
  quit: (connection) => connection.close(),
  shutdown: (connection) => {
    if (!connection.broker.dialect.shutdownCommand) {
      return writeTextLine(connection.out, 'ERROR: shutdown not enabled');
    }
    demandServer(connection);
    connection.host.shutdown();
    connection.close();
  },

  pause: (connection, request) => pause(connection, request, true),
  resume: (connection, request) => pause(connection, request, false),
  redrive: (connection, request) => {
    const [name, count, to] = request.args;
    const max = Number(count);
    if (name === undefined || !(Number.isSafeInteger(max) && max > 0) || request.args.length > 3) {
      return refuseLine(connection, 'bad_line');
    }
    countLater(connection, redrive(connection, name, max, to));
  },
  settings: (connection, request) => {
    const { broker, out } = connection;
    const [name, ...changes] = request.args;
    if (name === undefined) return refuseLine(connection, 'missing_arguments');
    if (changes.length > 0) {
      const wanted = changesOf(changes);
      checkSettings(connection, name, wanted);
      broker.changeSettings(name, wanted);
      connection.needs(broker.store.position);
    } else {
      if (connection.rights?.sees(name) === false) {
        throw new AccessError('forbidden', 'no right to this queue');
      }
      const settings = broker.registry.queues.get(name)?.settings ?? broker.registry.settingsOf(name);
      for (const [key, value] of Object.entries(shownSettings(settings))) {
        writeTextLine(out, `${key}=${Buffer.from(String(value ?? '')).toString('latin1')}`);
      }
    }
    writeTextStatus(out, 'END');
  },

  monitor: handleMonitor,
  confirm: handleConfirm,
  flush: (connection, request) => {
    const [name] = request.args;
    if (name === undefined) return refuseLine(connection, 'missing_arguments');
    connection.broker.flusher.flush(manageable(connection, name));
    connection.needs(connection.broker.store.position);
    writeTextStatus(connection.out, 'END');
  },
  flush_expired: (connection, request) => {
    const [name] = request.args;
    if (name === undefined) return refuseLine(connection, 'missing_arguments');
    countLater(connection, connection.broker.flusher.flushExpired(manageable(connection, name)));
  },
  flush_all_expired: (connection) => {
    demandServer(connection);
    countLater(connection, connection.broker.flusher.flushAllExpired());
  },
  dump_stats: (connection, request) => {
    const { out, broker } = connection;
    const named = request.args
      .map((name) => visibleQueue(connection, name))
      .filter((queue) => queue !== undefined);
    bitByBit(
      connection,
      request.args.length === 0 ? visibleQueues(connection) : named,
      (queue) => {
        writeTextLine(out, `queue '${queue.name}' {`);
        for (const [name, value] of queueStats(broker, queue)) writeTextLine(out, `  ${name}=${value}`);
        writeTextLine(out, '}');
      },
      () => writeTextStatus(out, 'END'),
    );
  },
  dump_config: (connection) => {
    demandServer(connection);
    for (const line of connection.host.configurationLines()) writeTextLine(connection.out, line);
    writeTextStatus(connection.out, 'END');
  },
  reload: (connection) => {
    demandServer(connection);
    connection.block();
    void connection.host.reload().then((line) => {
      writeTextLine(connection.out, line);
      connection.unblock();
    });
  },
  status: (connection, request) => {
    const { broker, out } = connection;
    const [wanted] = request.args;
    if (wanted === undefined) return writeTextLine(out, broker.status.toUpperCase());
    demandServer(connection);
    const lower = wanted.toLowerCase();
    const status = lower === 'drain' ? 'draining' : (lower as ServerStatus);
    if (!serverStatuses.includes(status)) {
      writeTextLine(out, `CLIENT_ERROR status is one of ${serverStatuses.join(' ')}`);
      if (broker.dialect.errorsClose) connection.close();
      return;
    }
    broker.status = status;
    writeTextStatus(out, 'END');
  },
};

export function handleLine(connection: Connection, request: TextLine): void {
  const handler = Object.hasOwn(handlers, request.verb) ? handlers[request.verb] : undefined;
  if (handler === undefined) {
    refuseLine(connection, 'unknown_command');
    return;
  }
  try {
    handler(connection, request);
  } catch (error) {
    refuse(connection, error, request.noreply);
  }
}

function pause(connection: Connection, request: TextLine, paused: boolean): void {
  const [name] = request.args;
  if (name === undefined) {
    refuseLine(connection, 'missing_arguments');
    return;
  }
  checkSettings(connection, name, {});
  connection.broker.changeSettings(name, { paused });
  connection.needs(connection.broker.store.position);
  writeTextStatus(connection.out, 'END');
}

/** Words of a line, `name=value`; a value of nothing takes the setting back. */
function changesOf(words: readonly string[]): SettingChanges {
  return Object.fromEntries(
    words.map((word) => {
      const equals = word.indexOf('=');
      if (equals < 1) throw new BrokerError('bad-setting', 'settings: expected NAME=VALUE');
      const value = word.slice(equals + 1);
      return [word.slice(0, equals), value === '' ? null : displayName(value)];
    }),
  );
}

function arithmetic(connection: Connection, request: TextLine): void {
  const items = readableItems(connection, request.args[0] ?? '');
  if (!request.noreply) writeTextError(connection.out, items === 0 ? 'not_found' : 'non_numeric');
}

function countLater(connection: Connection, counting: Promise<number>): void {
  connection.block();
  counting.then(
    (count) => {
      connection.needs(connection.broker.store.position);
      writeTextNumber(connection.out, count);
      connection.unblock();
    },
    (error: unknown) => {
      refuse(connection, error, false);
      connection.unblock();
    },
  );
}

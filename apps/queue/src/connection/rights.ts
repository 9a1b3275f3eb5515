import type { SettingChanges } from '../broker/queue-settings.ts';
import type { ReadTarget, WriteTarget } from '../broker/targets.ts';
import { wireName } from '../names.ts';
import type { Queue } from '../queue/queue.ts';
import type { Connection } from './connection.ts';

// How a handler comes by a queue: always through one of these, which ask whether the client may. Where nobody is asked
// who he is, `rights` is undefined. @throws AccessError `forbidden`

// hot:
export function readable(connection: Connection, key: string): ReadTarget {
  const target = connection.broker.readTarget(key);
  connection.rights?.demand('read', target.queue);
  return target;
}

// hot:
/** For a put of so many bytes. @throws also BrokerError `rate-limited`, `too-many-connections` */
export function writable(connection: Connection, key: string, bytes: number): WriteTarget {
  const { broker } = connection;
  const target = broker.writeTarget(key);
  const { rights } = connection;
  if (rights !== undefined) {
    // An alias is nothing of its own: what counts is where the message goes. A fanout child is fed by its parent.
    for (const named of target.queues) {
      for (const name of broker.registry.aliasesOf(named) ?? [named]) rights.demand('write', name);
    }
  }
  if (broker.registry.hasLimited) {
    const names = target.queues.flatMap((named) => broker.registry.aliasesOf(named) ?? [named]);
    broker.admission.put(connection.session, names, bytes, broker.clock.now());
  }
  return target;
}

/** The queue's bare name. */
export function manageable(connection: Connection, name: string): string {
  connection.rights?.demand('manage', name);
  return name;
}

export function demandServer(connection: Connection): void {
  connection.rights?.demandEverywhere('manage');
}

/** Whose figures may be seen. */
export function visibleQueues(connection: Connection): Queue[] {
  const { rights, broker } = connection;
  const queues = [...broker.registry.queues.values()];
  return rights === undefined ? queues : queues.filter(({ name }) => rights.sees(name));
}

/** Undefined if it isn't there, or not for this client. */
export function visibleQueue(connection: Connection, name: string): Queue | undefined {
  const queue = connection.broker.registry.queues.get(name);
  return queue === undefined || connection.rights?.sees(name) === false ? undefined : queue;
}

/** How many messages wait there, for who may read it. */
export function readableItems(connection: Connection, name: string): number {
  connection.rights?.demand('read', name);
  return connection.broker.registry.queues.get(name)?.items ?? 0;
}

/** Settings that send messages elsewhere are a way to write there. */
export function checkSettings(connection: Connection, key: string, changes: SettingChanges): void {
  const { rights } = connection;
  if (rights === undefined) return;
  rights.demand('manage', connection.broker.readTarget(key).queue);
  for (const name of ['dead_letter_queue', 'expire_to_queue']) {
    const value = changes[name];
    if (typeof value === 'string') rights.demand('write', wireName(value));
  }
}

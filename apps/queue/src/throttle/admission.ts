import { BrokerError } from '../broker/errors.ts';
import type { QueueSettings } from '../queue/settings.ts';
import { type QueueRates, queueRatesOf } from './queues.ts';

/** A queue that limits something; the registry keeps these. */
export interface Limited {
  settings: QueueSettings;
  /** As of `appliedSettings`. */
  rates: QueueRates | undefined;
  appliedSettings: QueueSettings | undefined;
}

/** What has used limited queues, until it ends. */
export interface Guest {
  readonly visited: Set<QueueRates['sessions']>;
}

/** Whether queues take a put or a read now. Asked only while some queue limits something. Pure. */
export interface Admission {
  /** Into all of the queues, or none. @throws BrokerError `rate-limited`, `too-many-connections` */
  put(guest: Guest, queues: readonly string[], bytes: number, now: number): void;
  /** @throws BrokerError `rate-limited`, `too-many-connections` */
  read(guest: Guest, queue: string, now: number): void;
  /** A message went to a reader, at once or after a wait. */
  delivered(queue: string, now: number): void;
}

export function createAdmission(limited: ReadonlyMap<string, Limited>): Admission {
  function ratesOf(queue: string, now: number): QueueRates | undefined {
    const found = limited.get(queue);
    if (found === undefined) return undefined;
    if (found.settings !== found.appliedSettings) {
      found.rates = queueRatesOf(found.settings, found.rates, now);
      found.appliedSettings = found.settings;
    }
    return found.rates;
  }

  function visit(guest: Guest, rates: QueueRates): void {
    const { sessions, maxConnections } = rates;
    if (sessions.has(guest)) return;
    if (sessions.size >= maxConnections) {
      rates.refused += 1;
      throw new BrokerError(
        'too-many-connections',
        `${sessions.size} connections use this queue, the most allowed (max_connections)`,
      );
    }
    if (maxConnections === Number.POSITIVE_INFINITY) return;
    sessions.add(guest);
    guest.visited.add(sessions);
  }

  function checkWait(rates: QueueRates, waitMs: number): void {
    if (waitMs === 0) return;
    rates.refused += 1;
    throw new BrokerError('rate-limited', `rate limited, retry in ${waitMs} ms`);
  }

  return {
    put(guest, queues, bytes, now) {
      const all = queues.map((queue) => ratesOf(queue, now)).filter((rates) => rates !== undefined);
      for (const rates of all) {
        visit(guest, rates);
        checkWait(rates, Math.max(rates.puts?.waitMs(now) ?? 0, rates.putBytes?.waitMs(now) ?? 0));
      }
      for (const rates of all) {
        rates.puts?.spend(1);
        rates.putBytes?.spend(bytes);
      }
    },
    read(guest, queue, now) {
      const rates = ratesOf(queue, now);
      if (rates === undefined) return;
      visit(guest, rates);
      checkWait(rates, rates.gets?.waitMs(now) ?? 0);
    },
    delivered(queue, now) {
      ratesOf(queue, now)?.gets?.spend(1);
    },
  };
}

export function isLimited(settings: QueueSettings): boolean {
  return queueRatesOf(settings, undefined, 0) !== undefined;
}

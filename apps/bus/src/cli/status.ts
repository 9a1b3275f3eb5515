import { setTimeout as delay } from 'node:timers/promises';
import { approximateBytes, table } from '@rookery/service';
import type { AdminClient, GroupReport, RingReport, SessionReport } from './admin-client.ts';

/** Between the two looks that rates are made of. */
const RATE_MS = 1000;
/** Sessions and groups that are shown to people; with --json there are all. */
const ROWS_SHOWN = 20;

export interface Rates {
  readonly received: number;
  readonly delivered: number;
}

export interface Status {
  readonly time: Date;
  readonly ring: RingReport;
  readonly groups: readonly GroupReport[];
  readonly sessions: readonly (SessionReport & { readonly rates: Rates })[];
}

/** How a daemon and its ring are, with the rates of one second. */
export async function status(admin: AdminClient, json: boolean, signal: AbortSignal): Promise<string> {
  const before = await lookAtSessions(admin);
  await delay(RATE_MS, undefined, { signal });
  const { status: found } = await look(admin, before);
  return json ? `${JSON.stringify(asJson(found))}\n` : forPeople(found);
}

/** The sessions at a moment: what the next look makes rates of. */
export interface SessionsSeen {
  readonly atMs: number;
  readonly sessions: ReadonlyMap<string, SessionReport>;
}

export async function lookAtSessions(admin: AdminClient): Promise<SessionsSeen> {
  const sessions = await admin.sessions();
  return { atMs: performance.now(), sessions: new Map(sessions.map((session) => [session.name, session])) };
}

export async function look(
  admin: AdminClient,
  before: SessionsSeen,
): Promise<{ readonly status: Status; readonly seen: SessionsSeen }> {
  const seen = await lookAtSessions(admin);
  const seconds = (seen.atMs - before.atMs) / 1000;
  const [ring, groups] = await Promise.all([admin.ring(), admin.groups()]);
  const sessions = [...seen.sessions.values()].map((session) => ({
    ...session,
    rates: ratesOf(session, before.sessions, seconds),
  }));
  return { status: { time: new Date(), ring, groups, sessions }, seen };
}

/** A session that has come in between began at nothing; so did one that took over the name of another. */
function ratesOf(session: SessionReport, before: ReadonlyMap<string, SessionReport>, seconds: number): Rates {
  const earlier = before.get(session.name);
  const rate = (field: 'messages_received_total' | 'deliveries_total'): number => {
    const grown = session[field] - (earlier?.[field] ?? 0);
    return Math.round((grown < 0 ? session[field] : grown) / seconds);
  };
  return { received: rate('messages_received_total'), delivered: rate('deliveries_total') };
}

export function totalOf(sessions: Status['sessions']): Rates & { readonly outboxBytes: number } {
  const total = { received: 0, delivered: 0, outboxBytes: 0 };
  for (const { rates, outbox_bytes } of sessions) {
    total.received += rates.received;
    total.delivered += rates.delivered;
    total.outboxBytes += outbox_bytes;
  }
  return total;
}

/** The stable form for programs: docs/run-the-bus.md. */
function asJson({ time, ring, groups, sessions }: Status): unknown {
  const total = totalOf(sessions);
  return {
    time: time.toISOString(),
    daemon: ring.name,
    ring: {
      state: ring.state,
      ring_sequence: ring.ring_sequence,
      queued_bytes: ring.queued_bytes,
      members: ring.members,
    },
    messages_received_per_second: total.received,
    deliveries_per_second: total.delivered,
    outbox_bytes: total.outboxBytes,
    groups,
    sessions: sessions.map(({ rates, ...session }) => ({
      ...session,
      messages_received_per_second: rates.received,
      deliveries_per_second: rates.delivered,
    })),
  };
}

export function forPeople({ ring, groups, sessions }: Status): string {
  const total = totalOf(sessions);
  const daemons = table(
    ['daemon', 'address', 'last heard'],
    ring.members.map(({ id, name, address, last_heard_ms }) => [
      name ?? `(id ${id})`,
      address ?? '',
      name === ring.name ? 'here' : last_heard_ms === null ? '?' : `${last_heard_ms} ms ago`,
    ]),
  );
  const largest = [...groups].sort((a, b) => b.members - a.members).slice(0, ROWS_SHOWN);
  const fullest = [...sessions].sort((a, b) => b.outbox_bytes - a.outbox_bytes).slice(0, ROWS_SHOWN);
  return [
    `${ring.name}: the ring is ${ring.state}, ${count(ring.members.length, 'daemon')}\n`,
    daemons,
    `\n${count(groups.length, 'group')}${groups.length > largest.length ? `, the ${largest.length} largest` : ''}\n`,
    largest.length === 0
      ? ''
      : table(
          ['group', 'members', 'senders'],
          largest.map(({ name, members, held_up }) => [name, members, held_up ? 'held up' : '']),
        ),
    `\n${count(sessions.length, 'session')} here: ${total.received} messages/s in, ${total.delivered}/s out, ${approximateBytes(total.outboxBytes)} waiting`,
    `${sessions.length > fullest.length ? `; the ${fullest.length} that have most waiting` : ''}\n`,
    fullest.length === 0
      ? ''
      : table(
          ['session', 'wire', 'groups', 'in/s', 'out/s', 'waiting', 'dropped'],
          fullest.map((one) => [
            one.connected ? one.name : `${one.name} (away)`,
            one.wire,
            one.groups,
            one.rates.received,
            one.rates.delivered,
            approximateBytes(one.outbox_bytes),
            one.dropped_total,
          ]),
        ),
  ].join('');
}

function count(number: number, thing: string): string {
  return `${number} ${thing}${number === 1 ? '' : 's'}`;
}

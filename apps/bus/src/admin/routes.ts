import { type Admin, AdminError, snakeCase } from '@rookery/service';
import type { BusDaemon } from '../server.ts';

/** Rows in one answer: more come by `?after=NAME`. */
const ROWS_PER_PAGE = 1000;

/** The JSON of the admin server: names and units are a contract, docs/run-the-bus.md. */
export function addRoutes(admin: Admin, daemon: BusDaemon): void {
  const { engine, groups, sessions } = daemon.parts;
  admin.route('GET', '/ring', () => {
    const { state, configuration, queuedBytes, counters, peers } = engine.status();
    return {
      name: daemon.settings.name,
      id: engine.id,
      state,
      ring_sequence: configuration?.ring.sequence ?? null,
      members: (configuration?.members ?? []).map((id) => {
        const peer = peers.find((one) => one.id === id);
        if (id === engine.id) return { id, name: daemon.settings.name, address: null, last_heard_ms: 0 };
        return {
          id,
          name: peer?.name ?? null,
          address: peer?.address ?? null,
          last_heard_ms: peer === undefined ? null : Math.round(peer.lastHeardMs),
        };
      }),
      queued_bytes: queuedBytes,
      counters: Object.fromEntries(Object.entries(counters).map(([name, value]) => [snakeCase(name), value])),
    };
  });
  admin.route('GET', '/groups', ({ query }) => {
    const { rows, nextAfter } = page(groups.groups, query.get('after'));
    return {
      groups: rows.map((name) => ({
        name,
        members: groups.size(name),
        held_up: groups.isPressed(name),
      })),
      next_after: nextAfter,
    };
  });
  admin.route('GET', '/groups/:name', ({ params }) => {
    const name = params.name ?? '';
    const members = groups.members(name);
    if (members.length === 0) throw new AdminError('not_found', `nobody is in a group "${name}"`);
    return { name, members, held_up: groups.isPressed(name) };
  });
  admin.route('GET', '/sessions', ({ query }) => {
    const names = [...sessions.all()].map(({ name }) => name).sort();
    const { rows, nextAfter } = page(names, query.get('after'));
    return {
      sessions: rows.flatMap((name) => {
        const session = sessions.find(name);
        if (session === undefined) return [];
        return {
          name,
          wire: session.format.name,
          connected: session.connection !== undefined,
          groups: session.groups.size,
          outbox_bytes: session.outboxBytes,
          messages_received_total: session.counters.received,
          deliveries_total: session.counters.sent,
          dropped_total: session.counters.dropped,
          waits_total: session.counters.waits,
        };
      }),
      next_after: nextAfter,
    };
  });
}

function page(names: readonly string[], after: string | null): { rows: string[]; nextAfter: string | null } {
  const from = after === null ? 0 : names.findIndex((name) => name > after);
  const rows = from < 0 ? [] : names.slice(from, from + ROWS_PER_PAGE);
  const more = from >= 0 && names.length > from + rows.length;
  return { rows, nextAfter: more ? rows.at(-1)! : null };
}

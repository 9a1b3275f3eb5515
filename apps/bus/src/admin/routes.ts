import { type Admin, AdminError, snakeCase } from '@rookery/service';
import type { BusDaemon } from '../server.ts';
import { addFeed } from './feed.ts';
import { groupView, membersOf, type RingView, sessionView } from './view.ts';

/** Rows in one answer: more come by `?after=NAME`. */
const ROWS_PER_PAGE = 1000;

/** The JSON of the admin server: names and units are a contract, docs/run-the-bus.md. */
export function addRoutes(admin: Admin, daemon: BusDaemon): void {
  const { engine, groups, sessions } = daemon.parts;
  admin.route('GET', '/ring', (): RingView => {
    const status = engine.status();
    return {
      name: daemon.settings.name,
      id: engine.id,
      state: status.state,
      ring_sequence: status.configuration?.ring.sequence ?? null,
      members: membersOf(daemon, status),
      queued_bytes: status.queuedBytes,
      counters: Object.fromEntries(
        Object.entries(status.counters).map(([name, value]) => [snakeCase(name), value]),
      ),
    };
  });
  admin.route('GET', '/groups', ({ query }) => {
    const { rows, nextAfter } = page(groups.groups, query.get('after'));
    return { groups: rows.map((name) => groupView(daemon, name)), next_after: nextAfter };
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
        return session === undefined ? [] : [sessionView(session)];
      }),
      next_after: nextAfter,
    };
  });
  addFeed(admin, daemon);
}

function page(names: readonly string[], after: string | null): { rows: string[]; nextAfter: string | null } {
  const from = after === null ? 0 : names.findIndex((name) => name > after);
  const rows = from < 0 ? [] : names.slice(from, from + ROWS_PER_PAGE);
  const more = from >= 0 && names.length > from + rows.length;
  return { rows, nextAfter: more ? rows.at(-1)! : null };
}

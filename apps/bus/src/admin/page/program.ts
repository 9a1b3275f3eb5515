/// <reference lib="dom" preserve="true" />
// Runs in the browser: it uses nothing from outside but what it is given.
import type { Rookery } from '@rookery/service';
import type { BusSnapshot, GroupRow, SessionRow } from '../feed.ts';
import type { makeGroup } from './group.ts';
import type { makeRing } from './ring.ts';

type Parts = { readonly makeRing: typeof makeRing; readonly makeGroup: typeof makeGroup };

/** The page: the ring, groups and sessions, or with `#group=NAME` one group. */
export function busPage(rookery: Rookery, parts: Parts): void {
  const { el, by, say, bytes, count, short, watch, chart, table } = rookery;
  const ring = parts.makeRing(rookery);
  const one = parts.makeGroup(rookery);
  let chosen: string | undefined;

  const charts = {
    messages: chart({ title: 'Messages a second', lines: ['from clients', 'to clients'], format: short }),
    tokens: chart({ title: 'Token', lines: ['visits/s', 'sent again/s'], format: short }),
    waiting: chart({
      title: 'Waiting',
      lines: ['for clients', 'for the token'],
      format: bytes,
      binary: true,
    }),
  };
  by('charts').append(...Object.values(charts).map(({ element }) => element));

  /** Texts of the cells behind the first; what is nothing is faint. */
  function cellsOf(number: number): { readonly cells: HTMLElement[]; fill(texts: readonly string[]): void } {
    const cells = Array.from({ length: number }, () => el('td', { class: 'number' }));
    return {
      cells,
      fill(texts) {
        for (const [index, text] of texts.entries()) {
          say(cells[index]!, text);
          cells[index]!.classList.toggle('zero', text === '0' || text === '–' || text === '0 B');
        }
      },
    };
  }

  const number = true;
  const changed = (): void => watching.again();
  const groups = table<GroupRow>({
    things: ['group', 'groups'],
    columns: [
      { sort: 'name', title: 'Group', says: 'Its name', number: false },
      { sort: 'members', title: 'Members', says: 'On all daemons', number },
      { sort: 'rate', title: 'Messages/s', says: 'Sent to it', number },
      { sort: 'bytes', title: 'Bytes/s', says: 'Of these', number },
      { sort: 'kept', title: 'Kept', says: 'Messages that this daemon keeps of it', number },
      { sort: undefined, title: 'Kept bytes', says: 'Bytes of these', number },
    ],
    sort: 'members',
    descending: true,
    prefix: 'groups_',
    changed,
    create: ({ name }) => {
      const badge = el('span', { class: 'badge', title: 'A receiver is too slow' }, '‖ held up');
      const link = el('a', { href: `#group=${encodeURIComponent(name)}`, title: name }, name);
      const { cells, fill } = cellsOf(5);
      return {
        element: el('tr', {}, el('td', {}, link, badge), ...cells),
        update({ held_up, members, messages_per_second, bytes_per_second, kept }) {
          badge.hidden = !held_up;
          fill([
            count(members),
            short(messages_per_second),
            bytes(bytes_per_second),
            kept === null ? '–' : count(kept.messages),
            kept === null ? '–' : bytes(kept.bytes),
          ]);
        },
      };
    },
  });
  const sessions = table<SessionRow>({
    things: ['session', 'sessions'],
    columns: [
      { sort: 'name', title: 'Session', says: 'Its private group', number: false },
      { sort: undefined, title: 'Wire', says: 'What it speaks', number },
      { sort: 'groups', title: 'Groups', says: 'That it is in', number },
      { sort: 'in', title: 'In/s', says: 'Messages that it sends', number },
      { sort: 'out', title: 'Out/s', says: 'What is delivered to it', number },
      { sort: 'outbox', title: 'Waiting', says: 'Bytes that wait for it', number },
      { sort: 'dropped', title: 'Dropped', says: 'Messages that it was too slow for', number },
      { sort: 'waits', title: 'Held up', says: 'Times that it had to wait with sending', number },
    ],
    sort: 'dropped',
    descending: true,
    prefix: 'sessions_',
    changed,
    create: ({ name }) => {
      const badge = el('span', { class: 'badge', title: 'Its connection broke; it may come back' }, 'away');
      const { cells, fill } = cellsOf(7);
      return {
        element: el('tr', {}, el('td', { class: 'mono' }, name, badge), ...cells),
        update(row) {
          badge.hidden = row.connected;
          const dropping = row.dropped_per_second > 0 ? ` (${short(row.dropped_per_second)}/s)` : '';
          fill([
            row.wire,
            count(row.groups),
            short(row.messages_per_second),
            short(row.deliveries_per_second),
            bytes(row.outbox_bytes),
            `${count(row.dropped_total)}${dropping}`,
            count(row.waits_total),
          ]);
        },
      };
    },
  });
  by('groups').append(groups.element);
  by('sessions').append(sessions.element);

  const watching = watch<BusSnapshot>(
    () => {
      const query = new URLSearchParams();
      groups.ask(query);
      sessions.ask(query);
      if (chosen !== undefined) query.set('group', chosen);
      return `feed/bus?${query}`;
    },
    {
      snapshot(snapshot) {
        ring.show(snapshot);
        charts.messages.push([snapshot.messages_per_second, snapshot.deliveries_per_second]);
        charts.tokens.push([snapshot.tokens_per_second, snapshot.retransmissions_per_second]);
        charts.waiting.push([snapshot.outbox_bytes, snapshot.queued_bytes]);
        groups.show(snapshot.groups, snapshot.groups_matching, snapshot.groups_total);
        sessions.show(snapshot.sessions, snapshot.sessions_matching, snapshot.sessions_total);
        if (snapshot.group !== null && snapshot.group.name === chosen) one.show(snapshot.group);
      },
    },
  );

  function route(): void {
    const found = /^#group=(.+)$/.exec(location.hash)?.[1];
    chosen = found === undefined ? undefined : decodeURIComponent(found);
    by('all').hidden = chosen !== undefined;
    by('one').hidden = chosen === undefined;
    document.title = chosen === undefined ? 'Rookery bus' : `${chosen} – Rookery bus`;
    if (chosen !== undefined) one.open(chosen);
    watching.again();
  }
  addEventListener('hashchange', route);
  if (location.hash !== '') route();
}

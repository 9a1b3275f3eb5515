/// <reference lib="dom" preserve="true" />
// Runs in the browser: it uses nothing from outside but what it is given.
import type { Rookery } from '@rookery/service';
import type { QueueRow, QueuesSnapshot } from '../feed.ts';
import type { Histories } from './histories.ts';

export interface List {
  /** What is asked of the feed. */
  ask(query: URLSearchParams): void;
  show(snapshot: QueuesSnapshot): void;
}

/** All queues: charts of what they come to, and a table of some of them. */
export function makeList(rookery: Rookery, histories: Histories, changed: () => void): List {
  const { el, by, say, bytes, count, short, seconds, chart, table } = rookery;
  const number = true;
  const columns = [
    { sort: 'name', title: 'Queue', says: 'Its name', number: false },
    { sort: 'messages', title: 'Messages', says: 'Ready, open or delayed', number },
    { sort: 'in', title: 'In/s', says: 'Messages put a second', number },
    {
      sort: 'out',
      title: 'Out/s',
      says: 'Messages that left a second: read, expired, flushed or moved',
      number,
    },
    { sort: 'age', title: 'Oldest', says: 'Age of the message that waits longest', number },
    { sort: 'open', title: 'Open', says: 'Reliable reads that somebody holds', number },
    { sort: 'waiting', title: 'Waits', says: 'Reads that wait for a message', number },
    { sort: 'delayed', title: 'Delayed', says: 'Messages whose time has not come', number },
    { sort: 'dead', title: 'Dead', says: 'Messages that became dead letters', number },
    { sort: 'bytes', title: 'Size', says: 'Bytes of the bodies', number },
  ];
  const charts = {
    depth: chart({ title: 'Messages', lines: ['all', 'open', 'delayed'], format: short }),
    rates: chart({ title: 'Messages a second', lines: ['in', 'out'], format: short }),
    clients: chart({ title: 'Clients', lines: ['connected', 'waiting reads'], format: short }),
  };
  by('totals').append(...Object.values(charts).map(({ element }) => element));

  const SVG = 'http://www.w3.org/2000/svg';
  function makeRow({ name }: QueueRow): { element: Element; update(row: QueueRow): void } {
    const svg = document.createElementNS(SVG, 'svg');
    svg.setAttribute('viewBox', '0 0 120 20');
    svg.setAttribute('preserveAspectRatio', 'none');
    svg.setAttribute('aria-hidden', 'true');
    const line = document.createElementNS(SVG, 'path');
    svg.append(line);
    const badge = el('span', { class: 'badge' }, '‖ paused');
    const messages = el('span');
    const cells = columns.slice(2).map(() => el('td', { class: 'number' }));
    const link = el('a', { href: `#queue=${encodeURIComponent(name)}`, title: name }, name);
    const element = el(
      'tr',
      {},
      el('td', {}, link, badge),
      el('td', { class: 'number' }, svg as unknown as Node, messages),
      ...cells,
    );
    return {
      element,
      update(row) {
        badge.hidden = !row.paused;
        say(messages, count(row.messages));
        const texts = [
          short(row.puts_per_second),
          short(row.leaves_per_second),
          row.oldest_age_ms === null ? '–' : seconds(row.oldest_age_ms / 1000),
          count(row.open_reads),
          count(row.waiting_reads),
          count(row.delayed_messages),
          count(row.dead_total),
          bytes(row.body_bytes),
        ];
        for (const [index, text] of texts.entries()) {
          say(cells[index]!, text);
          cells[index]!.classList.toggle('zero', text === '0' || text === '–' || text === '0 B');
        }
        const moments = histories.of(row.name);
        const most = Math.max(1, ...moments.map((moment) => moment.messages));
        const span = Math.max(30, moments.length);
        const points = moments.map((moment, index) => {
          const x = 120 * (1 - (moments.length - 1 - index) / (span - 1));
          return `${x.toFixed(1)} ${(19 - (moment.messages / most) * 18).toFixed(1)}`;
        });
        line.setAttribute('d', points.length === 0 ? '' : `M${points.join('L')}`);
      },
    };
  }

  const rows = table({
    things: ['queue', 'queues'],
    columns,
    sort: 'messages',
    descending: true,
    prefix: '',
    changed,
    create: makeRow,
  });
  by('rows').append(rows.element);

  return {
    ask: rows.ask,
    show(snapshot) {
      charts.depth.push([snapshot.messages, snapshot.open_reads, snapshot.delayed_messages]);
      charts.rates.push([snapshot.puts_per_second, snapshot.leaves_per_second]);
      charts.clients.push([snapshot.connections, snapshot.waiting_reads]);
      rows.show(snapshot.queues, snapshot.matching, snapshot.queues_total);
      by('empty').hidden = snapshot.queues_total > 0;
    },
  };
}

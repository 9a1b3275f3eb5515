/// <reference lib="dom" preserve="true" />
// Runs in the browser: it uses nothing from outside but what it is given.
import type { Rookery } from '@rookery/service';
import type { QueueRow, QueuesSnapshot } from '../feed.ts';
import type { Histories } from './histories.ts';

export interface List {
  /** What is asked of the feed. */
  query(): URLSearchParams;
  show(snapshot: QueuesSnapshot): void;
}

/** All queues: charts of what they come to, and a table of some of them. */
export function makeList(rookery: Rookery, histories: Histories, changed: () => void): List {
  const { el, by, say, bytes, count, short, seconds, keyed, chart } = rookery;
  const columns = [
    { sort: 'name', title: 'Queue', says: 'Its name' },
    { sort: 'messages', title: 'Messages', says: 'Ready, open or delayed' },
    { sort: 'in', title: 'In/s', says: 'Messages put a second' },
    { sort: 'out', title: 'Out/s', says: 'Messages that left a second: read, expired, flushed or moved' },
    { sort: 'age', title: 'Oldest', says: 'Age of the message that waits longest' },
    { sort: 'open', title: 'Open', says: 'Reliable reads that somebody holds' },
    { sort: 'waiting', title: 'Waits', says: 'Reads that wait for a message' },
    { sort: 'delayed', title: 'Delayed', says: 'Messages whose time has not come' },
    { sort: 'dead', title: 'Dead', says: 'Messages that became dead letters' },
    { sort: 'bytes', title: 'Size', says: 'Bytes of the bodies' },
  ];
  const state = { sort: 'messages', descending: true, from: 0, matching: 0 };
  const search = by<HTMLInputElement>('search');
  const limit = by<HTMLSelectElement>('limit');

  const charts = {
    depth: chart({ title: 'Messages', lines: ['all', 'open', 'delayed'], format: short }),
    rates: chart({ title: 'Messages a second', lines: ['in', 'out'], format: short }),
    readers: chart({ title: 'Clients', lines: ['connected', 'waiting reads'], format: short }),
  };
  by('totals').append(...Object.values(charts).map(({ element }) => element));

  const heads = columns.map(({ sort, title, says }) => {
    const button = el('button', { type: 'button', class: 'plain', title: says }, title);
    button.addEventListener('click', () => {
      // Numbers are looked at from the largest, names from the first.
      state.descending = state.sort === sort ? !state.descending : sort !== 'name';
      state.sort = sort;
      state.from = 0;
      drawHeads();
      changed();
    });
    return { sort, title, button, head: el('th', { scope: 'col' }, button) };
  });
  by('heads').append(...heads.map(({ head }) => head));
  for (const { sort, head } of heads) if (sort !== 'name') head.className = 'number';
  function drawHeads(): void {
    for (const { sort, title, button, head } of heads) {
      const sorted = sort === state.sort;
      const order = state.descending ? 'descending' : 'ascending';
      if (sorted) head.setAttribute('aria-sort', order);
      else head.removeAttribute('aria-sort');
      say(button, sorted ? `${title} ${state.descending ? '↓' : '↑'}` : title);
    }
  }
  drawHeads();

  let typing: number | undefined;
  search.addEventListener('input', () => {
    clearTimeout(typing);
    typing = setTimeout(() => {
      state.from = 0;
      changed();
    }, 200) as unknown as number;
  });
  limit.addEventListener('change', () => {
    state.from = 0;
    changed();
  });
  by('previous').addEventListener('click', () => {
    state.from = Math.max(0, state.from - Number(limit.value));
    changed();
  });
  by('next').addEventListener('click', () => {
    state.from += Number(limit.value);
    changed();
  });

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
        const points = moments.map(
          (moment, index) =>
            `${120 - moments.length + index + 1} ${(19 - (moment.messages / most) * 18).toFixed(1)}`,
        );
        line.setAttribute('d', points.length === 0 ? '' : `M${points.join('L')}`);
      },
    };
  }

  return {
    query: () =>
      new URLSearchParams({
        sort: state.sort,
        order: state.descending ? 'descending' : 'ascending',
        search: search.value,
        from: String(state.from),
        limit: limit.value,
      }),
    show(snapshot) {
      charts.depth.push([snapshot.messages, snapshot.open_reads, snapshot.delayed_messages]);
      charts.rates.push([snapshot.puts_per_second, snapshot.leaves_per_second]);
      charts.readers.push([snapshot.connections, snapshot.waiting_reads]);
      keyed(by('rows'), snapshot.queues, ({ name }) => name, makeRow);
      const { matching, queues_total, queues } = snapshot;
      const shown =
        queues.length === 0 ? '' : `, ${count(state.from + 1)} to ${count(state.from + queues.length)} shown`;
      const found = search.value === '' ? '' : ` of ${count(queues_total)}`;
      say(by('matching'), `${count(matching)}${found} ${matching === 1 ? 'queue' : 'queues'}${shown}`);
      by('empty').hidden = queues_total > 0;
      by<HTMLButtonElement>('previous').disabled = state.from === 0;
      by<HTMLButtonElement>('next').disabled = state.from + queues.length >= matching;
      // Queues went away meanwhile: back to those that are there.
      if (queues.length === 0 && state.from > 0) {
        state.from = 0;
        changed();
      }
    },
  };
}

/// <reference lib="dom" preserve="true" />
// Runs in the browser: it uses nothing from outside but what it is given.
import type { Rookery } from '@rookery/service';
import type { GroupDetail } from '../feed.ts';
import type { EventView } from '../traffic.ts';

export interface Group {
  open(name: string): void;
  show(group: GroupDetail): void;
}

/** One group: how fast it goes, who is in it, and its events as they come. What they hold is only ever text. */
export function makeGroup(rookery: Rookery): Group {
  const { el, by, say, bytes, count, short, keyed, chart } = rookery;
  /** Events that stay on the screen. */
  const EVENTS_SHOWN = 200;
  const list = by('events');
  const hold = by('hold');
  let holding = false;
  let shown = 0;
  let came = 0;
  const charts = {
    rate: chart({ title: 'Messages a second', lines: [''], format: short }),
    bytes: chart({ title: 'Bytes a second', lines: [''], format: bytes, binary: true }),
  };
  by('group-charts').append(...Object.values(charts).map(({ element }) => element));

  hold.addEventListener('click', () => {
    holding = !holding;
    hold.setAttribute('aria-pressed', String(holding));
    say(hold, holding ? 'Go on' : 'Hold');
  });

  function textOf(data: Uint8Array, whole: boolean): string {
    try {
      // The end of what is cut may be in the middle of a character.
      return new TextDecoder('utf-8', { fatal: true }).decode(data, { stream: !whole });
    } catch {
      return [...data].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    }
  }

  function makeEvent({ at, from, key, type, bytes: size, data }: EventView): Element {
    const body = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    const about = [
      new Date(at).toLocaleTimeString(),
      from,
      key === '' ? null : `key ${key}`,
      type === 0 ? null : `type ${type}`,
      body.length === size ? bytes(size) : `${bytes(size)}, the first ${bytes(body.length)} shown`,
    ];
    const spans = about.filter((one) => one !== null).map((one) => el('span', {}, one));
    return el(
      'li',
      {},
      el('p', { class: 'about' }, ...spans),
      el('pre', {}, textOf(body, body.length === size)),
    );
  }

  return {
    open(name) {
      say(by('group-name'), name);
      by('group-name').focus();
      list.replaceChildren();
      shown = 0;
      came = 0;
      for (const one of Object.values(charts)) one.clear();
    },
    show(group) {
      charts.rate.push([group.messages_per_second]);
      charts.bytes.push([group.bytes_per_second]);
      by('held').hidden = !group.held_up;
      const { kept, member_names, members, events, events_total } = group;
      const pairs: [string, string][] = [
        ['Members', count(members)],
        ...(kept === null
          ? []
          : ([
              ['Kept messages', count(kept.messages)],
              ['Kept bytes', bytes(kept.bytes)],
              ['Keys', count(kept.keys)],
              [kept.merging ? 'Held (merging)' : 'Held', count(kept.held)],
              ['Readers', count(kept.readers)],
            ] as [string, string][])),
      ];
      keyed(
        by('figures'),
        pairs,
        ([title]) => title,
        ([title]) => {
          const value = el('dd');
          return {
            element: el('div', {}, el('dt', {}, title), value),
            update: ([, text]) => say(value, text),
          };
        },
      );
      keyed(
        by('members'),
        member_names,
        (name) => name,
        (name) => ({ element: el('li', {}, name), update: () => undefined }),
      );
      const more = members - member_names.length;
      by('members-more').hidden = members > 0 && more <= 0;
      say(by('members-more'), members === 0 ? 'Nobody is in it.' : `and ${count(more)} more`);
      came += events_total;
      if (!holding) {
        list.prepend(...events.map(makeEvent).reverse());
        shown += events.length;
        while (list.childElementCount > EVENTS_SHOWN) list.lastElementChild!.remove();
      }
      say(by('sampled'), came === 0 ? 'none yet' : `${count(shown)} of ${count(came)} shown`);
    },
  };
}

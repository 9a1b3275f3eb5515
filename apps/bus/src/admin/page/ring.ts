/// <reference lib="dom" preserve="true" />
// Runs in the browser: it uses nothing from outside but what it is given.
import type { Rookery } from '@rookery/service';
import type { BusSnapshot } from '../feed.ts';
import type { DaemonView } from '../view.ts';

export interface Ring {
  show(snapshot: BusSnapshot): void;
}

/** The daemons in a circle, as the token goes round, and beside it the same as a table. */
export function makeRing(rookery: Rookery): Ring {
  const { el, by, say, seconds, short, keyed } = rookery;
  const SVG = 'http://www.w3.org/2000/svg';
  const RADIUS = 78;
  /** Names beside each other are read up to so many; beyond it there are only dots. */
  const NAMED_MAX = 16;
  const circle = by('circle') as unknown as SVGSVGElement;

  interface Shown extends DaemonView {
    readonly is: 'here' | 'member' | 'stranger';
  }
  const words = { here: 'this one', member: 'in the ring', stranger: 'not in the ring' };
  const signs = { here: '●', member: '✓', stranger: '✗' };

  function svg(tag: string, attributes: Readonly<Record<string, string | number>>, text = ''): SVGElement {
    const element = document.createElementNS(SVG, tag) as SVGElement;
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
    element.textContent = text;
    return element;
  }
  const nameOf = ({ name, id }: DaemonView): string => name ?? `id ${id}`;

  function node(daemon: Shown, index: number, count: number): SVGElement {
    const angle = (index / count) * 2 * Math.PI - Math.PI / 2;
    const x = Math.cos(angle);
    const y = Math.sin(angle);
    const size = count > NAMED_MAX ? 5 : 11;
    const group = svg('g', { class: daemon.is });
    group.append(svg('circle', { class: 'node', cx: x * RADIUS, cy: y * RADIUS, r: size }));
    if (count > NAMED_MAX) return group;
    const anchor = Math.abs(x) < 0.3 ? 'middle' : x > 0 ? 'start' : 'end';
    const name = nameOf(daemon);
    group.append(
      svg('text', { class: 'sign', x: x * RADIUS, y: y * RADIUS }, signs[daemon.is]),
      svg(
        'text',
        { class: anchor, x: x * (RADIUS + 20), y: y * (RADIUS + 22) + 4 },
        name.length > 12 ? `${name.slice(0, 11)}…` : name,
      ),
    );
    return group;
  }

  return {
    show(snapshot) {
      const { name, state, members, strangers, ring_sequence, tokens_per_second } = snapshot;
      const daemons: Shown[] = [
        ...members.map((daemon): Shown => ({ ...daemon, is: daemon.name === name ? 'here' : 'member' })),
        ...strangers.map((daemon): Shown => ({ ...daemon, is: 'stranger' })),
      ];
      say(by('name'), `Daemon ${name}`);
      by('state').dataset.state = state;
      say(by('state'), state === 'operational' ? '✓ operational' : `… ${state}`);
      circle.replaceChildren(
        svg('circle', { class: 'path', cx: 0, cy: 0, r: RADIUS }),
        ...daemons.map((daemon, index) => node(daemon, index, daemons.length)),
        svg(
          'text',
          { class: 'centre big', y: -8 },
          `${members.length} ${members.length === 1 ? 'daemon' : 'daemons'}`,
        ),
        svg('text', { class: 'centre', y: 10 }, ring_sequence === null ? 'no view' : `view ${ring_sequence}`),
        svg('text', { class: 'centre', y: 27 }, `${short(tokens_per_second)} tokens/s`),
      );
      keyed(
        by('daemons'),
        daemons,
        ({ id }) => String(id),
        (daemon) => {
          const is = el('td');
          const heard = el('td', { class: 'number' });
          const element = el(
            'tr',
            {},
            el('td', {}, nameOf(daemon)),
            el('td', { class: 'mono' }, daemon.address ?? '–'),
            is,
            heard,
          );
          return {
            element,
            update(one) {
              say(is, `${signs[one.is]} ${words[one.is]}`);
              const { last_heard_ms } = one;
              const ago =
                last_heard_ms === null
                  ? '–'
                  : `${last_heard_ms < 1000 ? `${last_heard_ms} ms` : seconds(last_heard_ms / 1000)} ago`;
              say(heard, one.is === 'here' ? '–' : ago);
            },
          };
        },
      );
    },
  };
}

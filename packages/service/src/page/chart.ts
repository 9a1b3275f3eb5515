/// <reference lib="dom" preserve="true" />
// Runs in the browser: its source text is what is sent, so it uses nothing but the browser's own names.
import type { PageKit } from './kit.ts';

export interface ChartOptions {
  readonly title: string;
  /** Of each line; they differ by colour and by dashes. Four at most. */
  readonly lines: readonly string[];
  /** Writes a value: `rookery.short`. */
  readonly format: (value: number) => string;
  /** Its scale has steps of KiB and MiB. */
  readonly binary?: boolean;
  /** Points that are kept, one a second; default 120. */
  readonly points?: number;
}

export interface Chart {
  readonly element: HTMLElement;
  /** One value for each line, or undefined where it isn't known: the line has a gap there. */
  push(values: readonly (number | undefined)[]): void;
  clear(): void;
}

export type MakeChart = (options: ChartOptions) => Chart;

/** Lines over the last minutes, drawn anew with each point. */
export function makeCharts({ el, say }: PageKit): MakeChart {
  const WIDTH = 300;
  const HEIGHT = 80;
  const SVG = 'http://www.w3.org/2000/svg';

  /** 1, 2 or 5 and zeros, so that the scale seldom moves and is easily read. */
  const roundUp = (value: number, binary: boolean): number => {
    if (value <= 1) return 1;
    const unit = binary ? 1024 ** Math.floor(Math.log2(value) / 10) : 1;
    const power = unit * 10 ** Math.floor(Math.log10(value / unit));
    return [1, 2, 5, 10].map((step) => step * power).find((limit) => limit >= value)!;
  };

  return ({ title, lines, format, binary = false, points = 120 }) => {
    let rows: (readonly (number | undefined)[])[] = [];
    let pointed: number | undefined;
    const svg = document.createElementNS(SVG, 'svg');
    svg.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
    svg.setAttribute('preserveAspectRatio', 'none');
    svg.setAttribute('role', 'img');
    const paths = lines.map((_, index) => {
      const path = document.createElementNS(SVG, 'path');
      path.setAttribute('class', `line line-${index + 1}`);
      return path;
    });
    const pointer = document.createElementNS(SVG, 'path');
    pointer.setAttribute('class', 'pointer');
    svg.append(...paths, pointer);
    const values = lines.map(() => el('b', {}, '–'));
    const keys = lines.map((name, index) =>
      el('span', { class: `key line-${index + 1}` }, name === '' ? '' : `${name} `, values[index]),
    );
    const top = el('span', { class: 'top' });
    const since = el('span');
    const until = el('span', {}, 'now');
    const element = el(
      'figure',
      { class: 'chart' },
      el('figcaption', {}, el('span', {}, title), ...keys),
      el('div', { class: 'plot' }, svg as unknown as Node, top),
      el('div', { class: 'axis', 'aria-hidden': 'true' }, since, until),
    );

    /** While there is little to see, less of the past is shown. */
    const spanOf = (): number =>
      [points / 4, points / 2].map(Math.round).find((span) => rows.length <= span) ?? points;
    const xOf = (index: number): number => ((index + spanOf() - rows.length) / (spanOf() - 1)) * WIDTH;
    const draw = (): void => {
      say(since, spanOf() % 60 === 0 ? `${spanOf() / 60} min ago` : `${spanOf()} s ago`);
      const most = roundUp(Math.max(0, ...rows.flat().map((value) => value ?? 0)), binary);
      for (const [line, path] of paths.entries()) {
        let d = '';
        let drawing = false;
        for (const [index, row] of rows.entries()) {
          const value = row[line];
          if (value !== undefined) {
            const y = HEIGHT - 1 - (value / most) * (HEIGHT - 2);
            d += `${drawing ? 'L' : 'M'}${xOf(index).toFixed(1)} ${y.toFixed(1)}`;
          }
          drawing = value !== undefined;
        }
        path.setAttribute('d', d);
      }
      say(top, format(most));
      const shown = pointed ?? rows.length - 1;
      pointer.setAttribute('d', pointed === undefined ? '' : `M${xOf(shown).toFixed(1)} 0V${HEIGHT}`);
      const texts = lines.map((_, line) => {
        const value = rows[shown]?.[line];
        return value === undefined ? '–' : format(value);
      });
      for (const [line, text] of texts.entries()) say(values[line]!, text);
      const ago = rows.length - 1 - shown;
      say(until, pointed === undefined || ago === 0 ? 'now' : `${ago} s ago`);
      svg.setAttribute(
        'aria-label',
        `${title}: ${lines.map((name, line) => `${name} ${texts[line]}`.trim()).join(', ')}`,
      );
    };
    svg.addEventListener('pointermove', (event) => {
      const { left, width } = svg.getBoundingClientRect();
      const index = Math.round(((event.clientX - left) / width) * (spanOf() - 1)) - (spanOf() - rows.length);
      pointed = rows[index] === undefined ? undefined : index;
      draw();
    });
    svg.addEventListener('pointerleave', () => {
      pointed = undefined;
      draw();
    });
    draw();
    return {
      element,
      push(row) {
        rows.push(row);
        if (rows.length > points) rows = rows.slice(-points);
        draw();
      },
      clear() {
        rows = [];
        draw();
      },
    };
  };
}

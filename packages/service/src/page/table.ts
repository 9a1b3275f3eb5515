/// <reference lib="dom" preserve="true" />
// Runs in the browser: its source text is what is sent, so it uses nothing but the browser's own names.
import type { PageKit } from './kit.ts';

export interface Column {
  /** What the server sorts by; undefined: it can't be sorted by. */
  readonly sort: string | undefined;
  readonly title: string;
  /** What it means, for who rests on its head. */
  readonly says: string;
  readonly number: boolean;
}

export interface TableOptions<Row> {
  /** One, and many. */
  readonly things: readonly [string, string];
  readonly columns: readonly Column[];
  readonly sort: string;
  readonly descending: boolean;
  /** Before the names of what is asked for, where a page has several tables. */
  readonly prefix: string;
  /** Something else is to be asked for. */
  readonly changed: () => void;
  readonly create: (row: Row) => { readonly element: Element; update(row: Row): void };
}

export interface Table<Row> {
  readonly element: HTMLElement;
  /** What is asked of the feed. */
  ask(query: URLSearchParams): void;
  /** `matching`: how many the search found, `total`: how many there are. */
  show(rows: readonly Row[], matching: number, total: number): void;
}

export type MakeTable = <Row extends { readonly name: string }>(options: TableOptions<Row>) => Table<Row>;

/** A table of some of many rows, which the server sorts, looks for and cuts. */
export function makeTables({ el, say, count, keyed }: PageKit): MakeTable {
  return (options) => {
    const { things, columns, prefix, changed, create } = options;
    let { sort, descending } = options;
    let from = 0;
    const search = el('input', { type: 'search', autocomplete: 'off', spellcheck: false });
    const limits = [10, 25, 50, 100, 200].map((n) => el('option', { selected: n === 25 }, String(n)));
    const limit = el('select', {}, ...limits);
    const told = el('span', { class: 'faint told', role: 'status' });
    const previous = el('button', { type: 'button' }, 'Previous');
    const next = el('button', { type: 'button' }, 'Next');
    const pager = el('p', { class: 'actions' }, previous, next);
    const body = el('tbody');

    const heads = columns.map((column) => {
      const { title, says } = column;
      const label =
        column.sort === undefined
          ? el('span', { title: says }, title)
          : el('button', { type: 'button', class: 'plain', title: says }, title);
      const head = el('th', { scope: 'col', class: column.number ? 'number' : '' }, label);
      label.addEventListener('click', () => {
        if (column.sort === undefined) return;
        // Numbers are looked at from the largest, names from the first.
        descending = sort === column.sort ? !descending : column.number;
        sort = column.sort;
        from = 0;
        drawHeads();
        changed();
      });
      return { column, label, head };
    });
    function drawHeads(): void {
      for (const { column, label, head } of heads) {
        const sorted = column.sort === sort;
        if (sorted) head.setAttribute('aria-sort', descending ? 'descending' : 'ascending');
        else head.removeAttribute('aria-sort');
        say(label, sorted ? `${column.title} ${descending ? '↓' : '↑'}` : column.title);
      }
    }
    drawHeads();

    function again(start: number): void {
      from = start;
      changed();
    }
    let typing: ReturnType<typeof setTimeout> | undefined;
    search.addEventListener('input', () => {
      clearTimeout(typing);
      typing = setTimeout(() => again(0), 200);
    });
    limit.addEventListener('change', () => again(0));
    previous.addEventListener('click', () => again(Math.max(0, from - Number(limit.value))));
    next.addEventListener('click', () => again(from + Number(limit.value)));

    const element = el(
      'div',
      { class: 'card' },
      el('div', { class: 'bar' }, el('label', {}, 'Find ', search), el('label', {}, 'Rows ', limit), told),
      el(
        'div',
        { class: 'scrolls' },
        el('table', {}, el('thead', {}, el('tr', {}, ...heads.map(({ head }) => head))), body),
      ),
      pager,
    );
    return {
      element,
      ask(query) {
        query.set(`${prefix}sort`, sort);
        query.set(`${prefix}order`, descending ? 'descending' : 'ascending');
        query.set(`${prefix}search`, search.value);
        query.set(`${prefix}from`, String(from));
        query.set(`${prefix}limit`, limit.value);
      },
      show(rows, matching, total) {
        keyed(body, rows, ({ name }) => name, create);
        const found = search.value === '' ? '' : ` of ${count(total)}`;
        const thing = (search.value === '' ? matching : total) === 1 ? things[0] : things[1];
        const shown = rows.length === 0 ? '' : `, ${count(from + 1)} to ${count(from + rows.length)} shown`;
        say(told, `${count(matching)}${found} ${thing}${shown}`);
        previous.disabled = from === 0;
        next.disabled = from + rows.length >= matching;
        pager.hidden = previous.disabled && next.disabled;
        // Rows went away meanwhile: back to those that are there.
        if (rows.length === 0 && from > 0) again(0);
      },
    };
  };
}

import { AdminError } from '../admin/errors.ts';

/** What somebody wants to see of many rows, as a page's table asks for it. */
export interface Choice<Sort extends string> {
  readonly sort: 'name' | Sort;
  readonly descending: boolean;
  /** Names that have it somewhere, whatever their case; '' for all. */
  readonly search: string;
  readonly from: number;
  readonly limit: number;
}

/** By what a row can be sorted: its figures, by name. What is alike is in the order of names. */
export type Figures<Row, Sort extends string> = Readonly<Record<Sort, (row: Row) => number>>;

export interface Chosen<Row> {
  readonly rows: readonly Row[];
  /** How many the search found. */
  readonly matching: number;
}

/** Rows of one answer: what a person looks through, and a snapshot under 100 KB. */
const rowsMax = 200;
/** Beyond any name that is looked for. */
const searchMax = 250;

/**
 * Of a query: `sort`, `order`, `search`, `from`, `limit`, each behind the prefix where a page has several tables.
 * @throws AdminError `bad_request`
 */
export function parseChoice<Sort extends string>(
  query: URLSearchParams,
  figures: Figures<never, Sort>,
  prefix = '',
): Choice<Sort> {
  const sort = query.get(`${prefix}sort`) ?? 'name';
  if (sort !== 'name' && !Object.hasOwn(figures, sort)) {
    throw new AdminError('bad_request', `${prefix}sort: expected name, ${Object.keys(figures).join(', ')}`);
  }
  return {
    sort: sort as Sort,
    descending: query.get(`${prefix}order`) === 'descending',
    search: (query.get(`${prefix}search`) ?? '').slice(0, searchMax).toLowerCase(),
    from: wholeNumber(query, `${prefix}from`, 0, Number.MAX_SAFE_INTEGER),
    limit: wholeNumber(query, `${prefix}limit`, 25, rowsMax),
  };
}

function wholeNumber(query: URLSearchParams, name: string, otherwise: number, max: number): number {
  const text = query.get(name);
  if (text === null) return otherwise;
  const value = Number(text);
  if (text !== '' && Number.isSafeInteger(value) && value >= 0 && value <= max) return value;
  throw new AdminError('bad_request', `${name}: expected a whole number up to ${max}`);
}

export function choose<Row extends { readonly name: string }, Sort extends string>(
  rows: readonly Row[],
  { sort, descending, search, from, limit }: Choice<Sort>,
  figures: Figures<Row, Sort>,
): Chosen<Row> {
  const found = search === '' ? rows : rows.filter(({ name }) => name.toLowerCase().includes(search));
  const rank = sort === 'name' ? () => 0 : figures[sort];
  const sign = descending ? -1 : 1;
  // Alike ones stay in the order of their names, or rows would dance.
  const nameSign = sort === 'name' ? sign : 1;
  const compare = (a: Ranked<Row>, b: Ranked<Row>): number => {
    if (a.rank !== b.rank) return a.rank < b.rank ? -sign : sign;
    return a.row.name < b.row.name ? -nameSign : a.row.name > b.row.name ? nameSign : 0;
  };
  const first = firstOf(found, from + limit, rank, compare);
  return { rows: first.slice(from).map(({ row }) => row), matching: found.length };
}

interface Ranked<Row> {
  readonly row: Row;
  readonly rank: number;
}

/** The first `count` of what would be sorted, without sorting all of 10,000. */
function firstOf<Row>(
  rows: readonly Row[],
  count: number,
  rank: (row: Row) => number,
  compare: (a: Ranked<Row>, b: Ranked<Row>) => number,
): Ranked<Row>[] {
  // Sorted and cut whenever it is full: what is behind the last one is passed over. A cut pays where much is passed over.
  const room = Math.max(2 * count, rows.length / 8);
  let best: Ranked<Row>[] = [];
  let last: Ranked<Row> | undefined;
  for (const row of rows) {
    const one = { row, rank: rank(row) };
    if (last !== undefined && compare(one, last) > 0) continue;
    best.push(one);
    if (best.length < room) continue;
    best = best.sort(compare).slice(0, count);
    last = best.at(-1);
  }
  return best.sort(compare).slice(0, count);
}

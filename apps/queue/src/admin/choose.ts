import { AdminError } from '@rookery/service';
import type { Sample } from './rates.ts';

/** What somebody wants to see of all queues. */
export interface Choice {
  readonly sort: Sort;
  readonly descending: boolean;
  /** Names that have it somewhere, whatever their case; '' for all. */
  readonly search: string;
  readonly from: number;
  readonly limit: number;
}

const figures = {
  messages: ({ items }: Sample): number => items,
  bytes: ({ queue }: Sample): number => queue.bodyBytes,
  in: (sample: Sample): number => sample.in,
  out: (sample: Sample): number => sample.out,
  // Older is more; an unknown age is none.
  age: ({ queue }: Sample): number =>
    queue.oldestAddedAt === 0 ? Number.NEGATIVE_INFINITY : -queue.oldestAddedAt,
  open: ({ queue }: Sample): number => queue.reader.openReads.size,
  waiting: ({ queue }: Sample): number => queue.reader.waiters.size,
  delayed: ({ queue }: Sample): number => queue.delayedItems,
  dead: ({ queue }: Sample): number => queue.deadTotal,
} as const;

export type Sort = 'name' | keyof typeof figures;

/** Rows of one answer: what a person looks through, and a snapshot under 100 KB. */
const rowsMax = 200;

/** @throws AdminError `bad_request` */
export function parseChoice(query: URLSearchParams): Choice {
  const sort = query.get('sort') ?? 'name';
  if (sort !== 'name' && !Object.hasOwn(figures, sort)) {
    throw new AdminError('bad_request', `sort: expected name, ${Object.keys(figures).join(', ')}`);
  }
  return {
    sort: sort as Sort,
    descending: query.get('order') === 'descending',
    search: (query.get('search') ?? '').toLowerCase(),
    from: number(query, 'from', 0, Number.MAX_SAFE_INTEGER),
    limit: number(query, 'limit', 50, rowsMax),
  };
}

function number(query: URLSearchParams, name: string, otherwise: number, max: number): number {
  const text = query.get(name);
  if (text === null) return otherwise;
  const value = Number(text);
  if (text !== '' && Number.isSafeInteger(value) && value >= 0 && value <= max) return value;
  throw new AdminError('bad_request', `${name}: expected a whole number up to ${max}`);
}

export interface Chosen {
  readonly rows: readonly Sample[];
  /** How many the search found. */
  readonly matching: number;
}

export function choose(samples: readonly Sample[], choice: Choice): Chosen {
  const { search, from, limit } = choice;
  const found = search === '' ? samples : samples.filter(({ folded }) => folded.includes(search));
  const end = from + limit;
  return { rows: first(found, end, comparison(choice)).slice(from), matching: found.length };
}

type Ranked = { readonly sample: Sample; readonly rank: number };

function comparison({ sort, descending }: Choice): {
  rank(sample: Sample): number;
  compare(a: Ranked, b: Ranked): number;
} {
  const sign = descending ? -1 : 1;
  const byName = (a: Ranked, b: Ranked): number =>
    a.sample.name < b.sample.name ? -1 : a.sample.name > b.sample.name ? 1 : 0;
  if (sort === 'name') return { rank: () => 0, compare: (a, b) => sign * byName(a, b) };
  return {
    rank: figures[sort],
    // Alike ones stay in the order of their names, or rows would dance.
    compare: (a, b) => (a.rank === b.rank ? byName(a, b) : a.rank < b.rank ? -sign : sign),
  };
}

/** The first `count` of a sorted list, without sorting the rest of 10,000. */
function first(samples: readonly Sample[], count: number, order: ReturnType<typeof comparison>): Sample[] {
  const all = samples.map((sample): Ranked => ({ sample, rank: order.rank(sample) }));
  if (count * 8 > all.length)
    return all
      .sort(order.compare)
      .slice(0, count)
      .map(({ sample }) => sample);
  // Twice as many as are wanted, sorted and cut whenever they are full: what is behind the last one is passed over.
  let best: Ranked[] = [];
  let last: Ranked | undefined;
  for (const one of all) {
    if (last !== undefined && order.compare(one, last) > 0) continue;
    best.push(one);
    if (best.length < 2 * count) continue;
    best = best.sort(order.compare).slice(0, count);
    last = best.at(-1);
  }
  return best
    .sort(order.compare)
    .slice(0, count)
    .map(({ sample }) => sample);
}

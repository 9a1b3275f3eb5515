/** The groups that are kept, as the admin server tells of them. */
import type { Admin, Metrics } from '@rookery/service';
import type { Durable } from '../durable/durable.ts';
import type { KeptGroup } from '../durable/group.ts';

/** Rows in one answer: more come by `?after=NAME`. */
const ROWS_PER_PAGE = 1000;

/** Names and units are a contract, docs/run-the-bus.md. */
export function addKeptRoute(admin: Admin, durable: Durable): void {
  admin.route('GET', '/kept', ({ query }) => {
    const after = query.get('after') ?? '';
    const names = [...durable.groups.keys()].filter((name) => name > after).sort();
    const rows = names.slice(0, ROWS_PER_PAGE);
    return {
      kept: rows.flatMap((name) => durable.groups.get(name) ?? []).map(rowOf),
      next_after: names.length > rows.length ? rows.at(-1) : null,
      refused_total: durable.counters.notKept,
    };
  });
}

function rowOf(group: KeptGroup): unknown {
  const { counters } = group;
  return {
    name: group.name,
    whole: group.whole,
    messages: group.count,
    bytes: group.bytes,
    oldest_ms: group.oldestMs || null,
    first_sequence: group.trimmedThrough + 1,
    last_sequence: group.tail,
    held: group.heldCount,
    keys: group.keys,
    readers: group.subscriptions,
    readers_behind: group.behind,
    stored_total: counters.stored,
    filled_total: counters.filled,
    given_total: counters.given,
    repeats_total: counters.repeated,
    restated_total: counters.restated,
  };
}

/** Sums over groups: names are clients' to choose, and no labels. Each by itself is in the admin server's JSON. */
export function addKeptMetrics(metrics: Metrics, durable: Durable): void {
  const sum = (of: (group: KeptGroup) => number) => () => {
    let total = 0;
    for (const group of durable.groups.values()) total += of(group);
    return total;
  };
  const gauge = (name: string, help: string, of: (group: KeptGroup) => number): void =>
    metrics.registerGauge({ name, help, value: sum(of) });
  const counter = (name: string, help: string, of: (group: KeptGroup) => number): void =>
    metrics.registerCounter({ name, help, value: sum(of) });
  gauge('kept_groups', 'Groups kept here', () => 1);
  gauge('kept_groups_merging', 'Of these, not whole: a merge is under way', ({ whole }) => (whole ? 0 : 1));
  gauge('kept_messages', 'Messages kept here', ({ count }) => count);
  gauge('kept_bytes', 'Bytes of messages kept here', ({ bytes }) => bytes);
  gauge('kept_held', 'Messages that wait until a merge is over', ({ heldCount }) => heldCount);
  gauge('kept_keys', 'Keys with a last value', ({ keys }) => keys);
  gauge('kept_readers', 'Subscriptions', ({ subscriptions }) => subscriptions);
  gauge('kept_readers_behind', 'Of these, not at the end of their log', ({ behind }) => behind);
  metrics.registerGauge({
    name: 'kept_readers_elsewhere',
    help: 'Subscriptions here to groups that other daemons keep',
    value: () => durable.readElsewhere,
  });
  counter(
    'kept_stored_total',
    'Messages that the ring delivered and that were stored',
    (one) => one.counters.stored,
  );
  counter('kept_filled_total', 'Messages that other keepers gave', (one) => one.counters.filled);
  counter('kept_given_total', 'Messages given to other keepers', (one) => one.counters.given);
  counter('kept_repeats_total', 'Messages that were there already', (one) => one.counters.repeated);
  metrics.registerCounter({
    name: 'kept_refused_total',
    help: 'Messages not kept, as there are max_kept_groups',
    value: () => durable.counters.notKept,
  });
}

/// <reference lib="dom" preserve="true" />
// Runs in the browser: it uses nothing from outside but what it is given.
import type { Rookery } from '@rookery/service';
import type { QueuesSnapshot } from '../feed.ts';
import type { makeHistories } from './histories.ts';
import type { makeList } from './list.ts';
import type { makeMessages } from './messages.ts';
import type { makeOne } from './one.ts';

type Parts = {
  readonly makeHistories: typeof makeHistories;
  readonly makeList: typeof makeList;
  readonly makeOne: typeof makeOne;
  readonly makeMessages: typeof makeMessages;
};

/** The page: all queues, or with `#queue=NAME` one of them. */
export function queuesPage(rookery: Rookery, parts: Parts): void {
  const { by, say, watch } = rookery;
  const notice = by('notice');
  const tell = (error: unknown): void => {
    notice.hidden = false;
    say(notice, (error as Error).message);
  };
  let chosen: string | undefined;
  const histories = parts.makeHistories();
  const list = parts.makeList(rookery, histories, () => watching.again());
  const one = parts.makeOne(rookery, histories, parts.makeMessages(rookery, tell), tell);

  const watching = watch<QueuesSnapshot>(
    () => {
      const query = new URLSearchParams();
      list.ask(query);
      if (chosen !== undefined) query.set('queue', chosen);
      return `feed/queues?${query}`;
    },
    {
      snapshot(snapshot) {
        histories.take(snapshot.queue === null ? snapshot.queues : [...snapshot.queues, snapshot.queue]);
        list.show(snapshot);
        if (chosen !== undefined) one.show(snapshot);
      },
    },
  );

  function route(): void {
    const found = /^#queue=(.+)$/.exec(location.hash)?.[1];
    chosen = found === undefined ? undefined : decodeURIComponent(found);
    notice.hidden = true;
    by('list').hidden = chosen !== undefined;
    by('one').hidden = chosen === undefined;
    document.title = chosen === undefined ? 'Rookery queue' : `${chosen} – Rookery queue`;
    if (chosen !== undefined) one.open(chosen);
    watching.again();
  }
  addEventListener('hashchange', route);
  if (location.hash !== '') route();
}

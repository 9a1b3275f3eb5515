import type { Admin } from '@rookery/service';
import { shownSettings } from '../broker/queue-settings.ts';
import type { Host } from '../connection/host.ts';
import { displayName, wireName } from '../names.ts';
import { addActions, findQueue, translated } from './actions.ts';
import { addFeed } from './feed.ts';
import { peekMessages } from './messages.ts';
import { viewOf } from './view.ts';

/** Queues in one answer: more come by `?after=NAME`. */
const queuesPerPage = 1000;

/** What the admin server tells and does: docs/run-the-queue.md. */
export function addRoutes(admin: Admin, host: Host): void {
  const { broker } = host;
  const { queues } = broker.registry;
  admin.route('GET', '/queues', ({ query }) => {
    const after = query.get('after');
    const names = [...queues.keys()].sort();
    const from = after === null ? 0 : names.findIndex((name) => name > wireName(after));
    const page = from < 0 ? [] : names.slice(from, from + queuesPerPage);
    const rest = from < 0 ? 0 : names.length - from - page.length;
    return {
      status: broker.status,
      queues: page.map((name) => viewOf(broker, queues.get(name)!)),
      next_after: rest > 0 ? displayName(page.at(-1)!) : null,
    };
  });
  admin.route('GET', '/queues/:name', ({ params }) => {
    const queue = findQueue(broker, params.name ?? '');
    return { ...viewOf(broker, queue), settings: shownSettings(queue.settings) };
  });
  admin.route('GET', '/queues/:name/messages', ({ params, query }) =>
    translated(() => peekMessages(findQueue(broker, params.name ?? ''), query)),
  );
  addActions(admin, broker);
  addFeed(admin, host);
}

import { type Admin, AdminError, type AdminErrorCode } from '@rookery/service';
import type { Broker } from '../broker/broker.ts';
import { BrokerError, type BrokerErrorCode } from '../broker/errors.ts';
import { type SettingChanges, shownSettings } from '../broker/queue-settings.ts';
import { checkWrittenName } from '../broker/targets.ts';
import { wireName } from '../names.ts';
import type { Queue } from '../queue/queue.ts';
import { StoreError, type StoreErrorCode } from '../store/store.ts';

/** Messages of one redrive; a page asks again until none moves. */
const redriveMax = 1000;

/** What people do to a queue: flush, pause, redrive. Each is answered when it is as safe as the store can make it. */
export function addActions(admin: Admin, broker: Broker): void {
  post('flush', (queue, body) => {
    // Whoever writes it means this queue, and no other that a wrong path named.
    if (body.name !== queue.shown)
      throw new AdminError('bad_request', 'name: expected the name of the queue');
    const flushed = queue.found.items;
    broker.flusher.flush(queue.found.name);
    return { flushed };
  });
  post('settings', (queue, body) => {
    return shownSettings(broker.changeSettings(queue.found.name, body as SettingChanges).settings);
  });
  post('redrive', async (queue, body) => {
    const { to, max = redriveMax } = body;
    if (to !== undefined && (typeof to !== 'string' || to === '' || to.length > 250)) {
      throw new AdminError('bad_request', 'to: expected the name of a queue');
    }
    if (!Number.isSafeInteger(max) || (max as number) < 1 || (max as number) > redriveMax) {
      throw new AdminError('bad_request', `max: expected 1 to ${redriveMax}`);
    }
    broker.checkWrites();
    // The queue itself, and not what a put to that name means: it may be a fanout child.
    const target = to === undefined ? undefined : wireName(to);
    if (target !== undefined) checkWrittenName(target, broker.dialect);
    return { moved: await broker.redriver.redrive(queue.found.name, max as number, target) };
  });

  function post(
    action: string,
    act: (queue: { found: Queue; shown: string }, body: Record<string, unknown>) => unknown,
  ): void {
    admin.route('POST', `/queues/:name/${action}`, async ({ params, body }) => {
      const shown = params.name ?? '';
      const found = findQueue(broker, shown);
      if (typeof body !== 'object' || body === null || Array.isArray(body)) {
        throw new AdminError('bad_request', 'expected a JSON object');
      }
      return translated(async () => {
        const result = await act({ found, shown }, body as Record<string, unknown>);
        await broker.store.sync();
        return result;
      });
    });
  }
}

/** @throws AdminError `not_found` */
export function findQueue(broker: Broker, shown: string): Queue {
  const queue = broker.registry.queues.get(wireName(shown));
  if (queue === undefined) throw new AdminError('not_found', `there is no queue "${shown}"`);
  return queue;
}

/** What the broker and the store refuse, as the admin port says it. @throws AdminError */
export async function translated<Result>(act: () => Promise<Result>): Promise<Result> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof BrokerError || error instanceof StoreError) {
      throw new AdminError(codes[error.code] ?? 'unavailable', error.message);
    }
    throw error;
  }
}

const codes: Partial<Record<BrokerErrorCode | StoreErrorCode, AdminErrorCode>> = {
  'bad-name': 'bad_request',
  'bad-options': 'bad_request',
  'bad-setting': 'bad_request',
  'name-too-long': 'bad_request',
  'too-many-queues': 'conflict',
  'queue-exists': 'conflict',
  'queue-removed': 'not_found',
};

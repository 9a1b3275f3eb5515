import { expect, it } from 'vitest';
import { connect } from '../../src/client/node.ts';
import { startInProcess } from '../in-process.ts';

const GROUPS = 30;
const MESSAGES = 100;

it('who reads many groups at once is given all of each, as fast as it takes it, and not ended for being slow', async () => {
  const bus = await startInProcess({ outboxBytes: 1024 * 1024, keep: ['k*'] });
  const sender = await connect(bus.url);
  const names = Array.from({ length: GROUPS }, (_, number) => `k${number}`);
  for (const name of names) {
    for (let n = 0; n < MESSAGES; n++) if (!sender.send(name, Buffer.alloc(5000))) await sender.drained();
  }
  await sender.multicast('k0', 'last');
  const reader = await connect(bus.url, { settings: { acknowledgeMs: 5 } });
  const subscriptions = await Promise.all(names.map((name) => reader.subscribe(name, { from: 'start' })));
  const counts = await Promise.all(
    subscriptions.map(async (subscription) => {
      let count = 0;
      for await (const event of subscription) {
        if (event.kind === 'caught_up') break;
        count++;
      }
      return count;
    }),
  );
  expect(counts).toEqual(names.map((name) => (name === 'k0' ? MESSAGES + 1 : MESSAGES)));
  expect(bus.daemon.parts.sessions.counters.ended.too_slow).toBe(0);
  await Promise.all([sender.close(), reader.close()]);
});

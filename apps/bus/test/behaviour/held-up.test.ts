import { setTimeout as delay } from 'node:timers/promises';
import { waitFor } from '@rookery/testkit';
import { expect, it } from 'vitest';
import { connect } from '../../src/client/index.ts';
import { startInProcess } from '../in-process.ts';

const MIB = 1024 * 1024;
const withSlow = { groups: { g: { slowPolicy: 'slow' } }, slowTimeoutMs: 5000 } as const;

it('who is held up by itself gets its acknowledgements past a small request and a large one', async () => {
  const bus = await startInProcess({ ...withSlow, outboxBytes: 16 * MIB });
  const web = await bus.webSocket({ name: 'web', acknowledges: false, membership: false });
  await web.enter('g');
  for (let n = 0; n < 10; n++) web.send('g', Buffer.alloc(MIB));
  await waitFor(() => bus.daemon.parts.groups.isPressed('g'), { what: 'pressure' });
  await web.texts(8);
  web.send('g', 'small');
  web.send('g', Buffer.alloc(4 * MIB));
  // Read on its own, as it comes from an application that takes its time.
  await delay(200);
  web.say({ type: 'ack', received: web.received });
  await waitFor(() => web.confirmed === web.asked || web.inbox.ended !== undefined, {
    what: 'all to be taken',
  });
  expect(web.inbox.ended).toBeUndefined();
});

it('a client that reads what it sends itself, and slowly, is held up and never ended', async () => {
  const bus = await startInProcess({ ...withSlow, outboxBytes: MIB });
  const client = await connect(bus.url, { name: 'own', settings: { readWindowBytes: 256 * 1024 } });
  const group = await client.join('g');
  const COUNT = 1500;
  const sending = (async () => {
    for (let n = 0; n < COUNT; n++)
      if (!client.send('g', Buffer.alloc(16 * 1024, `${n} `))) await client.drained();
  })();
  let next = 0;
  for await (const event of group) {
    if (event.kind === 'lost') throw new Error(event.reason);
    if (event.kind !== 'message') continue;
    expect(Number.parseInt(new TextDecoder().decode(event.data.subarray(0, 8)), 10)).toBe(next++);
    if (next % 8 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    if (next === COUNT) break;
  }
  await sending;
  await client.close();
});

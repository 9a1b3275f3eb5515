import { expect, it } from 'vitest';
import { startInProcess } from '../in-process.ts';

it('a window holds back what was not acknowledged, and nothing else', async () => {
  const bus = await startInProcess();
  const web = await bus.webSocket({ name: 'web', windowBytes: 1000, acknowledges: false, membership: false });
  const sender = await bus.spread('sp');
  await web.enter('g');
  for (let i = 0; i < 10; i++) sender.send('g', Buffer.alloc(400, `${i}`));
  // Confirmations and answers pass: the answer to this comes after what the window lets through.
  sender.send(sender.session, 'marker');
  await sender.text();
  web.say({ type: 'ping', id: 1 });
  const before = await web.inbox.until(({ kind }) => kind === 'pong');
  // Two fit in 1,000 bytes, one more may go beyond.
  expect(before.filter(({ kind }) => kind === 'message')).toHaveLength(3);
  for (let taken = 3; taken < 10; ) {
    web.say({ type: 'ack', received: web.received });
    web.say({ type: 'ping', id: taken });
    const said = await web.inbox.until(({ kind }) => kind === 'pong');
    const came = said.filter(({ kind }) => kind === 'message').length;
    expect(came).toBe(Math.min(3, 10 - taken));
    taken += came;
  }
});

it('acknowledging what was never sent ends the connection', async () => {
  const bus = await startInProcess();
  const web = await bus.webSocket('web');
  web.say({ type: 'ack', received: 1 });
  expect(await web.find('error')).toMatchObject({ code: 'BAD_FRAME' });
  expect(await web.closed).toBe(4400);
});

it('acknowledging late, twice or backwards does no harm', async () => {
  const bus = await startInProcess();
  const web = await bus.webSocket({ name: 'web', acknowledges: false });
  await web.enter('g');
  for (let i = 0; i < 5; i++) web.send('g', `${i}`);
  await web.texts(5);
  for (const received of [3, 3, 1, 0, 6, 2]) web.say({ type: 'ack', received });
  web.send('g', 'on');
  expect(await web.text()).toBe('on');
});

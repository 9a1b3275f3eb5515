import { waitFor } from '@rookery/testkit';
import { expect, it } from 'vitest';
import { type InProcess, startInProcess } from '../in-process.ts';
import { openWebSocket, type WebSocketClient } from '../websocket-client.ts';

/** A new connection that asks for the session of an old one. */
async function resume(
  bus: InProcess,
  old: WebSocketClient,
  received = old.received,
): Promise<WebSocketClient> {
  const client = await openWebSocket(bus.url);
  client.goOn(old, received);
  client.say({ type: 'resume', session: old.session, key: old.welcome.key, received });
  return client;
}

it('after a cut nothing is lost and nothing comes twice', async () => {
  const bus = await startInProcess();
  const sender = await bus.spread('sp');
  let web = await bus.webSocket('web');
  await web.enter('g');
  const got: string[] = [];
  for (let round = 0; round < 10; round++) {
    for (let i = 0; i < 50; i++) sender.send('g', `${round * 50 + i}`);
    // Cut anywhere among them.
    for (let i = 0; i < round * 5; i++) got.push(await web.text());
    web.cut();
    await web.closed;
    // What was received before the cut and not yet looked at counts as received.
    while (web.inbox.size > 0) {
      const said = await web.next();
      if (said.kind === 'message') got.push(said.text);
    }
    web = await resume(bus, web);
    expect(await web.next()).toEqual({ kind: 'resumed', taken: 1 });
    while (got.length < (round + 1) * 50) got.push(await web.text());
  }
  expect(got).toEqual(Array.from({ length: 500 }, (_, i) => `${i}`));
});

it('what was received and not acknowledged is not sent again, what was not received is', async () => {
  const bus = await startInProcess();
  const web = await bus.webSocket({ name: 'web', acknowledges: false });
  await web.enter('g');
  for (let i = 0; i < 10; i++) web.send('g', `${i}`);
  await web.texts(10);
  const at = web.received;
  web.cut();
  await web.closed;
  const again = await resume(bus, web, at - 3);
  expect(await again.next()).toEqual({ kind: 'resumed', taken: 11 });
  expect(await again.texts(3)).toEqual(['7', '8', '9']);
  expect(again.received).toBe(at);
});

it('requests that were not taken are sent again, those that were are not done twice', async () => {
  const bus = await startInProcess();
  const watcher = await bus.spread('watcher');
  await watcher.enter('g');
  const web = await bus.webSocket('web');
  for (let i = 0; i < 5; i++) web.send('g', `${i}`);
  expect(await watcher.texts(5)).toEqual(['0', '1', '2', '3', '4']);
  web.cut();
  await web.closed;
  const again = await resume(bus, web);
  const resumed = await again.next();
  expect(resumed).toEqual({ kind: 'resumed', taken: 5 });
  expect(await again.find('confirmed')).toMatchObject({ n: 5 });
  again.send('g', '5');
  expect(await watcher.text()).toBe('5');
  // One that was taken already: its number is the past.
  again.say({ type: 'send', n: 5, groups: ['g'], text: 'twice' });
  expect(await again.find('error')).toMatchObject({ code: 'BAD_NUMBER' });
});

it('the latest connection of a session wins, the one before is told', async () => {
  const bus = await startInProcess();
  const web = await bus.webSocket('web');
  await web.enter('g');
  const second = await resume(bus, web);
  expect(await second.next()).toMatchObject({ kind: 'resumed' });
  expect(await web.find('error')).toMatchObject({ code: 'REPLACED' });
  expect(await web.closed).toBe(4410);
  second.send('g', 'still a member');
  expect(await second.text()).toBe('still a member');
});

it('a session is gone after resume_ms, and the client may say hello on the same connection', async () => {
  const bus = await startInProcess({ resumeMs: 50 });
  const web = await bus.webSocket('web');
  web.cut();
  await waitFor(() => bus.daemon.parts.sessions.size === 0, { what: 'the session to end' });
  const again = await resume(bus, web);
  expect(await again.next()).toMatchObject({ kind: 'gone' });
  again.say({ type: 'hello', name: 'web' });
  expect(await again.next()).toMatchObject({ kind: 'welcome', session: '#web#d1' });
});

it('a wrong key, another’s session, a Spread session and numbers that never were are gone', async () => {
  const bus = await startInProcess();
  const web = await bus.webSocket('web');
  const spread = await bus.spread('sp');
  const other = await openWebSocket(bus.url);
  for (const wrong of [
    { session: web.session, key: 'wrong', received: 0 },
    { session: spread.session, key: '', received: 0 },
    { session: '#nobody#d1', key: web.welcome.key, received: 0 },
    { session: web.session, key: web.welcome.key, received: 1000 },
  ]) {
    other.say({ type: 'resume', ...wrong });
    expect(await other.next()).toMatchObject({ kind: 'gone' });
  }
  // The session itself is none the worse.
  await web.enter('g');
});

it('a parked session stays a member and its deliveries wait for it', async () => {
  const bus = await startInProcess();
  const web = await bus.webSocket('web');
  await web.enter('g');
  web.cut();
  await waitFor(() => bus.daemon.parts.sessions.find(web.session)?.connection === undefined, {
    what: 'parking',
  });
  const other = await bus.spread('sp');
  await other.enter('g');
  other.send('g', 'while away');
  expect(await other.text()).toBe('while away');
  const again = await resume(bus, web);
  expect((await again.find('view')).members).toEqual(['#sp#d1', '#web#d1']);
  expect(await again.text()).toBe('while away');
});

it('refusals and confirmations survive a cut', async () => {
  const bus = await startInProcess();
  const web = await bus.webSocket({ name: 'web', acknowledges: false });
  web.ask({ type: 'leave', group: 'never' });
  web.ask({ type: 'leave', group: 'ever' });
  await web.inbox.until((said) => said.kind === 'confirmed' && said.n === 2);
  web.cut();
  await web.closed;
  const again = await resume(bus, web, 0);
  const said = await again.inbox.until((one) => one.kind === 'confirmed' && one.n === 2);
  expect(said.map((one) => ('n' in one ? `${one.kind} ${one.n}` : one.kind))).toEqual([
    'resumed',
    'refused 1',
    'refused 2',
    'confirmed 2',
  ]);
});

it('bye ends a session at once: nothing is kept for a resume', async () => {
  const bus = await startInProcess();
  const web = await bus.webSocket('web');
  web.say({ type: 'bye' });
  expect(await web.closed).toBe(1000);
  const again = await resume(bus, web);
  expect(await again.next()).toMatchObject({ kind: 'gone' });
});

it('a client that was started again takes its name back, and the session that it lost is gone', async () => {
  const bus = await startInProcess();
  const web = await bus.webSocket('web');
  const watcher = await bus.webSocket('watcher');
  await web.enter('g');
  await watcher.enter('g');
  web.cut();
  await web.closed;
  await waitFor(() => bus.daemon.parts.sessions.find(web.session)?.connection === undefined, {
    what: 'parking',
  });
  const restarted = await bus.webSocket('web');
  expect(restarted.session).toBe(web.session);
  const views = await watcher.inbox.until((said) => said.kind === 'view' && said.cause === 'disconnect');
  expect(views.at(-1)).toMatchObject({ changed: web.session });
  const again = await resume(bus, web);
  expect(await again.next()).toMatchObject({ kind: 'gone' });
  await restarted.enter('g');
});

it('who comes while a name is being given up waits for it, on both wires', async () => {
  const bus = await startInProcess();
  for (let round = 0; round < 20; round++) {
    const spread = await bus.spread('again');
    spread.goodbye();
    const web = await bus.webSocket('again');
    web.say({ type: 'bye' });
    await web.closed;
  }
});

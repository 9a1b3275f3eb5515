import { Output, writeJoin, writeMulticast } from '@rookery/protocol/spread';
import { expect, it, vi } from 'vitest';
import { startInProcess } from '../in-process.ts';

// Real sockets, beside other tests on two cores.
vi.setConfig({ testTimeout: 20_000 });

it('a session is in no more groups than it may be, and is told; a leave makes room', async () => {
  const bus = await startInProcess({ maxGroupsPerSession: 2 });
  const web = await bus.webSocket('web');
  await web.enter('a');
  await web.enter('b');
  const n = web.ask({ type: 'join', group: 'c' });
  expect(await web.find('refused')).toMatchObject({ n, code: 'TOO_MANY_GROUPS' });
  web.ask({ type: 'leave', group: 'a' });
  await web.find('left');
  await web.enter('c');

  const spread = await bus.spread('sp');
  await spread.enter('a');
  await spread.enter('b');
  spread.join('c');
  expect(await spread.inbox.until(({ kind }) => kind === 'reject')).toMatchObject([
    { kind: 'reject', rejected: 'join', groups: ['c', '#sp#d1'], sender: '#sp#d1' },
  ]);
});

it('a group has no more listeners than its settings say, counted over both wires', async () => {
  const bus = await startInProcess({ groups: { 'small.*': { maxListeners: 2 } } });
  const [a, b, c] = [await bus.spread('a'), await bus.webSocket('b'), await bus.webSocket('c')];
  await a.enter('small.x');
  await b.enter('small.x');
  const n = c.ask({ type: 'join', group: 'small.x' });
  expect(await c.find('refused')).toMatchObject({ n, code: 'TOO_MANY_LISTENERS' });
  await c.enter('large');
  b.ask({ type: 'leave', group: 'small.x' });
  await b.find('left');
  await c.enter('small.x');
});

it('there are no more groups than max_groups', async () => {
  const bus = await startInProcess({ maxGroups: 2 });
  const web = await bus.webSocket('web');
  await web.enter('a');
  await web.enter('b');
  web.ask({ type: 'join', group: 'c' });
  expect(await web.find('refused')).toMatchObject({ code: 'TOO_MANY_GROUPS' });
  const other = await bus.webSocket('other');
  await other.enter('a');
});

it('there are no more sessions than max_sessions, and a place that is left is free', async () => {
  const bus = await startInProcess({ maxSessions: 2 });
  const a = await bus.spread('a');
  await bus.webSocket('b');
  await expect(bus.webSocket('c')).rejects.toThrow('TOO_MANY_SESSIONS');
  await expect(bus.spread('c')).rejects.toThrow('"code":-3');
  a.goodbye();
  await a.inbox.next().catch(() => undefined);
  expect((await bus.webSocket('c')).session).toBe('#c#d1');
});

it('a message that is too large is refused in text, and ends the connection in binary frames', async () => {
  const bus = await startInProcess({ messageBytes: 1024 });
  const web = await bus.webSocket('web');
  expect(web.welcome.messageBytes).toBe(1024);
  await web.enter('g');
  const n = web.ask({ type: 'send', groups: ['g'], text: 'x'.repeat(1025) });
  expect(await web.find('refused')).toMatchObject({ n, code: 'MESSAGE_TOO_LARGE' });
  web.send('g', 'x'.repeat(1024));
  expect(await web.text()).toHaveLength(1024);
  web.send('g', 'x'.repeat(1025));
  expect(await web.find('error')).toMatchObject({ code: 'BAD_FRAME' });
  expect(await web.closed).toBe(4400);
});

it('a message that is too large ends a Spread connection before it is read', async () => {
  const bus = await startInProcess({ messageBytes: 1024 });
  const spread = await bus.spread('sp');
  spread.send('g', Buffer.alloc(1025));
  await expect(spread.inbox.next()).rejects.toThrow('closed');
});

/** The frame, with a space in its group's name. */
function withSpace(out: Output): Buffer {
  const bytes = Buffer.concat(out.take());
  bytes[49] = 0x20;
  return bytes;
}

it('what Spread’s clients get wrong comes back as a reject message, and the session goes on', async () => {
  const bus = await startInProcess();
  const spread = await bus.spread('sp');
  await spread.enter('g');
  const out = new Output();
  writeJoin(out, spread.session, 'good');
  spread.raw(withSpace(out));
  expect(await spread.inbox.next()).toMatchObject({ kind: 'reject', rejected: 'join', sender: '#sp#d1' });
  const buffer = Buffer.from('payload');
  const sending = { service: 'safe', selfDiscard: false, messageType: 9, buffer, start: 0, end: 7 } as const;
  writeMulticast(out, spread.session, { ...sending, groups: ['good'] });
  spread.raw(withSpace(out));
  const reject = await spread.inbox.next();
  expect(reject).toMatchObject({ kind: 'reject', rejected: 'multicast', messageType: 9 });
  if (reject.kind === 'reject') {
    expect(reject.buffer.toString('latin1', reject.start, reject.end)).toBe('payload');
  }
  spread.send('g', 'goes on');
  expect(await spread.text()).toBe('goes on');
});

it('what WebSocket clients get wrong in a request is refused, in order, before it is confirmed', async () => {
  const bus = await startInProcess();
  const web = await bus.webSocket('web');
  web.ask({ type: 'join', group: 'g' });
  web.ask({ type: 'join', group: 'no group' });
  web.ask({ type: 'send', groups: [], text: 'x' });
  web.ask({ type: 'send', groups: ['g', 'a b'], text: 'x' });
  const last = web.ask({ type: 'send', groups: ['g'], text: 'good' });
  const said = await web.inbox.until((one) => one.kind === 'confirmed' && one.n === last);
  const told = said.map((one) => {
    if (one.kind === 'refused') return `${one.n} ${one.code}`;
    return one.kind === 'confirmed' ? `up to ${one.n}` : one.kind;
  });
  expect(told.filter((one) => /^\d/.test(one))).toEqual(['2 BAD_GROUP', '3 TOO_MANY_GROUPS', '4 BAD_GROUP']);
  const confirmed = told.findIndex((one) => Number(/^up to (\d+)/.exec(one)?.[1]) >= 4);
  expect(confirmed).toBeGreaterThan(told.indexOf('4 BAD_GROUP'));
});

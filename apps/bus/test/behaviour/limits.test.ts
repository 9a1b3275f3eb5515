import { Output, writeJoin, writeMulticast } from '@rookery/protocol/spread';
import { waitFor } from '@rookery/testkit';
import { expect, it } from 'vitest';
import { startInProcess } from '../in-process.ts';

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

it('joins under way count: who asks for many groups at once, or all at once for one, gets no more', async () => {
  const bus = await startInProcess({ maxGroups: 3, groups: { small: { maxListeners: 2 } } });
  const web = await bus.webSocket('web');
  const asked = ['a', 'b', 'c', 'd', 'e'].map((group) => web.ask({ type: 'join', group }));
  expect(await web.find('refused')).toMatchObject({ n: asked[3], code: 'TOO_MANY_GROUPS' });
  expect(await web.find('refused')).toMatchObject({ n: asked[4], code: 'TOO_MANY_GROUPS' });
  web.ask({ type: 'leave', group: 'c' });
  await web.find('left');

  const all = await Promise.all(['w', 'x', 'y', 'z'].map((name) => bus.webSocket(name)));
  for (const one of all) one.ask({ type: 'join', group: 'small' });
  const answers = await Promise.all(
    all.map((one) => one.inbox.until(({ kind }) => kind === 'view' || kind === 'refused')),
  );
  expect(answers.filter((said) => said.at(-1)!.kind === 'refused')).toHaveLength(2);
});

it('half messages of all clients are bounded: who has been at one for longest is cut', async () => {
  const bus = await startInProcess({ messageBytes: 1024 * 1024, halfMessagesBytes: 64 * 1024 });
  const held = () => bus.daemon.parts.halfMessages.bytes;
  const whole = new Output();
  const buffer = Buffer.alloc(900_000);
  const slow = await bus.spread('slow');
  const sending = { service: 'agreed', selfDiscard: false, messageType: 0, buffer, start: 0 } as const;
  writeMulticast(whole, slow.session, { ...sending, groups: ['g'], end: buffer.length });
  slow.raw(Buffer.concat(whole.take()).subarray(0, 600_000));
  await waitFor(() => held() >= 600_000, { what: 'half a message' });
  // A whole one of the largest is no reason to cut anybody, not even itself.
  const web = await bus.webSocket('web');
  await web.enter('g');
  web.send('g', 'x'.repeat(400_000));
  expect(await web.text()).toHaveLength(400_000);
  const other = await bus.spread('other');
  writeMulticast(whole, other.session, { ...sending, groups: ['g'], end: buffer.length });
  const bytes = Buffer.concat(whole.take());
  other.raw(bytes.subarray(0, 800_000));
  await expect(slow.inbox.next()).rejects.toThrow('closed');
  other.raw(bytes.subarray(800_000));
  expect(await web.text()).toHaveLength(900_000);
  await waitFor(() => held() === 0, { what: 'nothing half' });
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

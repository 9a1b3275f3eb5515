import { SERVICES } from '@rookery/protocol/websocket';
import { expect, it } from 'vitest';
import { startInProcess } from '../in-process.ts';

it('a Spread client and a WebSocket client in one group see the same messages in one order', async () => {
  const bus = await startInProcess();
  const spread = await bus.spread('sp');
  const web = await bus.webSocket('web');
  await spread.enter('room');
  await web.enter('room');
  for (let i = 0; i < 200; i++) {
    spread.send('room', `sp ${i}`);
    web.send('room', `web ${i}`);
  }
  const [a, b] = await Promise.all([spread.texts(400), web.texts(400)]);
  expect(a).toEqual(b);
  expect(a.filter((text) => text.startsWith('sp'))).toEqual(Array.from({ length: 200 }, (_, i) => `sp ${i}`));
  expect(a.filter((text) => text.startsWith('web'))).toEqual(
    Array.from({ length: 200 }, (_, i) => `web ${i}`),
  );
});

it('a private message reaches its session and nobody else, on both wires', async () => {
  const bus = await startInProcess();
  const spread = await bus.spread('sp');
  const web = await bus.webSocket('web');
  const other = await bus.webSocket('other');
  spread.send(web.session, 'to web');
  expect(await web.find('message')).toMatchObject({
    sender: '#sp#d1',
    groups: ['#web#d1'],
    text: 'to web',
  });
  web.send(spread.session, 'to spread');
  expect(await spread.inbox.next()).toMatchObject({
    kind: 'message',
    sender: '#web#d1',
    groups: ['#sp#d1'],
    text: 'to spread',
  });
  spread.send(other.session, 'marker');
  expect(await other.text()).toBe('marker');
});

it('all six services arrive as they were sent', async () => {
  const bus = await startInProcess();
  const spread = await bus.spread('sp');
  const web = await bus.webSocket('web');
  await spread.enter('g');
  await web.enter('g');
  for (const service of SERVICES) {
    spread.send('g', 'from spread', { service });
    web.send('g', 'from web', { service });
    const seen = [];
    for (let i = 0; i < 2; i++) {
      const message = (await spread.inbox.until(({ kind }) => kind === 'message')).at(-1)!;
      expect(message).toMatchObject({ service });
      seen.push(message.text);
      expect(await web.find('message')).toMatchObject({ service, text: message.text });
    }
    expect(seen.sort()).toEqual(['from spread', 'from web']);
  }
});

it('a message to several groups comes once to who is in several of them', async () => {
  const bus = await startInProcess();
  const spread = await bus.spread('sp');
  const web = await bus.webSocket('web');
  for (const group of ['a', 'b', 'c']) {
    await spread.enter(group);
    await web.enter(group);
  }
  web.send(['a', 'b', 'c', spread.session], 'once');
  web.send('a', 'marker');
  expect(await spread.texts(2)).toEqual(['once', 'marker']);
  expect(await web.texts(2)).toEqual(['once', 'marker']);
});

it('a group needs nobody in it to be sent to, and the sender need not be in it', async () => {
  const bus = await startInProcess();
  const spread = await bus.spread('sp');
  const web = await bus.webSocket('web');
  await web.enter('open');
  spread.send('empty', 'to nobody');
  spread.send('open', 'from outside');
  expect(await web.find('message')).toMatchObject({ sender: '#sp#d1', text: 'from outside' });
});

it('who sets self-discard does not get its own message, on both wires', async () => {
  const bus = await startInProcess();
  const spread = await bus.spread('sp');
  const web = await bus.webSocket('web');
  await spread.enter('g');
  await web.enter('g');
  spread.send('g', 'quiet spread', { selfDiscard: true });
  spread.send('g', 'loud spread');
  expect(await spread.text()).toBe('loud spread');
  expect(await web.texts(2)).toEqual(['quiet spread', 'loud spread']);
  web.send('g', 'quiet web', { selfDiscard: true });
  web.send('g', 'loud web');
  expect(await web.text()).toBe('loud web');
  expect(await spread.texts(2)).toEqual(['quiet web', 'loud web']);
});

it('keeps the message type, and the byte order of who sent it', async () => {
  const bus = await startInProcess();
  const big = await bus.spread({ name: 'big', order: 'big' });
  const little = await bus.spread({ name: 'little' });
  const web = await bus.webSocket('web');
  for (const client of [big, little, web]) await client.enter('g');
  const next = async () => (await little.inbox.until(({ kind }) => kind === 'message')).at(-1);
  big.send('g', '1', { messageType: 0x1234 });
  expect(await next()).toMatchObject({ messageType: 0x1234, messageOrder: 'big' });
  expect(await web.find('message')).toMatchObject({ messageType: 0x1234 });
  little.send('g', '2', { messageType: 0xffff });
  expect(await next()).toMatchObject({ messageType: 0xffff, messageOrder: 'little' });
  expect(await web.find('message')).toMatchObject({ messageType: 0xffff });
  web.send('g', '3', { messageType: 0x8001 });
  expect(await next()).toMatchObject({ messageType: 0x8001, messageOrder: 'little' });
  web.send('g', '4', { messageType: 7, bigEndian: true });
  expect(await next()).toMatchObject({ messageType: 7, messageOrder: 'big' });
});

it('keeps the key from one WebSocket client to another, past a Spread client that knows none', async () => {
  const bus = await startInProcess();
  const binary = await bus.webSocket('binary');
  const json = await bus.webSocket({ name: 'json', messages: 'json' });
  const spread = await bus.spread('sp');
  for (const client of [binary, json, spread]) await client.enter('g');
  binary.send('g', 'x', { key: 'Schlüssel' });
  expect(await json.find('message')).toMatchObject({ key: 'Schlüssel', text: 'x' });
  expect(await binary.find('message')).toMatchObject({ key: 'Schlüssel' });
  expect(await spread.text()).toBe('x');
  spread.send('g', 'y');
  expect(await json.find('message')).toMatchObject({ key: '', text: 'y' });
});

it('carries bytes that are no text, to JSON clients too', async () => {
  const bus = await startInProcess();
  const json = await bus.webSocket({ name: 'json', messages: 'json' });
  const spread = await bus.spread('sp');
  await json.enter('g');
  const bytes = Buffer.from([0, 1, 0xfe, 0xff, 0x80]);
  spread.send('g', bytes);
  expect(Buffer.from((await json.find('message')).data)).toEqual(bytes);
  json.ask({ type: 'send', groups: ['g'], base64: bytes.toString('base64') });
  expect(Buffer.from((await json.find('message')).data)).toEqual(bytes);
});

it('carries messages of no byte and of the largest size', async () => {
  const bus = await startInProcess({ messageBytes: 300_000 });
  const spread = await bus.spread('sp');
  const web = await bus.webSocket('web');
  await spread.enter('g');
  await web.enter('g');
  const large = Buffer.alloc(300_000, 'abc');
  spread.send('g', '');
  spread.send('g', large);
  web.send('g', '');
  web.send('g', large);
  for (const client of [spread, web]) {
    const sizes = (await client.texts(4)).map(({ length }) => length);
    expect(sizes.sort()).toEqual([0, 0, 300_000, 300_000]);
  }
});

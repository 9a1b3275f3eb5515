import { expect, it } from 'vitest';
import { startInProcess } from '../in-process.ts';

it('a sender to a group without members is slowed down by the ring, and never forgotten', async () => {
  const bus = await startInProcess();
  const spread = await bus.spread('sp');
  for (let i = 0; i < 300; i++) spread.send('nobody', Buffer.alloc(100_000));
  spread.send(spread.session, 'through');
  expect(await spread.text()).toBe('through');
  const web = await bus.webSocket('web');
  for (let i = 0; i < 300; i++) web.send('nobody', Buffer.alloc(100_000));
  await web.inbox.until((said) => said.kind === 'confirmed' && said.n === 300);
});

for (const [what, settings] of [
  ['messages', { messagesPerSecond: 100 }],
  ['bytes', { bytesPerSecond: 10_000 }],
] as const) {
  it(`who sends more ${what} a second than allowed is read slowly, and loses nothing`, async () => {
    const bus = await startInProcess(settings);
    const receiver = await bus.webSocket('receiver');
    await receiver.enter('g');
    const spread = await bus.spread('sp');
    const web = await bus.webSocket('web');
    const texts = Array.from({ length: 150 }, (_, i) => `${i}`.padEnd(100, '.'));
    const began = performance.now();
    for (const text of texts) {
      spread.send('g', text);
      web.send('g', text);
    }
    const got = new Map<string, string[]>();
    for (let i = 0; i < 300; i++) {
      const { sender, text } = await receiver.find('message');
      got.set(sender, [...(got.get(sender) ?? []), text]);
    }
    // A second's worth at once, the other half takes half a second.
    expect(performance.now() - began).toBeGreaterThan(400);
    expect(performance.now() - began).toBeLessThan(10_000);
    expect([...got]).toEqual(
      expect.arrayContaining([
        ['#sp#d1', texts],
        ['#web#d1', texts],
      ]),
    );
  });
}

it('who is throttled for long is not taken for dead', async () => {
  const bus = await startInProcess({ pingIntervalMs: 700, bytesPerSecond: 2_000_000 });
  const web = await bus.webSocket({ name: 'web', membership: false });
  // More than what is read ahead, so that reading stops, for several pings.
  for (let i = 0; i < 100; i++) web.send('nobody', Buffer.alloc(100_000));
  await web.inbox.until((said) => said.kind === 'confirmed' && said.n === 100);
});

it('what one is throttled for does not hold up others', async () => {
  const bus = await startInProcess({ messagesPerSecond: 10 });
  const [fast, slow] = [await bus.webSocket('fast'), await bus.spread('slow')];
  await fast.enter('g');
  for (let i = 0; i < 100; i++) slow.send('g', `${i}`);
  fast.send('g', 'mine');
  const before = await fast.inbox.until((said) => said.kind === 'message' && said.text === 'mine');
  expect(before.filter(({ kind }) => kind === 'message').length).toBeLessThan(30);
});

it('questions are answered while requests wait', async () => {
  const bus = await startInProcess({ messagesPerSecond: 5 });
  const web = await bus.webSocket('web');
  for (let i = 0; i < 20; i++) web.send('g', `${i}`);
  web.say({ type: 'ping', id: 1 });
  await web.inbox.until(({ kind }) => kind === 'pong');
  expect(web.confirmed).toBeLessThan(20);
});

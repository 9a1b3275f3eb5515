import { expect, it } from 'vitest';
import { startInProcess } from '../in-process.ts';
import { beginSpread } from '../spread-client.ts';
import { openWebSocket } from '../websocket-client.ts';

it('a name that is in use is refused on both wires, and free again after its session', async () => {
  const bus = await startInProcess();
  const first = await bus.spread('alice');
  await first.enter('g');
  await expect(bus.spread('alice')).rejects.toThrow('"code":-6');
  await expect(bus.webSocket('alice')).rejects.toThrow('NAME_TAKEN');
  const watcher = await bus.webSocket('watcher');
  await watcher.enter('g');
  first.goodbye();
  const gone = await watcher.inbox.until((said) => said.kind === 'view' && said.cause === 'disconnect');
  expect(gone.at(-1)).toMatchObject({ members: ['#watcher#d1'] });
  expect((await bus.webSocket('alice')).session).toBe('#alice#d1');
});

it('a refused name closes a WebSocket with 4409', async () => {
  const bus = await startInProcess();
  for (const name of ['', 'elevenchars', 'a b', 'ä', 'a#b']) {
    const web = await openWebSocket(bus.url);
    web.say({ type: 'hello', name });
    expect(await web.find('error'), name).toMatchObject({ code: 'BAD_NAME' });
    expect(await web.closed).toBe(4409);
  }
});

it('an illegal name is refused by Spread’s number', async () => {
  const bus = await startInProcess();
  const { client, accepted } = beginSpread({ port: bus.port });
  client.socket.removeAllListeners('connect');
  client.socket.on('connect', () => client.raw(Buffer.from([5, 0, 1, 1, 3, 0x61, 0x20, 0x62])));
  expect(await accepted).toMatchObject({ kind: 'refused', code: -5 });
  client.destroy();
});

it('who has no name is given one, each its own, past those that are taken', async () => {
  const bus = await startInProcess();
  await bus.spread('r2');
  const sessions = [
    await bus.spread(),
    await bus.webSocket(),
    await bus.spread(),
    await bus.webSocket({ messages: 'json' }),
  ].map(({ session }) => session);
  expect(new Set(sessions).size).toBe(4);
  expect(sessions).not.toContain('#r2#d1');
  for (const session of sessions) expect(session).toMatch(/^#[\x24-\x7e]{1,10}#d1$/);
});

it('clients of Spread 3.1, 3.15, 3.17 and 5 are let in', async () => {
  const bus = await startInProcess();
  for (const [major, minor, patch] of [
    [3, 1, 0],
    [3, 15, 1],
    [3, 17, 4],
    [4, 4, 0],
    [5, 0, 1],
  ] as const) {
    const client = await bus.spread({ name: `v${major}${minor}`, version: { major, minor, patch } });
    await client.enter('g');
    client.send('g', `${major}.${minor}`);
    expect(await client.text()).toBe(`${major}.${minor}`);
  }
  const { client, accepted } = beginSpread({ port: bus.port });
  client.socket.removeAllListeners('connect');
  client.socket.on('connect', () => client.raw(Buffer.from([3, 0, 1, 0])));
  expect(await accepted).toMatchObject({ kind: 'refused', code: -7 });
  client.destroy();
});

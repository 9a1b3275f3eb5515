import { expect, it } from 'vitest';
import { connect } from '../../src/client/index.ts';
import { startInProcess } from '../in-process.ts';
import type { WebSocketClient } from '../websocket-client.ts';

it('a client that asks for all groups of a full bus is told, and keeps its session', async () => {
  const bus = await startInProcess();
  const joiners: WebSocketClient[] = [];
  for (let i = 0; i < 7; i++) {
    const joiner = await bus.webSocket({ membership: false });
    for (let k = 0; k < 10_000; k++) joiner.ask({ type: 'join', group: `${i}.${k}` });
    joiners.push(joiner);
  }
  for (const { inbox } of joiners) {
    await inbox.until((said) => said.kind === 'confirmed' && said.n === 10_000, 60_000);
  }
  const client = await connect(bus.url);
  const { session } = client;
  expect(await client.groups()).toHaveLength(70_000);
  expect(client.session).toBe(session);
  await client.close();
});

import { expect, it } from 'vitest';
import { startInProcess } from '../in-process.ts';

it('what a Spread client sent before it went is delivered, also what it was held up with', async () => {
  const bus = await startInProcess({ messagesPerSecond: 200 });
  const reader = await bus.spread('reader');
  await reader.enter('g');
  const writer = await bus.spread('writer');
  writer.join('g');
  const sent = Array.from({ length: 300 }, (_, number) => `message ${number}`);
  for (const text of sent) writer.send('g', text, { selfDiscard: true });
  writer.socket.end();
  expect(await reader.texts(300)).toEqual(sent);
  const [last] = (await reader.inbox.until(({ kind }) => kind === 'membership')).slice(-1);
  expect(last).toMatchObject({ kind: 'membership', cause: 'disconnect', members: ['#reader#d1'] });
});

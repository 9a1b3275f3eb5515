import { waitFor } from '@rookery/testkit';
import { expect, it } from 'vitest';
import { startInProcess } from '../in-process.ts';
import { connectSpread } from '../spread-client.ts';
import { openWebSocket } from '../websocket-client.ts';

it('who connects while the daemon stops holds nothing up', async () => {
  const bus = await startInProcess({ stopTimeoutMs: 20_000 });
  // Does not answer the close, so that its listener lingers while the other still listens.
  const lingering = await openWebSocket(bus.url);
  lingering.ws.pause();
  const began = performance.now();
  const stopped = bus.daemon.stop();
  const late = await connectSpread({ port: bus.port }, { name: 'late' });
  late.join('g');
  late.send('g', 'hello');
  expect(await stopped).toBe(0);
  // Long before the stop would be forced.
  expect(performance.now() - began).toBeLessThan(10_000);
  await waitFor(() => late.inbox.ended !== undefined, { what: 'the end' });
});

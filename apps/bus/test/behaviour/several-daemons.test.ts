import { waitFor } from '@rookery/testkit';
import { expect, it } from 'vitest';
import { errorLines, PATIENT_MS, startDaemon, startRing } from '../daemon-process.ts';
import { connectSpread } from '../spread-client.ts';
import { connectWebSocket, openWebSocket } from '../websocket-client.ts';

it('groups span daemons: one order, one view, private messages across', async () => {
  const [one, two] = await startRing(2);
  await using _one = one!;
  await using _two = two!;
  const spread = await connectSpread(one!, { name: 'sp' });
  const web = await connectWebSocket(two!.webSocketUrl, { name: 'web' });
  await spread.enter('g');
  await web.enter('g');
  expect(await spread.inbox.next()).toMatchObject({ kind: 'membership', cause: 'join' });
  for (let i = 0; i < 300; i++) {
    spread.send('g', `sp ${i}`, { service: i % 2 === 0 ? 'agreed' : 'safe' });
    web.send('g', `web ${i}`, { service: i % 3 === 0 ? 'safe' : 'agreed' });
  }
  const [a, b] = await Promise.all([spread.texts(600), web.texts(600)]);
  expect(a).toEqual(b);
  web.send('#sp#d1', 'private');
  expect(await spread.text()).toBe('private');
  for (const client of [spread, web]) 'destroy' in client ? client.destroy() : client.cut();
  expect(await one!.stop()).toBe(0);
  expect(await two!.stop()).toBe(0);
});

it('a daemon that is killed is a transition and a view by the network, with the sets of those who stayed together', async () => {
  const [one, two, three] = await startRing(3);
  await using _one = one!;
  await using _two = two!;
  await using _three = three!;
  const spread = await connectSpread(one!, { name: 'sp' });
  const web = await connectWebSocket(two!.webSocketUrl, { name: 'web' });
  const lost = await connectWebSocket(three!.webSocketUrl, { name: 'lost' });
  await lost.enter('g');
  await web.enter('g');
  await spread.enter('g');
  await web.inbox.until((said) => said.kind === 'view' && said.members.length === 3);
  const began = performance.now();
  await three!.kill();
  expect(await spread.inbox.next()).toMatchObject({ kind: 'transition', group: 'g' });
  const view = await spread.inbox.next();
  expect(performance.now() - began).toBeLessThan(PATIENT_MS + 2000);
  if (view.kind !== 'membership') throw new Error(`no view: ${view.kind}`);
  expect(view).toMatchObject({ cause: 'network', group: 'g', sets: [view.members], mine: 0 });
  expect([...view.members].sort()).toEqual(['#sp#d1', '#web#d2']);
  await web.find('transition');
  const seen = await web.find('view');
  expect(seen).toMatchObject({ cause: 'network', members: view.members, sets: [view.members] });
  expect(seen.changed).toBeUndefined();

  spread.send('g', 'on');
  expect(await web.text()).toBe('on');
  spread.destroy();
  web.cut();
});

it('two halves that meet are one view by the network, with a set for each half', async () => {
  const [one, two] = await startRing(2);
  await using _one = one!;
  await using _two = two!;
  const a = await connectSpread(one!, { name: 'a' });
  const b = await connectWebSocket(two!.webSocketUrl, { name: 'b' });
  await a.enter('g');
  await b.enter('g');
  await a.inbox.next();
  // Stopped for longer than the ring waits, and then on again.
  two!.process.kill('SIGSTOP');
  await a.inbox.until((heard) => heard.kind === 'membership' && heard.members.length === 1);
  two!.process.kill('SIGCONT');
  const [merged] = (
    await a.inbox.until((heard) => heard.kind === 'membership' && heard.members.length === 2)
  ).slice(-1);
  if (merged?.kind !== 'membership') throw new Error('no view');
  expect(merged.cause).toBe('network');
  expect(merged.sets.map((set) => [...set])).toEqual(expect.arrayContaining([['#a#d1'], ['#b#d2']]));
  expect(merged.sets[merged.mine!]).toEqual(['#a#d1']);
  const views = await b.inbox.until(
    (said) => said.kind === 'view' && said.members.length === 2 && said.cause === 'network',
  );
  expect(views.at(-1)).toMatchObject({ members: merged.members });
  a.send('g', 'again');
  expect(await b.text()).toBe('again');
  a.destroy();
  b.cut();
});

it('SIGTERM tells the clients, lets the others know, and ends with 0', async () => {
  const [one, two] = await startRing(2);
  await using _one = one!;
  await using _two = two!;
  const watcher = await connectWebSocket(one!.webSocketUrl, { name: 'watcher' });
  await watcher.enter('g');
  const web = await connectWebSocket(two!.webSocketUrl, { name: 'web' });
  const spread = await connectSpread(two!, { name: 'sp' });
  const silent = await openWebSocket(two!.webSocketUrl);
  await web.enter('g');
  await spread.enter('g');
  await watcher.inbox.until((said) => said.kind === 'view' && said.members.length === 3);
  const began = performance.now();
  const stopped = two!.stop();
  expect(await web.find('error')).toMatchObject({ code: 'STOPPING' });
  expect(await web.closed).toBe(1001);
  expect(await silent.closed).toBe(1001);
  await expect(spread.text()).rejects.toThrow('the daemon closed');
  // Goodbyes, not the loss of a daemon.
  const views = await watcher.inbox.until((said) => said.kind === 'view' && said.members.length === 1);
  expect(
    views.filter(({ kind }) => kind !== 'confirmed').map((said) => said.kind === 'view' && said.cause),
  ).toEqual(['disconnect', 'disconnect']);
  expect(await stopped).toBe(0);
  // Long before the stop would be forced.
  expect(performance.now() - began).toBeLessThan(15_000);
  expect(errorLines(two!)).toEqual([]);
  watcher.cut();
});

it('a parked session ends with its daemon', async () => {
  const daemon = await startDaemon();
  await using _daemon = daemon;
  const web = await connectWebSocket(daemon.webSocketUrl, { name: 'web' });
  await web.enter('g');
  web.cut();
  const began = performance.now();
  expect(await daemon.stop()).toBe(0);
  // Long before the stop would be forced.
  expect(performance.now() - began).toBeLessThan(15_000);
});

it('clients come over the unix socket too', async () => {
  const daemon = await startDaemon();
  await using _daemon = daemon;
  const [a, b] = [
    await connectSpread({ path: daemon.socketPath }, { name: 'a' }),
    await connectSpread(daemon, { name: 'b' }),
  ];
  await a.enter('g');
  b.send('g', 'over tcp');
  expect(await a.text()).toBe('over tcp');
  await waitFor(
    async () => (await daemon.admin<{ sessions: unknown[] }>('/sessions')).sessions.length === 2,
    { what: 'both sessions' },
  );
  a.destroy();
  b.destroy();
  expect(await daemon.stop()).toBe(0);
});

import { expect, it } from 'vitest';
import { startDaemon } from '../daemon-process.ts';
import { connectSpread } from '../spread-client.ts';
import { connectWebSocket } from '../websocket-client.ts';

const MIB = 1024 * 1024;

it('twenty receivers that do not read cost their outboxes and no more, while 256 MiB pass by', async () => {
  const daemon = await startDaemon({
    flags: ['--outbox-bytes', '4MiB'],
    toml: '[groups.g]\nslow_policy = "drop-oldest"\n',
  });
  await using _daemon = daemon;
  const neighbour = await connectSpread(daemon, { name: 'near', membership: false });
  const sender = await connectWebSocket(daemon.webSocketUrl, { name: 'sender', membership: false });
  for (let i = 0; i < 10; i++) {
    const spread = await connectSpread(daemon, { membership: false });
    spread.join('g');
    spread.send(spread.session, 'joined');
    await spread.text();
    spread.socket.pause();
    const web = await connectWebSocket(daemon.webSocketUrl, { membership: false });
    await web.enter('g');
    web.ws.pause();
  }
  neighbour.join('g');
  const idle = await daemon.rssBytes();
  const data = Buffer.alloc(64 * 1024, 'x');
  let most = 0;
  for (let i = 0; i < 256; i++) {
    for (let k = 0; k < 16; k++) sender.send('g', data);
    await neighbour.texts(16);
    if (i % 16 === 0) most = Math.max(most, (await daemon.rssBytes()) - idle);
  }
  // Half of twenty outboxes is shared, the rest is on its way to each; the sockets' own buffers come beside.
  expect(most / MIB).toBeLessThan(250);
  expect((await daemon.admin<{ sessions: unknown[] }>('/sessions')).sessions).toHaveLength(22);
});

it('who asks without end and does not read the answers costs no memory', async () => {
  const daemon = await startDaemon();
  await using _daemon = daemon;
  const member = await connectWebSocket(daemon.webSocketUrl, { name: 'member', membership: false });
  for (let i = 0; i < 2000; i++) member.ask({ type: 'join', group: `group.${i}`.padEnd(31, '.') });
  await member.inbox.until((said) => said.kind === 'confirmed' && said.n === 2000);
  const idle = await daemon.rssBytes();
  const rude = await connectWebSocket(daemon.webSocketUrl, { name: 'rude' });
  rude.ws.pause();
  // An answer has about 120 KB.
  for (let i = 0; i < 5000; i++) rude.say({ type: 'groups', id: i });
  const pings = await connectWebSocket(daemon.webSocketUrl, { name: 'pings' });
  pings.ws.pause();
  for (let i = 0; i < 200_000; i++) pings.ws.ping(Buffer.alloc(125));
  for (let i = 0; i < 200; i++) {
    member.say({ type: 'ping', id: i });
    await member.find('pong');
  }
  expect(((await daemon.rssBytes()) - idle) / MIB).toBeLessThan(120);
  rude.cut();
  pings.cut();
  member.cut();
});

it('who subscribes and takes it back, again and again, costs no memory: nobody searches for those who have gone', async () => {
  const daemon = await startDaemon({ flags: ['--keep', 'g'] });
  await using _daemon = daemon;
  const web = await connectWebSocket(daemon.webSocketUrl, { name: 'web' });
  for (let n = 0; n < 1000; n++) web.send('g', Buffer.alloc(1000));
  await web.inbox.until((said) => said.kind === 'confirmed' && said.n === web.asked);
  const idle = await daemon.rssBytes();
  let most = 0;
  for (let turn = 0; turn < 30; turn++) {
    for (let n = 0; n < 100; n++) {
      web.ask({ type: 'subscribe', group: 'g', from: { sequence: 900 } });
      web.ask({ type: 'unsubscribe', group: 'g' });
    }
    most = Math.max(most, (await daemon.rssBytes()) - idle);
  }
  await web.inbox.until((said) => said.kind === 'confirmed' && said.n === web.asked);
  most = Math.max(most, (await daemon.rssBytes()) - idle);
  // Each search reads up to 256 KiB.
  expect(most / MIB).toBeLessThan(250);
  web.cut();
});

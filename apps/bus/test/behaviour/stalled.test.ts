/** A daemon that was stopped and goes on finds in its sockets what its clients did meanwhile: it must not judge them first. */
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { waitFor } from '@rookery/testkit';
import { expect, it } from 'vitest';
import { type DaemonProcess, startDaemon } from '../daemon-process.ts';
import { connectWebSocket, openWebSocket, type WebSocketClient } from '../websocket-client.ts';

/** Longer than any of the daemon's patience in these tests. */
const STALL_MS = 6000;

async function stop({ process }: DaemonProcess): Promise<void> {
  process.kill('SIGSTOP');
  const isStopped = async () => / T /.test(await readFile(`/proc/${process.pid}/stat`, 'utf8'));
  await waitFor(isStopped, { what: 'the daemon to stand still' });
}

async function isAnswered(client: WebSocketClient): Promise<void> {
  client.say({ type: 'ping', id: 1 });
  await client.inbox.until(({ kind }) => kind === 'pong');
}

it('a client whose answer to a ping waits in the socket is not taken for dead', async () => {
  await using daemon = await startDaemon({ flags: ['--ping-interval-ms', '1000'] });
  const web = await connectWebSocket(daemon.webSocketUrl, { name: 'web', ws: { autoPong: false } });
  await new Promise((resolve) => web.ws.once('ping', resolve));
  await stop(daemon);
  web.ws.pong();
  web.ws.on('ping', () => web.ws.pong());
  await delay(STALL_MS);
  daemon.process.kill('SIGCONT');
  await isAnswered(web);
  web.cut();
});

it('a receiver that took all while the daemon stood still is not taken for slow', async () => {
  await using daemon = await startDaemon({
    flags: ['--slow-timeout-ms', '5000', '--outbox-bytes', '1MiB'],
    toml: '[groups.g]\nslow_policy = "slow"\n',
  });
  const slow = await connectWebSocket(daemon.webSocketUrl, { name: 'slow', acknowledges: false });
  await slow.enter('g');
  const sender = await connectWebSocket(daemon.webSocketUrl, { name: 'sender' });
  for (let n = 0; n < 12; n++) sender.send('g', Buffer.alloc(64 * 1024));
  await slow.texts(8);
  await waitFor(async () => (await daemon.admin<{ held_up: boolean }>('/groups/g')).held_up, {
    what: 'the sender to be held up',
  });
  await stop(daemon);
  slow.say({ type: 'ack', received: slow.received });
  await delay(STALL_MS);
  daemon.process.kill('SIGCONT');
  await isAnswered(slow);
  slow.cut();
  sender.cut();
});

it('a session waits for its client as long as ever, whatever time the daemon stood still', async () => {
  await using daemon = await startDaemon({ flags: ['--resume-ms', '5000'] });
  const web = await connectWebSocket(daemon.webSocketUrl, { name: 'web' });
  await web.enter('g');
  const { session, welcome, received } = web;
  web.cut();
  await waitFor(
    async () =>
      (await daemon.admin<{ sessions: { connected: boolean }[] }>('/sessions')).sessions[0]?.connected ===
      false,
    { what: 'the session to be parked' },
  );
  await stop(daemon);
  await delay(STALL_MS);
  const opening = openWebSocket(daemon.webSocketUrl);
  daemon.process.kill('SIGCONT');
  const again = await opening;
  again.say({ type: 'resume', session, key: welcome.key, received });
  expect(await again.next()).toMatchObject({ kind: 'resumed' });
  again.cut();
});

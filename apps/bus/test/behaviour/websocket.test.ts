import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { temporaryFolder } from '@rookery/testkit';
import { expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { startInProcess } from '../in-process.ts';
import { connectWebSocket, openWebSocket, upgradeStatus } from '../websocket-client.ts';

it('a person with a tool can take part in text, with no more than the types', async () => {
  const bus = await startInProcess();
  // No subprotocol, as a tool sends none.
  const ws = new WebSocket(bus.url);
  const lines: Record<string, unknown>[] = [];
  const { promise: done, resolve } = Promise.withResolvers<void>();
  ws.on('message', (data, isBinary) => {
    expect(isBinary).toBe(false);
    lines.push(JSON.parse(String(data)) as Record<string, unknown>);
    if (lines.at(-1)?.type === 'message') resolve();
  });
  await new Promise((opened) => ws.once('open', opened));
  ws.send('{"type":"hello","messages":"json"}');
  ws.send('{"type":"join","n":1,"group":"chat"}');
  ws.send('{"type":"send","n":2,"groups":["chat"],"text":"grüße"}');
  await done;
  ws.terminate();
  expect(lines[0]).toMatchObject({
    type: 'welcome',
    session: expect.stringMatching(/^#r\w+#d1$/),
    daemon: 'd1',
  });
  expect(lines.find(({ type }) => type === 'view')).toMatchObject({ d: 1, group: 'chat', cause: 'join' });
  expect(lines.find(({ type }) => type === 'message')).toMatchObject({
    d: 2,
    groups: ['chat'],
    service: 'agreed',
    text: 'grüße',
  });
});

it('the subprotocol is the daemon’s own if it is offered, none otherwise', async () => {
  const bus = await startInProcess();
  for (const [offered, chosen] of [
    [['other', 'rookery-bus.v1'], 'rookery-bus.v1'],
    [['rookery-bus.v1'], 'rookery-bus.v1'],
    [[], ''],
  ] as const) {
    const ws = new WebSocket(bus.url, [...offered]);
    await new Promise((resolve, reject) => ws.once('open', resolve).once('error', reject));
    expect(ws.protocol).toBe(chosen);
    ws.terminate();
  }
});

it('another path is not found, another origin forbidden, and plain HTTP told what this is', async () => {
  const bus = await startInProcess({ wsOrigins: ['https://example.org'] });
  const host = new URL(bus.url).host;
  expect(await upgradeStatus(`${bus.url}/other`)).toBe(404);
  expect(await upgradeStatus(bus.url, { origin: 'https://evil.example' })).toBe(403);
  expect(await upgradeStatus(bus.url, { origin: 'null' })).toBe(403);
  expect(await upgradeStatus(bus.url, { origin: `http://${host}.evil.example` })).toBe(403);
  expect(await upgradeStatus(bus.url, { origin: 'https://example.org' })).toBe(101);
  expect(await upgradeStatus(bus.url, { origin: `http://${host}` })).toBe(101);
  expect(await upgradeStatus(`${bus.url}/?x=1`)).toBe(101);
  const plain = await fetch(bus.url.replace('ws:', 'http:'));
  expect(plain.status).toBe(426);
});

it('any origin may come if the settings say *', async () => {
  const bus = await startInProcess({ wsOrigins: ['*'] });
  expect(await upgradeStatus(bus.url, { origin: 'https://anywhere.example' })).toBe(101);
});

it('without one of the tokens nobody gets in, nor back in', async () => {
  await using folder = await temporaryFolder();
  const tokenFile = join(folder.path, 'tokens');
  await writeFile(tokenFile, '# people\nfirst-token\n\n  second-token  \n');
  const bus = await startInProcess({ tokenFile });
  for (const token of [undefined, 'wrong', '', 'first', '# people']) {
    const web = await openWebSocket(bus.url);
    web.say({ type: 'hello', token });
    expect(await web.find('error')).toMatchObject({ code: 'UNAUTHORIZED' });
    expect(await web.closed).toBe(4401);
  }
  await bus.webSocket({ name: 'a', token: 'first-token' });
  const web = await bus.webSocket({ name: 'b', token: 'second-token' });
  const back = await openWebSocket(bus.url);
  back.say({ type: 'resume', session: web.session, key: web.welcome.key, received: 0 });
  expect(await back.find('error')).toMatchObject({ code: 'UNAUTHORIZED' });
});

it('speaks TLS with a certificate of its own', async () => {
  await using folder = await temporaryFolder();
  const wsCertificateFile = join(folder.path, 'cert.pem');
  const wsKeyFile = join(folder.path, 'key.pem');
  await promisify(execFile)('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'],
    ...['-subj', '/CN=localhost', '-keyout', wsKeyFile, '-out', wsCertificateFile],
  ]);
  const bus = await startInProcess({ wsCertificateFile, wsKeyFile });
  expect(bus.url).toMatch(/^wss:/);
  const web = await bus.webSocket({ name: 'web', ws: { rejectUnauthorized: false } });
  await web.enter('g');
  const large = 'x'.repeat(2_000_000);
  web.send('g', large);
  expect(await web.text()).toBe(large);
  await expect(openWebSocket(bus.url)).rejects.toThrow('self-signed');
  await expect(openWebSocket(bus.url.replace('wss:', 'ws:'))).rejects.toThrow();
});

it('compressed connections get everything, however well it is compressed', async () => {
  const bus = await startInProcess({ wsCompression: true });
  const web = await bus.webSocket({ name: 'web', acknowledges: false, ws: { perMessageDeflate: true } });
  expect(web.ws.extensions).toContain('permessage-deflate');
  const sender = await bus.spread('sp');
  await web.enter('g');
  for (let i = 0; i < 200; i++) sender.send('g', Buffer.alloc(50_000, 'a'));
  const texts = await web.texts(200);
  expect(texts.every((text) => text.length === 50_000)).toBe(true);
});

it('answers pings of both kinds', async () => {
  const bus = await startInProcess();
  const web = await bus.webSocket('web');
  web.say({ type: 'ping', id: 42 });
  expect(await web.find('pong')).toEqual({ kind: 'pong', id: 42 });
  const pong = new Promise<string>((resolve) => web.ws.once('pong', (data) => resolve(String(data))));
  web.ws.ping('probe');
  expect(await pong).toBe('probe');
});

it('a connection without a sign of life is cut and its session parked; one that answers pings stays', async () => {
  const bus = await startInProcess({ pingIntervalMs: 1000 });
  const alive = await bus.webSocket('alive');
  const dead = await bus.webSocket({ name: 'dead', ws: { autoPong: false } });
  expect(await dead.closed).toBe(1006);
  expect(bus.daemon.parts.sessions.find('#dead#d1')).toBeDefined();
  await alive.enter('g');
  const again = await openWebSocket(bus.url);
  again.say({ type: 'resume', session: dead.session, key: dead.welcome.key, received: 0 });
  expect(await again.next()).toMatchObject({ kind: 'resumed' });
});

it('who is sending one large message has no place for an answer in it, and is not taken for dead', async () => {
  const bus = await startInProcess({ pingIntervalMs: 300 });
  const web = await bus.webSocket({ name: 'web', membership: false, ws: { autoPong: false } });
  const socket = (web.ws as unknown as { readonly _socket: Socket })._socket;
  const write = socket.write.bind(socket);
  const frame: Buffer[] = [];
  socket.write = ((chunk: Buffer) => frame.push(chunk) > 0) as typeof socket.write;
  web.send('nobody', Buffer.alloc(1000));
  socket.write = write;
  const bytes = Buffer.concat(frame);
  // A slow line: a little of the frame between two pings.
  for (let at = 0; at < 5; at++) {
    write(bytes.subarray(at, at + 1));
    await new Promise((resolve, reject) => {
      web.ws.once('ping', resolve);
      web.ws.once('close', () => reject(new Error('it was cut off')));
    });
  }
  write(bytes.subarray(5));
  await web.inbox.until((said) => said.kind === 'confirmed' && said.n === 1);
});

it('who says no hello in time is told so', async () => {
  const bus = await startInProcess({ handshakeTimeoutMs: 50 });
  const web = await openWebSocket(bus.url);
  expect(await web.find('error')).toMatchObject({ code: 'TIMEOUT' });
  expect(await web.closed).toBe(4408);
});

it('what is not the protocol ends the connection and the session', async () => {
  const bus = await startInProcess();
  for (const [index, bad] of [
    'no json',
    '[]',
    '{"type":"dance"}',
    '{"type":"join","n":1,"group":"g","extra":1}',
    '{"type":"hello"}',
    Buffer.from([9, 9, 9]),
    Buffer.alloc(12),
  ].entries()) {
    const web = await bus.webSocket(`web${index}`);
    web.ws.send(bad);
    expect(await web.find('error'), String(bad)).toMatchObject({ code: 'BAD_FRAME' });
    expect(await web.closed).toBe(4400);
    expect(bus.daemon.parts.sessions.find(web.session)).toBeUndefined();
  }
  const early = await openWebSocket(bus.url);
  early.say({ type: 'ping', id: 1 });
  expect(await early.find('error')).toMatchObject({ code: 'BAD_FRAME' });
});

it('a gap in the numbers of requests ends the connection', async () => {
  const bus = await startInProcess();
  const web = await connectWebSocket(bus.url);
  web.say({ type: 'join', n: 2, group: 'g' });
  expect(await web.find('error')).toMatchObject({ code: 'BAD_NUMBER' });
  expect(await web.closed).toBe(4400);
});

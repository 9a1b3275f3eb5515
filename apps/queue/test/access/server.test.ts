import { chmod, copyFile, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { startProcess, type TemporaryFolder, temporaryFolder, waitFor } from '@rookery/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { addToken } from '../../src/cli/token.ts';
import { connect, type QueueClient, type QueueError } from '../../src/client/index.ts';
import { QueueServer } from '../../src/index.ts';
import type { ServerSettings } from '../../src/settings.ts';
import { queueCommand, startQueue } from '../queue-process.ts';
import { makeCertificate } from './certificates.ts';

let folder: TemporaryFolder;
const servers: QueueServer[] = [];
const clients: QueueClient[] = [];

beforeEach(async () => {
  folder = await temporaryFolder();
});

afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
  for (const server of servers.splice(0)) await server.stop();
  await folder.remove();
});

const inFolder = (name: string): string => join(folder.path, name);

function token(name: string, ...grants: string[]): string {
  return addToken({ name, grants, file: inFolder('users'), replace: true, add: false });
}

async function start(settings: Partial<ServerSettings> = {}): Promise<string> {
  const server = new QueueServer({
    settings: { port: 0, adminPort: 0, data: inFolder('data'), sync: 'never', ...settings },
  });
  servers.push(server);
  await server.start();
  return `127.0.0.1:${server.address!.port}`;
}

async function open(...args: Parameters<typeof connect>): Promise<QueueClient> {
  const client = await connect(...args);
  clients.push(client);
  return client;
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'no error',
    (error: QueueError) => error.code,
  );
}

test('the client says who it is on every connection, and is told what it may not do', async () => {
  const user = 'worker';
  const worker = token(user, 'read,write:jobs');
  const address = await start({ authFile: inFolder('users') });
  const client = await open(address, { user, token: worker });
  const jobs = client.queue('jobs');
  await jobs.put('a');
  for await (const message of jobs.consume({ idleMs: 0 })) await message.acknowledge();
  expect(await codeOf(client.queue('other').put('x'))).toBe('UNAUTHORIZED');
  expect(await codeOf(jobs.delete())).toBe('UNAUTHORIZED');
  expect(await codeOf(client.flushAll())).toBe('UNAUTHORIZED');
  expect(await codeOf(connect(address, { user, token: `${worker.slice(0, -1)}_` }))).toBe('UNAUTHORIZED');
  expect(await codeOf(connect(address, { user }))).toBe('BAD_ARGUMENT');
  const stranger = await open(address);
  expect(await codeOf(stranger.queue('jobs').get())).toBe('UNAUTHORIZED');
});

test('a server that asks nobody keeps no token of a client that tells it', async () => {
  const address = await start();
  const client = await open(address, { user: 'worker', token: 'rq_secret' });
  await client.queue('jobs').put('a');
  expect((await client.queues()).map(({ name }) => name)).toEqual(['jobs']);
});

test('a changed file of users holds at once; a wrong one changes nothing; who is no more in it is cut off', async () => {
  const first = token('first', 'all:*');
  const second = token('second', 'all:*');
  const running = await startQueue({
    dataDirectory: inFolder('data'),
    flags: ['--auth-file', inFolder('users')],
  });
  try {
    const address = `127.0.0.1:${running.port}`;
    const settings = { reconnectAttempts: 1 };
    const one = await open(address, { user: 'first', token: first, settings });
    const two = await open(address, { user: 'second', token: second, settings });
    const waiting = one.queue('q').get({ waitMs: 60_000 });
    waiting.catch(() => undefined);
    await one.queue('q').stats();
    const before = await readFile(inFolder('users'), 'utf8');
    // As a whole: the server looks at it by itself, too, and one that is empty for a moment lets nobody in.
    const replace = async (text: string): Promise<void> => {
      await writeFile(inFolder('users.new'), text, { mode: 0o600 });
      await rename(inFolder('users.new'), inFolder('users'));
    };
    await replace('nonsense');
    running.process.kill('SIGHUP');
    await waitFor(() => running.process.output.includes('stay as they were'), { what: 'the refusal' });
    expect(await one.queue('q').stats()).toBeDefined();
    await replace(before.replace(/^first .*\n/m, ''));
    running.process.kill('SIGHUP');
    expect(await codeOf(waiting)).not.toBe('no error');
    expect(await codeOf(one.queue('q').peek())).toMatch(/UNAUTHORIZED|COULD_NOT_CONNECT|CLOSED/);
    await two.queue('q').put('x');
    expect(running.process.output).not.toContain(first);
    expect(running.process.output).not.toContain(second);
  } finally {
    expect(await running.stop()).toBe(0);
  }
});

test('a file of users that others may write or read is refused', async () => {
  token('worker', 'all:*');
  for (const mode of [0o644, 0o660, 0o666]) {
    await chmod(inFolder('users'), mode);
    await expect(start({ authFile: inFolder('users') })).rejects.toThrow(/did not start|chmod 640/);
  }
  await chmod(inFolder('users'), 0o640);
  await start({ authFile: inFolder('users') });
});

test('the admin port is for users who may do everything, and for the admin token', async () => {
  const chief = token('chief', 'all:*');
  const worker = token('worker', 'read:*');
  await start({ authFile: inFolder('users'), adminToken: 'of-the-admin' });
  const url = servers[0]!.adminUrl!;
  const ask = async (bearer?: string): Promise<number> =>
    (
      await fetch(`${url}/queues`, {
        headers: bearer === undefined ? {} : { authorization: `Bearer ${bearer}` },
      })
    ).status;
  expect([await ask(), await ask('nonsense'), await ask(worker)]).toEqual([401, 401, 401]);
  expect([await ask(chief), await ask('of-the-admin')]).toEqual([200, 200]);
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
  const metrics = await (
    await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${chief}` } })
  ).text();
  expect(metrics).toMatch(/rookery_queue_authentications_total\{result="failed"\} 1/);
});

test('beyond loopback it wants users and a certificate, or to be told in so many words', async () => {
  const host = '0.0.0.0';
  const settings = { host, port: 0, adminPort: 0, data: inFolder('data') };
  expect(() => new QueueServer({ settings })).toThrow(
    'host 0.0.0.0 is open to other machines: set auth_file, and tls_certificate and tls_key, or listen on 127.0.0.1, or say insecure_listen',
  );
  expect(() => new QueueServer({ settings: { ...settings, authFile: 'users' } })).toThrow(
    'set tls_certificate and tls_key, or',
  );
  expect(() => new QueueServer({ settings: { ...settings, tlsKey: 'key' } })).toThrow('go together');
  await using refused = await startProcess(
    queueCommand('serve', '--host', host, '--port', '0', '--data', inFolder('data')),
  );
  expect((await refused.waitForExit(30_000)).code).not.toBe(0);
  expect(refused.stderr).toContain('insecure_listen');
  await start({ host, insecureListen: true });
});

test('over TLS: put and get, with the authority that signed, and not without; not over plain TCP', async () => {
  const { certificate, key } = await makeCertificate(folder.path);
  const address = await start({ tlsCertificate: certificate, tlsKey: key });
  const ca = await readFile(certificate);
  const client = await open(address, { tls: { ca } });
  const jobs = client.queue('jobs');
  await jobs.put('x'.repeat(1_000_000));
  expect((await jobs.get({ waitMs: 1000 }))?.body.length).toBe(1_000_000);
  expect(await codeOf(connect(address, { tls: true }))).toBe('COULD_NOT_CONNECT');
  const plain = await connect(address, { settings: { reconnectAttempts: 1 } });
  expect(await codeOf(plain.queue('jobs').put('x'))).not.toBe('no error');
  await plain.close();
});

test('over TLS as without, who closes its half gets its answers', async () => {
  const { certificate, key } = await makeCertificate(folder.path);
  const address = await start({ tlsCertificate: certificate, tlsKey: key, sync: 'always' });
  const socket = connectTls({
    port: Number(address.split(':')[1]),
    host: '127.0.0.1',
    ca: await readFile(certificate),
  });
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  const ended = new Promise((resolve, reject) => socket.on('end', resolve).on('error', reject));
  socket.end('set q 0 0 1\r\na\r\nget q\r\nset q 0 0 1\r\nb\r\n');
  await ended;
  expect(Buffer.concat(chunks).toString()).toBe('STORED\r\nVALUE q 0 1\r\na\r\nEND\r\nSTORED\r\n');
});

test('TLS 1.1 is refused', async () => {
  const { certificate, key } = await makeCertificate(folder.path);
  const address = await start({ tlsCertificate: certificate, tlsKey: key });
  const said = await new Promise<string>((resolve) => {
    const socket = connectTls({
      port: Number(address.split(':')[1]),
      host: '127.0.0.1',
      minVersion: 'TLSv1.1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
      rejectUnauthorized: false,
    });
    socket.on('secureConnect', () => resolve('connected'));
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
  expect(said).toMatch(/PROTOCOL_VERSION|ECONNRESET/);
});

test('with an authority for clients only they get in whom it signed', async () => {
  const { certificate, key } = await makeCertificate(folder.path);
  const mine = await makeCertificate(folder.path, 'client');
  const other = await makeCertificate(folder.path, 'other');
  const address = await start({ tlsCertificate: certificate, tlsKey: key, tlsClientCa: mine.certificate });
  const ca = await readFile(certificate);
  const as = async (files: { certificate: string; key: string }) => ({
    tls: { ca, certificate: await readFile(files.certificate), key: await readFile(files.key) },
    settings: { reconnectAttempts: 1, timeoutMs: 2000 },
  });
  const client = await open(address, await as(mine));
  await client.queue('jobs').put('x');
  for (const options of [
    { tls: { ca }, settings: { reconnectAttempts: 1, timeoutMs: 2000 } },
    await as(other),
  ]) {
    const outcome = connect(address, options).then(async (stranger) => {
      try {
        await stranger.queue('jobs').get();
      } finally {
        await stranger.close();
      }
    });
    expect(await codeOf(outcome)).not.toBe('no error');
  }
});

test('a reload takes the new certificate, and keeps the old one where the new is none', async () => {
  const one = await makeCertificate(folder.path, 'one');
  const two = await makeCertificate(folder.path, 'two');
  const files = { certificate: inFolder('in-use.crt'), key: inFolder('in-use.key') };
  const use = async ({ certificate, key }: typeof one): Promise<void> => {
    await copyFile(certificate, files.certificate);
    await copyFile(key, files.key);
  };
  await use(one);
  const address = await start({ tlsCertificate: files.certificate, tlsKey: files.key });
  const trusting = async ({ certificate }: typeof one) =>
    codeOf(connect(address, { tls: { ca: await readFile(certificate) } }).then((client) => client.close()));
  expect(await trusting(one)).toBe('no error');
  await copyFile(two.certificate, files.certificate);
  expect(() => servers[0]!.reload()).toThrow('TLS files');
  expect(await trusting(one)).toBe('no error');
  await use(two);
  servers[0]!.reload();
  expect([await trusting(two), await trusting(one)]).toEqual(['no error', 'COULD_NOT_CONNECT']);
});

test('the token command prints a token once, keeps its hash, and the other commands use it', async () => {
  const { certificate, key } = await makeCertificate(folder.path);
  const users = inFolder('users');
  const run = async (args: string[], env: Record<string, string> = {}) => {
    await using running = await startProcess({ ...queueCommand(...args), env });
    const { code } = await running.waitForExit(60_000);
    return { code, stdout: running.stdout, stderr: running.stderr };
  };
  const made = await run(['token', 'ops', 'all:*', '--file', users]);
  expect(made).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(/^rq_[\w-]{43}\n$/) });
  const secret = made.stdout.trim();
  const kept = await readFile(users, 'utf8');
  expect(kept).toMatch(/^ops sha256:[0-9a-f]{64} all:\*$/m);
  expect(kept).not.toContain(secret);
  expect((await stat(users)).mode & 0o777).toBe(0o600);
  expect(await run(['token', 'ops', 'all:*', '--file', users])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--replace'),
  });
  expect(await run(['token', 'ops', 'every:*', '--file', users, '--add'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('rights look like'),
  });
  const address = await start({ authFile: users, tlsCertificate: certificate, tlsKey: key });
  const where = ['--server', address, '--ca', certificate];
  const env = { ROOKERY_QUEUE_USER: 'ops', ROOKERY_QUEUE_TOKEN: secret };
  expect(await run(['put', 'jobs', 'hello', ...where], env)).toMatchObject({ code: 0, stderr: '' });
  await writeFile(inFolder('token'), `${secret}\n`);
  expect(
    await run(['get', 'jobs', ...where, '--user', 'ops', '--token-file', inFolder('token')]),
  ).toMatchObject({ code: 0, stdout: 'hello\n' });
  expect(await run(['get', 'jobs', ...where])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('unauthenticated'),
  });
});

test('a client told to come again comes again by itself, and loops go on', async () => {
  const address = await start();
  const client = await open(address);
  const jobs = client.queue('jobs');
  await jobs.configure({ max_puts_per_second: 20, max_gets_per_second: 20 });
  const bodies = Array.from({ length: 30 }, (_, at) => String(at));
  await Promise.all(bodies.map((body) => jobs.put(body)));
  const seen: string[] = [];
  for await (const message of jobs.consume({ idleMs: 2000, prefetch: 4 })) {
    seen.push(message.text);
    await message.acknowledge();
    if (seen.length === bodies.length) break;
  }
  expect(seen.toSorted()).toEqual(bodies.toSorted());
  await jobs.configure({ max_puts_per_second: 1 });
  await jobs.put('a');
  await jobs.put('b');
  await jobs.put('c').catch(() => undefined);
  const error = await jobs.put('d', { timeoutMs: 100 }).then(
    () => undefined,
    (refusal: QueueError) => refusal,
  );
  expect(error).toMatchObject({ code: 'RATE_LIMITED', retryMs: expect.any(Number) });
});

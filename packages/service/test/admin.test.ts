import { once } from 'node:events';
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  type Admin,
  AdminError,
  type AdminOptions,
  createAdmin,
  createLogger,
  createMetrics,
  type Feed,
  reply,
} from '../src/index.ts';

const started: Admin[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((admin) => admin.stop()));
});

async function serve(options: Partial<AdminOptions> = {}, prepare: (admin: Admin) => void = () => undefined) {
  const lines: string[] = [];
  const log = createLogger({ name: 'test', destination: { write: (line) => void lines.push(line) } });
  const admin = createAdmin({ log, port: 0, ...options });
  prepare(admin);
  await admin.start();
  started.push(admin);
  return { admin, lines, ask: (path: string, how: Ask = {}) => ask(admin.address!.port, path, how) };
}

interface Ask {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly json: unknown;
}

async function ask(port: number, path: string, { method = 'GET', headers = {}, body }: Ask): Promise<Answer> {
  const sent = request({ host: '127.0.0.1', port, path, method, headers, agent: false });
  sent.end(body);
  const [response] = await once(sent, 'response');
  const content = await text(response);
  const type = response.headers['content-type'] ?? '';
  const json = type.startsWith('application/json') && content !== '' ? JSON.parse(content) : undefined;
  return { status: response.statusCode, headers: response.headers, text: content, json };
}

async function raw(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(bytes);
  return text(socket);
}

const JSON_TYPE = { 'content-type': 'application/json' };

describe('probes', () => {
  it('say that the process is alive', async () => {
    const { ask } = await serve();
    expect(await ask('/livez')).toMatchObject({ status: 200, json: { status: 'alive' } });
  });

  it('say that it is not ready, and why, check by check', async () => {
    let recovering = true;
    const { ask } = await serve({}, (admin) => {
      admin.check('storage', () => (recovering ? 'recovering' : undefined));
      admin.check('bus', () => undefined);
    });
    expect(await ask('/readyz')).toMatchObject({
      status: 503,
      json: {
        status: 'not_ready',
        reason: 'recovering',
        checks: { storage: { ok: false, reason: 'recovering' }, bus: { ok: true } },
      },
    });
    recovering = false;
    expect(await ask('/readyz')).toMatchObject({ status: 200, json: { status: 'ready' } });
  });

  it('count a check that throws or hangs as failed', async () => {
    const { ask } = await serve({ limits: { checkTimeoutMs: 50 } }, (admin) => {
      admin.check('throws', () => Promise.reject(new Error('no disk')));
      admin.check('hangs', () => new Promise(() => undefined));
    });
    expect((await ask('/readyz')).json).toMatchObject({
      checks: { throws: { reason: 'no disk' }, hangs: { reason: 'no answer in 50 ms' } },
    });
  });
});

describe('routes', () => {
  const routes = (admin: Admin): void => {
    admin.route('GET', '/queues', ({ query }) => ({ limit: query.get('limit') }));
    admin.route('GET', '/queues/all', () => 'literal');
    admin.route('GET', '/queues/:name', ({ params }) => ({ name: params.name, size: 2n ** 60n }));
    admin.route('POST', '/queues/:name', ({ body }) => reply(201, { body }));
    admin.route('DELETE', '/queues/:name', () => undefined);
    admin.route('POST', '/conflict', () => {
      throw new AdminError('conflict', 'the queue is open');
    });
    admin.route('GET', '/bug', () => {
      throw new Error('secret detail');
    });
    admin.route('GET', '/slow', () => new Promise(() => undefined));
  };

  it('answer JSON with path parameters and query', async () => {
    const { ask } = await serve({}, routes);
    expect(await ask('/queues?limit=5')).toMatchObject({ status: 200, json: { limit: '5' } });
    expect((await ask('/queues/a%20b')).json).toEqual({ name: 'a b', size: '1152921504606846976' });
    expect((await ask('/queues/all')).json).toBe('literal');
    const created = await ask('/queues/x', { method: 'POST', headers: JSON_TYPE, body: '{"a":1}' });
    expect(created).toMatchObject({ status: 201, json: { body: { a: 1 } } });
    expect(await ask('/queues/x', { method: 'DELETE' })).toMatchObject({ status: 204, text: '' });
  });

  it('answer HEAD like GET without the body', async () => {
    const { ask } = await serve({}, routes);
    const get = await ask('/queues');
    const head = await ask('/queues', { method: 'HEAD' });
    expect(head).toMatchObject({ status: 200, text: '' });
    expect(head.headers['content-length']).toBe(get.headers['content-length']);
  });

  it('answer what is not there, not allowed or broken with a code of the closed set', async () => {
    const { ask, lines } = await serve({ limits: { handlerTimeoutMs: 50 } }, routes);
    const code = async (path: string, how?: Ask) => {
      const { status, json } = await ask(path, how);
      return [status, (json as { error: { code: string } }).error.code];
    };
    expect(await code('/nothing')).toEqual([404, 'not_found']);
    expect(await code('/queues/')).toEqual([404, 'not_found']);
    expect(await code('/queues/%zz')).toEqual([400, 'bad_request']);
    expect(await code('/conflict', { method: 'POST' })).toEqual([409, 'conflict']);
    expect(await code('/slow')).toEqual([503, 'unavailable']);
    expect(await code('/queues/x', { method: 'PATCH' })).toEqual([405, 'method_not_allowed']);
    expect((await ask('/queues/x', { method: 'OPTIONS' })).headers.allow).toBe('GET, POST, DELETE, HEAD');
    expect(await code('/bug')).toEqual([500, 'internal']);
    expect((await ask('/bug')).text).not.toContain('secret detail');
    expect(lines.join('')).toContain('secret detail');
  });

  it('refuse a body that is no JSON or has another type', async () => {
    const { ask } = await serve({}, routes);
    const post = (headers: Record<string, string>, body: string) =>
      ask('/queues/x', { method: 'POST', headers, body });
    expect((await post(JSON_TYPE, '{')).status).toBe(400);
    expect((await post({ 'content-type': 'text/plain' }, '{}')).status).toBe(415);
  });

  it('refuse a body that is too large, announced or not', async () => {
    const { ask } = await serve({}, routes);
    const body = JSON.stringify('x'.repeat(2 * 1024 * 1024));
    const announced = await ask('/queues/x', {
      method: 'POST',
      headers: { ...JSON_TYPE, 'content-length': String(body.length) },
      body,
    });
    expect(announced).toMatchObject({ status: 413, json: { error: { code: 'body_too_large' } } });
    const chunked = await ask('/queues/x', {
      method: 'POST',
      headers: { ...JSON_TYPE, 'transfer-encoding': 'chunked' },
      body,
    });
    expect(chunked.status).toBe(413);
  });

  it('do not ask for a body that they would refuse', async () => {
    const { admin } = await serve({}, routes);
    const answer = await raw(
      admin.address!.port,
      'POST /queues/x HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\n' +
        'content-type: application/json\r\ncontent-length: 9999999\r\n\r\n',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  });

  it('are refused when they are declared wrongly', async () => {
    const { admin } = await serve({}, routes);
    const handler = () => undefined;
    expect(() => admin.route('GET', 'queues', handler)).toThrow('must look like');
    expect(() => admin.route('GET', '/queues/:name', handler)).toThrow('registered twice');
    expect(() => admin.route('PUT', '/queues/:id', handler)).toThrow('names its parameters unlike');
  });
});

describe('what a stranger sends', () => {
  it('is refused when headers are too large or are no HTTP', async () => {
    const { admin, ask } = await serve();
    const { port } = admin.address!;
    const large = await raw(
      port,
      `GET /livez HTTP/1.1\r\nhost: localhost\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`,
    );
    expect(large).toMatch(/^HTTP\/1\.1 431 [\s\S]*"headers_too_large"/);
    expect(await raw(port, 'get queue\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 [\s\S]*"bad_request"/);
    expect((await ask('/livez')).status).toBe(200);
  });

  it('is cut off when it does not arrive in time', async () => {
    const { admin } = await serve({ limits: { requestTimeoutMs: 100 } });
    expect(await raw(admin.address!.port, 'GET /livez HTTP/1.1\r\nhost: lo')).toMatch(/^HTTP\/1\.1 408 /);
  });

  it('is closed when there are too many connections', async () => {
    const { admin } = await serve({ limits: { connectionsMax: 1 } });
    const { port } = admin.address!;
    const first = connect(port, '127.0.0.1');
    await once(first, 'connect');
    await sleep(20);
    expect(await raw(port, '').catch(() => '')).toBe('');
    first.destroy();
  });
});

describe('web pages of others', () => {
  it('get nothing by a name that points to this machine', async () => {
    const { ask } = await serve({ allowedHosts: ['queue.example'] });
    const status = async (host: string) => (await ask('/livez', { headers: { host } })).status;
    expect(await status('evil.example')).toBe(421);
    expect(await status('127.0.0.1.evil.example')).toBe(421);
    expect(await status('localhost:1234')).toBe(200);
    expect(await status('[::1]:1234')).toBe(200);
    expect(await status('10.0.0.7:1234')).toBe(200);
    expect(await status('Queue.example')).toBe(200);
  });

  it('get nothing across origins, and no CORS headers', async () => {
    const { ask } = await serve();
    const crossed = await ask('/livez', { headers: { host: 'localhost', origin: 'https://evil.example' } });
    expect(crossed.status).toBe(403);
    expect(Object.keys(crossed.headers).join()).not.toContain('access-control');
    expect((await ask('/livez', { headers: { host: 'localhost', origin: 'null' } })).status).toBe(403);
    expect((await ask('/livez', { headers: { 'sec-fetch-site': 'cross-site' } })).status).toBe(403);
    const own = { host: 'localhost:1', origin: 'http://localhost:1', 'sec-fetch-site': 'same-origin' };
    expect((await ask('/livez', { headers: own })).status).toBe(200);
  });
});

describe('a token', () => {
  it('is needed before the server listens to the network', async () => {
    const log = createLogger({ name: 'test', level: 'silent' });
    await expect(createAdmin({ log, host: '0.0.0.0', port: 0 }).start()).rejects.toThrow(
      'admin_host 0.0.0.0 is open to the network: set admin_token, or listen on 127.0.0.1',
    );
  });

  it('opens everything, and without it there are only probes and pages', async () => {
    const { ask } = await serve(
      { host: '0.0.0.0', token: 'hunter2', metrics: createMetrics({ app: 'x' }) },
      (admin) => {
        admin.route('GET', '/queues', () => []);
        admin.page('/', '<p>hello</p>');
      },
    );
    const status = async (path: string, authorization?: string) =>
      (await ask(path, { headers: authorization === undefined ? {} : { authorization } })).status;
    expect(await status('/livez')).toBe(200);
    expect(await status('/readyz')).toBe(200);
    expect(await status('/')).toBe(200);
    expect(await status('/queues')).toBe(401);
    expect(await status('/metrics')).toBe(401);
    expect(await status('/nothing')).toBe(401);
    expect(await status('/queues', 'Bearer hunter')).toBe(401);
    expect(await status('/queues', 'Basic hunter2')).toBe(401);
    expect(await status('/queues', 'Bearer hunter2')).toBe(200);
    expect(await status('/nothing', 'Bearer hunter2')).toBe(404);
    expect((await ask('/queues')).headers['www-authenticate']).toBe('Bearer');
  });
});

describe('a page', () => {
  it('may run its own scripts and styles, and nothing else', async () => {
    const { ask } = await serve({}, (admin) => {
      admin.page('/', '<style>p{}</style><p>hello</p><script>alert(1)</script>');
    });
    const { headers, text } = await ask('/');
    expect(text).toContain('<p>hello</p>');
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    expect(headers['x-content-type-options']).toBe('nosniff');
    const policy = headers['content-security-policy'];
    expect(policy).toContain("script-src 'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='");
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
  });
});

/** A client of a feed, as a browser is one; it takes nothing until it is read. */
async function watch(port: number, path: string) {
  const sent = request({ host: '127.0.0.1', port, path, agent: false });
  sent.end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  // Where the server cuts it off, Node says so here, too, at a time of its own.
  response.on('error', () => undefined);
  sent.on('error', () => undefined);
  return {
    response,
    /** Reads until it has come; resolves to what was read. */
    async until(text: string): Promise<string> {
      response.setEncoding('utf8');
      let seen = '';
      while (!seen.includes(text)) {
        const part = response.read() as string | null;
        if (part === null) await once(response, 'readable');
        else seen += part;
      }
      return seen;
    },
    leave: () => sent.destroy(),
  };
}

describe('a feed', () => {
  it('gives who comes a snapshot, and then every update; a stop ends it after the last one', async () => {
    let feed: Feed | undefined;
    let state = 1;
    const { admin } = await serve({}, (admin) => {
      feed = admin.feed('/feed', () => ({ state }));
    });
    feed!.publish({ lost: 'nobody watches' });
    const watcher = await watch(admin.address!.port, '/feed');
    expect(watcher.response.headers['content-type']).toBe('text/event-stream');
    await watcher.until('"state":1');
    expect(feed!.watchers).toBe(1);
    state = 2;
    feed!.publish({ state: 'a\nb' });
    feed!.publish({ last: true });
    const stopped = admin.stop();
    expect(await text(watcher.response).then((rest) => `event: snapshot\ndata: {"state":1}\n\n${rest}`)).toBe(
      'event: snapshot\ndata: {"state":1}\n\n' +
        'event: update\ndata: {"state":"a\\nb"}\n\nevent: update\ndata: {"last":true}\n\n',
    );
    await stopped;
  });

  it('keeps little for a watcher that is slow: it misses updates, and gets a snapshot when it reads on', async () => {
    let feed: Feed | undefined;
    let number = 0;
    const { admin } = await serve({ limits: { feedBytesMax: 100_000 } }, (admin) => {
      feed = admin.feed('/feed', () => ({ at: number }));
    });
    const slow = await watch(admin.address!.port, '/feed');
    const quick = await watch(admin.address!.port, '/feed');
    const filling = 'x'.repeat(50_000);
    // More than sockets' buffers hold: 20 MB.
    for (; number < 400; number++) {
      feed!.publish({ number, filling });
      await quick.until(`"number":${number},`);
    }
    const seen = await slow.until('{"at":400}');
    expect(seen.length).toBeLessThan(15_000_000);
    expect(seen).not.toContain('"number":399,');
    slow.leave();
    quick.leave();
    await vi.waitFor(() => expect(feed!.watchers).toBe(0), { timeout: 10_000 });
  });

  it('cuts off who takes nothing at all', async () => {
    let feed: Feed | undefined;
    const { admin } = await serve({ limits: { feedBytesMax: 1000, feedStallMs: 50 } }, (admin) => {
      feed = admin.feed('/feed', () => 'x'.repeat(20_000_000));
    });
    const stuck = await watch(admin.address!.port, '/feed');
    await vi.waitFor(() => expect(feed!.watchers).toBe(0), { timeout: 10_000 });
    stuck.leave();
  });

  it('has room for so many watchers, all feeds together', async () => {
    const { admin, ask } = await serve({ limits: { feedWatchersMax: 1 } }, (admin) => {
      admin.feed('/one', () => 1);
      admin.feed('/other', () => 2);
    });
    const watcher = await watch(admin.address!.port, '/one');
    expect((await ask('/other')).status).toBe(503);
    watcher.leave();
  });

  it('answers each as it asked; on a refresh who has not taken the last snapshot is passed over', async () => {
    let feed: Feed | undefined;
    let made = 0;
    const { admin, ask } = await serve({}, (admin) => {
      feed = admin.feed('/feed', ({ query }) => {
        const name = query.get('name');
        if (name === null) throw new AdminError('bad_request', 'name: expected one');
        made++;
        return { name, made, filling: name === 'slow' ? 'x'.repeat(500_000) : '' };
      });
    });
    expect((await ask('/feed')).status).toBe(400);
    const slow = await watch(admin.address!.port, '/feed?name=slow');
    const quick = await watch(admin.address!.port, '/feed?name=quick');
    for (let round = 0; round < 200; round++) {
      feed!.refresh();
      const seen = await quick.until(`"made":${made},`);
      expect(seen).not.toContain('slow');
    }
    // What the sockets hold, and one more; not 200 of them.
    expect(made).toBeLessThan(260);
    slow.leave();
    await vi.waitFor(() => expect(feed!.watchers).toBe(1), { timeout: 10_000 });
    quick.leave();
  });

  it('needs the token', async () => {
    const { ask } = await serve({ token: 'hunter2' }, (admin) => void admin.feed('/feed', () => 1));
    expect((await ask('/feed')).status).toBe(401);
  });
});

describe('metrics', () => {
  it('are at /metrics', async () => {
    const { ask } = await serve({ metrics: createMetrics({ app: 'queue', version: '1.2.3' }) });
    const { headers, text } = await ask('/metrics');
    expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(text).toContain('rookery_queue_build_info{version="1.2.3"');
  });
});

describe('a stop', () => {
  it('lets a request finish and keeps no idle connection', async () => {
    const asked = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const { admin, ask } = await serve({}, (admin) => {
      admin.route('GET', '/slow', () => {
        asked.resolve();
        return release.promise.then(() => 'done');
      });
    });
    const idle = connect(admin.address!.port, '127.0.0.1');
    idle.write('GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n');
    const slow = ask('/slow');
    await asked.promise;
    const stopped = admin.stop();
    release.resolve();
    expect(await slow).toMatchObject({ json: 'done', headers: { connection: 'close' } });
    await stopped;
    idle.destroy();
  });

  it('cuts a request that outlives the deadline', async () => {
    const asked = Promise.withResolvers<void>();
    const { admin, ask } = await serve({}, (admin) => {
      admin.route('GET', '/slow', () => {
        asked.resolve();
        return new Promise(() => undefined);
      });
    });
    const slow = ask('/slow').catch((error: Error) => error);
    await asked.promise;
    await admin.stop({ remainingMs: () => 100, signal: new AbortController().signal });
    expect(await slow).toBeInstanceOf(Error);
  });

  it('of a port in use never begins: the start says what to do', async () => {
    const { admin } = await serve();
    const { port } = admin.address!;
    const log = createLogger({ name: 'test', level: 'silent' });
    await expect(createAdmin({ log, port }).start()).rejects.toThrow(
      `admin can't listen on 127.0.0.1:${port}: the port is taken: stop what listens there, or choose another port`,
    );
  });
});

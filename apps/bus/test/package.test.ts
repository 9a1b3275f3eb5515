import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import {
  browserAvailable,
  complaintsOf,
  installPacked,
  launchBrowser,
  type PackedApp,
  type RunningProcess,
  startProcess,
} from '@rookery/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';

// What users get: the tarball, installed in an empty folder, on the oldest Node that is promised.

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../..', import.meta.url));
/** Of the client for browsers, gzipped and not minified. */
const CLIENT_BYTES = 32 * 1024;
const systemdAnalyze = '/usr/bin/systemd-analyze';

let packed: PackedApp;
let app: string;
let daemon: RunningProcess;
let url: string;

const inApp = (name: string): string => packed.bin(name);

beforeAll(async () => {
  packed = await installPacked('apps/bus', ['@types/node@24']);
  app = packed.app;
  daemon = await startProcess({
    command: inApp('node'),
    args: [
      ...[inApp('rookery-bus'), 'daemon', '--name', 'h1', '--data', 'data', '--log-format', 'json'],
      ...['--listen', '127.0.0.1:0', '--ws', '127.0.0.1:0', '--admin-port', '0', '--ws-origins', '*'],
    ],
    cwd: app,
    readyPattern: /"websocket":"([^"]+)"/,
    readyWithinMs: 30_000,
  });
  url = daemon.ready![1]!;
}, 300_000);

afterAll(async () => {
  daemon?.kill('SIGTERM');
  const exit = await daemon?.waitForExit();
  await packed.folder.remove();
  expect(exit).toEqual({ code: 0, signal: null });
  expect(daemon.stderr).toBe('');
});

test('the packed bus runs from an empty folder, and its commands reach it', async () => {
  const bus = (...args: string[]) =>
    run(inApp('node'), [inApp('rookery-bus'), ...args], { env: { ...process.env, ROOKERY_BUS_URL: url } });
  const { stdout: flood } = await bus('flood', '--messages', '500', '--json');
  expect(flood).toContain('"messages":500');
  expect((await bus('groups')).stdout).toBe('Nobody is in any group.\n');
  expect((await bus('--version')).stdout.trim()).toMatch(/^\d+\.\d+\.\d+$/);
});

test('a program imports the packed daemon and client, with types', async () => {
  await writeFile(
    join(app, 'program.ts'),
    `import { BusDaemon } from '@rookery/bus';
import { type Bus, type Message, connect } from '@rookery/bus/client';
const bus: Bus = await connect(process.argv[2]!, { name: 'alice' });
const group = await bus.join('g');
await bus.multicast('g', 'hello');
for await (const event of group) {
  if (event.kind !== 'message') continue;
  const message: Message = event;
  console.log(message.sender, message.text);
  break;
}
await bus.close();
const listen = { host: '127.0.0.1', port: 0 };
const daemon = new BusDaemon({ settings: { listen, ws: listen, adminPort: 0, data: 'library-data' } });
await daemon.start();
console.log(typeof daemon.webSocketUrl, await daemon.stop());
`,
  );
  await writeFile(
    join(app, 'tsconfig.json'),
    JSON.stringify({
      compilerOptions: { module: 'nodenext', target: 'es2024', strict: true, noEmit: true, types: ['node'] },
      files: ['program.ts'],
    }),
  );
  await run(join(root, 'node_modules/.bin/tsc'), ['-p', join(app, 'tsconfig.json')], { cwd: app }).catch(
    (error: { stdout: string }) => expect.fail(error.stdout),
  );
  const { stdout } = await run(inApp('node'), ['program.ts', url], { cwd: app });
  expect(stdout).toBe('#alice#h1 hello\nstring 0\n');
});

test('the packed client imports nothing, so that any bundler and a browser take it', async () => {
  const client = await readFile(join(app, 'node_modules/@rookery/bus/dist/client.js'), 'utf8');
  expect(client.match(/^import .*|\b(?:import|require)\(.*/gm)).toBeNull();
  expect(client).not.toContain('node:');
});

test.skipIf(!browserAvailable())(
  'a page imports the packed client, and the daemon lets it in',
  async () => {
    const client = await readFile(join(app, 'node_modules/@rookery/bus/dist/client.js'));
    expect(gzipSync(client).length).toBeLessThan(CLIENT_BYTES);
    const server = createServer((request, response) => {
      const script = request.url === '/client.js';
      response.setHeader('content-type', script ? 'text/javascript' : 'text/html');
      response.end(script ? client : '<!doctype html><link rel="icon" href="data:,">');
    });
    const pages = `http://127.0.0.1:${await new Promise((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
    })}/`;
    const browser = await launchBrowser();
    try {
      const page = await browser.newPage();
      const problems = complaintsOf(page, /^$/);
      await page.goto(pages);
      const said = await page.evaluate(`(async () => {
  const { connect } = await import('/client.js');
  const bus = await connect('${url}', { name: 'tab' });
  const group = await bus.join('g');
  await group.multicast('x'.repeat(100_000));
  await group.multicast('hello from a page');
  const lengths = [];
  for await (const event of group) {
    if (event.kind === 'message' && lengths.push(event.text.length) === 2) break;
  }
  await bus.close();
  return lengths;
})()`);
      expect(said).toEqual([100_000, 17]);
      expect(problems).toEqual([]);
    } finally {
      await browser.close();
      server.close();
    }
  },
  60_000,
);

test.skipIf(!existsSync(systemdAnalyze))(
  'systemd takes the unit file of the package',
  async () => {
    const unit = join(app, 'node_modules/@rookery/bus/share/rookery-bus.service');
    expect((await run(systemdAnalyze, ['verify', unit])).stderr).toBe('');
  },
  60_000,
);

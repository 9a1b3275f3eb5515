import { execFile } from 'node:child_process';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { installPacked, type PackedApp, startProcess } from '@rookery/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';

// What users get: the tarball, installed in an empty folder, on the oldest Node that is promised.

const run = promisify(execFile);

let packed: PackedApp;
let app: string;

const inApp = (name: string): string => packed.bin(name);

beforeAll(async () => {
  packed = await installPacked('apps/deploy');
  app = packed.app;
}, 180_000);

afterAll(() => packed.folder.remove());

test('the packed deployer brings a tree from an empty folder to another', { timeout: 60_000 }, async () => {
  const tool = (...args: string[]) => run(inApp('node'), [inApp('rookery-deploy'), ...args], { cwd: app });
  const start = (ready: RegExp, ...args: string[]) =>
    startProcess({
      command: inApp('node'),
      args: [inApp('rookery-deploy'), ...args, '--json'],
      cwd: app,
      readyPattern: ready,
    });
  await mkdir(join(app, 'dist'));
  await writeFile(join(app, 'dist/index.html'), '<h1>here</h1>\n');
  await tool('keygen', '--out', 'key');
  await tool('pack', 'dist', '--app', 'shop', '--version', '1', '--key', 'key', '-o', 'shop.release');
  await using tracker = await start(/"url":"([^"]+)"/, 'tracker', '--listen', '127.0.0.1:0');
  const url = tracker.ready![1]!;
  await using origin = await start(/seeding/, 'seed', 'shop.release', 'dist', '--tracker', url);
  const { stderr } = await tool(
    ...['fetch', 'shop.release', '--to', 'to', '--trust', 'key.pub', '--tracker', url],
  );
  expect(await readFile(join(app, 'to/index.html'), 'utf8')).toBe('<h1>here</h1>\n');
  expect(stderr + origin.stderr + tracker.stderr).toBe('');
});

test('the packed deployer has the plugin for Capistrano where its page says', async () => {
  const page = await readFile(new URL('../../../docs/capistrano.md', import.meta.url), 'utf8');
  const [, path] = /require_relative "(node_modules\/[^"]+)"/.exec(page)!;
  const packedPlugin = await readFile(join(app, `${path}.rb`), 'utf8');
  expect(packedPlugin).toBe(await readFile(new URL('../capistrano/rookery.rb', import.meta.url), 'utf8'));
  // The program that it runs here stands beside it.
  expect((await stat(join(app, path!, '../../bin/rookery-deploy.js'))).mode & 0o111).not.toBe(0);
});

test('the packed library exports what programs need, and needs no other package', async () => {
  const program =
    "import { fetch, pack, seed, verify } from '@rookery/deploy'; console.log(typeof fetch, typeof pack, typeof seed, typeof verify);";
  const { stdout, stderr } = await run(inApp('node'), ['--input-type=module', '-e', program], { cwd: app });
  expect(stdout + stderr).toBe('function function function function\n');
  const { dependencies } = JSON.parse(
    await readFile(join(app, 'node_modules/@rookery/deploy/package.json'), 'utf8'),
  ) as { readonly dependencies?: object };
  expect(dependencies).toBeUndefined();
});

import { execFile } from 'node:child_process';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { installPacked, type PackedApp, startProcess } from '@rookery/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';

// What users get: the tarball, installed in an empty folder, on the oldest Node that is promised.

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../..', import.meta.url));

let packed: PackedApp;
let app: string;

const inApp = (name: string): string => packed.bin(name);

beforeAll(async () => {
  packed = await installPacked('apps/deploy', ['@types/node@24']);
  app = packed.app;
}, 300_000);

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

test('npx finds the command by its name', { timeout: 60_000 }, async () => {
  const { stdout } = await run('npx', ['--no-install', 'rookery-deploy', '--help'], {
    cwd: app,
    env: { ...process.env, PATH: `${join(app, 'node_modules/.bin')}:${process.env.PATH}` },
  });
  expect(stdout).toMatch(/^Usage: rookery-deploy .* push .* rollback /s);
});

test('a program imports the packed library, with types, and needs no other package', {
  timeout: 120_000,
}, async () => {
  await writeFile(
    join(app, 'program.ts'),
    `import { type Agent, type AgentSettings, createAgent, fetch, generateKeys, type Host, loadInventory, pack,
  type Packed, parsePublicKey, parseSigningKey, push, type Pushed, type PushEvent, seed, verify } from '@rookery/deploy';
import { mkdir, writeFile } from 'node:fs/promises';
const { privatePem, publicPem } = generateKeys();
await mkdir('tree');
await writeFile('tree/hello', 'hello');
const packed: Packed = await pack({ source: { folder: 'tree' }, app: 'a', version: '1', key: parseSigningKey(privatePem) });
await writeFile('hosts.toml', \`[hosts.one]\\nroot = "\${process.cwd()}/one"\\n\`);
const hosts: Host[] = await loadInventory({ file: 'hosts.toml' });
const states: string[] = [];
const { outcome }: Pushed = await push({
  release: packed.bytes,
  tree: 'tree',
  trust: [parsePublicKey(publicPem)],
  hosts,
  onEvent: (event: PushEvent) => event.event === 'host' && states.push(event.state),
});
console.log(outcome, states.at(-1));
const settings: Partial<AgentSettings> = { listen: { host: '127.0.0.1', port: 0 }, roots: ['/srv/shop'], adminPort: 0 };
const agent = (): Agent => createAgent({ settings });
try { agent(); } catch (error) { console.log((error as { code: string }).code); }
console.log(typeof fetch, typeof seed, typeof verify);
`,
  );
  await writeFile(
    join(app, 'tsconfig.json'),
    JSON.stringify({
      compilerOptions: {
        module: 'nodenext',
        target: 'es2024',
        strict: true,
        noEmit: true,
        types: ['node'],
        skipLibCheck: false,
      },
      files: ['program.ts'],
    }),
  );
  await run(join(root, 'node_modules/.bin/tsc'), ['-p', join(app, 'tsconfig.json')], { cwd: app }).catch(
    (error: { stdout: string }) => expect.fail(error.stdout),
  );
  const { stdout, stderr } = await run(inApp('node'), ['program.ts'], { cwd: app });
  expect(stdout + stderr).toBe('deployed done\nSETTING_INVALID\nfunction function function\n');
  const { dependencies } = JSON.parse(
    await readFile(join(app, 'node_modules/@rookery/deploy/package.json'), 'utf8'),
  ) as { readonly dependencies?: object };
  expect(dependencies).toBeUndefined();
});

test('the licenses of what is bundled in are in the package', async () => {
  const licenses = await readFile(join(app, 'node_modules/@rookery/deploy/dist/LICENSES.txt'), 'utf8');
  for (const name of ['webtorrent', 'commander', 'zod']) expect(licenses).toContain(`\n${name} `);
  expect(licenses).toMatch(/permission is hereby granted/i);
});

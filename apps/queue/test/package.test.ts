import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { installPacked, type PackedApp, startProcess } from '@rookery/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectText } from './text-client.ts';

// What users get: the tarballs, installed in an empty folder, on the oldest Node that is promised.

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../..', import.meta.url));

let packed: PackedApp;
let app: string;

beforeAll(async () => {
  packed = await installPacked('apps/queue', ['@types/node@24']);
  app = packed.app;
}, 300_000);

afterAll(() => packed.folder.remove());

test('the packed queue runs with npx from an empty folder, keeps a message and stops cleanly', async () => {
  await using server = await startProcess({
    command: join(app, 'node_modules/.bin/node'),
    args: [join(app, 'node_modules/.bin/rookery-queue'), 'serve', '--port', '0', '--admin-port', '0'],
    cwd: app,
    readyPattern: /"port":(\d+).*"msg":"listening/,
  });
  const client = await connectText(Number(server.ready?.[1]));
  expect(await client.line('set q 7 0 2\r\nhi\r\n')).toBe('STORED');
  expect(await client.values('get q\r\n')).toEqual([{ key: 'q', flags: 7, body: 'hi' }]);
  client.destroy();
  server.kill('SIGTERM');
  expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
  expect(server.stderr).toBe('');
});

test('npx finds the command by its name', async () => {
  const { stdout } = await run('npx', ['--no-install', 'rookery-queue', '--version'], {
    cwd: app,
    env: { ...process.env, PATH: `${join(app, 'node_modules/.bin')}:${process.env.PATH}` },
  });
  expect(stdout.trim()).toMatch(/^\d+\.\d+\.\d+$/);
});

test('a program imports the packed queue, with types', async () => {
  await writeFile(
    join(app, 'program.ts'),
    `import { QueueServer } from '@rookery/queue';
import { connect, json, type Message, type OpenMessage, type QueueClient } from '@rookery/queue/client';
const server = new QueueServer({ settings: { port: 0, adminPort: 0, data: 'library-data' } });
await server.start();
const port: number = server.address!.port;
console.log(port > 0 ? 'started' : 'no port');
const client: QueueClient = await connect({ host: '127.0.0.1', port });
const numbers = client.queue('numbers', { codec: json<{ n: number }>() });
await numbers.put({ n: 1 });
const seen: Message<{ n: number }> | undefined = await numbers.peek();
for await (const message of numbers.consume({ open: true, prefetch: 16 })) {
  const open: OpenMessage<{ n: number }> = message;
  await open.acknowledge();
  console.log(open.value.n + (seen?.value.n ?? 0));
  break;
}
await client.close();
const code: number = await server.stop();
console.log('stopped', code);
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
  const { stdout } = await run(join(app, 'node_modules/.bin/node'), ['program.ts'], { cwd: app });
  expect(stdout).toBe('started\n2\nstopped 0\n');
});

test('the packed client brings nothing of the server along', async () => {
  const dist = join(app, 'node_modules/@rookery/queue/dist');
  const imported = new Set<string>();
  const follow = async (file: string): Promise<void> => {
    const source = await readFile(join(dist, file), 'utf8');
    for (const [, from] of source.matchAll(/^(?:import|export) .*from "([^"]+)"/gm)) {
      if (from!.startsWith('./')) await follow(from!.slice(2));
      else imported.add(from!);
    }
  };
  await follow('client.js');
  expect([...imported].filter((name) => !name.startsWith('node:'))).toEqual([]);
});

test('programs import the packed protocol, storage and service packages, with types', async () => {
  const packages = join(packed.folder.path, 'packages');
  await mkdir(packages);
  await writeFile(
    join(packages, 'package.json'),
    JSON.stringify({ name: 'packages', private: true, type: 'module' }),
  );
  const tarballs = [];
  for (const name of ['protocol', 'storage', 'service']) tarballs.push(await packed.pack(`packages/${name}`));
  await packed.npm(packages, 'install', ...tarballs, '@types/node@24');
  await writeFile(
    join(packages, 'program.ts'),
    `import { createRequestDecoder } from '@rookery/protocol/memcache';
import { parseBytes } from '@rookery/service';
import { nodeDisk, openLog } from '@rookery/storage';
const decoder = createRequestDecoder();
decoder.push(Buffer.from('get q\\r\\n'));
console.log(decoder.next()?.kind, parseBytes('1KiB'));
const log = await openLog({ disk: nodeDisk, directory: 'log', sync: 'always' });
const stream = log.createStream('s');
stream.append(Buffer.from('a'), Buffer.from('b'), 0, 1);
await log.sync();
console.log(stream.liveCount);
await log.close();
`,
  );
  await writeFile(
    join(packages, 'tsconfig.json'),
    JSON.stringify({
      compilerOptions: {
        module: 'nodenext',
        target: 'es2024',
        strict: true,
        noEmit: true,
        types: ['node'],
        skipLibCheck: true,
      },
      files: ['program.ts'],
    }),
  );
  await run(join(root, 'node_modules/.bin/tsc'), ['-p', join(packages, 'tsconfig.json')], {
    cwd: packages,
  }).catch((error: { stdout: string }) => expect.fail(error.stdout));
  const { stdout } = await run(join(app, 'node_modules/.bin/node'), ['program.ts'], { cwd: packages });
  expect(stdout).toBe('get 1024\n1\n');
}, 120_000);

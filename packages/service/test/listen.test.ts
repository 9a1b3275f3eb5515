import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempDisposable, stat } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { closeServer, listenUnix } from '../src/index.ts';

const HOLDER = `
  const server = require('node:net').createServer();
  server.listen({ path: process.argv[1], backlog: 1 }, () => process.stdout.write('listening'));`;

it('a unix socket that a killed server left behind is taken over', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'rookery-listen-'));
  const path = join(folder.path, 'socket');
  const holder = spawn(process.execPath, ['--eval', HOLDER, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(holder.stdout, 'data');
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  const server = createServer();
  await listenUnix(server, 'x', path);
  await closeServer(server);
});

it('a unix socket whose server is too busy to answer is not taken from it', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'rookery-listen-'));
  const path = join(folder.path, 'socket');
  const holder = spawn(process.execPath, ['--eval', HOLDER, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  const waiting: ReturnType<typeof connect>[] = [];
  try {
    await once(holder.stdout, 'data');
    holder.kill('SIGSTOP');
    const { ino } = await stat(path);
    // Until nobody else may wait.
    for (let refused = false; !refused; ) {
      const client = connect(path);
      waiting.push(client);
      refused = await new Promise((resolve) => {
        client.once('connect', () => resolve(false));
        client.once('error', () => resolve(true));
      });
    }
    await expect(listenUnix(createServer(), 'x', path)).rejects.toMatchObject({ code: 'LISTEN_FAILED' });
    expect((await stat(path)).ino).toBe(ino);
  } finally {
    for (const client of waiting) client.destroy();
    holder.kill('SIGKILL');
  }
});

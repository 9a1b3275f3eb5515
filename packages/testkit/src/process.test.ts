import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { freePort, freeUdpPort } from './ports.ts';
import { killAtRandomMoment, startProcess } from './process.ts';
import { Random } from './random.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { waitFor } from './wait.ts';

const node = process.execPath;

test('a program is ready when it says so, and its output is kept', async () => {
  await using child = await startProcess({
    command: node,
    args: [
      '-e',
      "console.error('hello'); console.log('port ' + process.env.PORT); setInterval(() => {}, 1000)",
    ],
    env: { PORT: '4711' },
    readyPattern: /port (\d+)/,
  });
  expect(child.ready?.[1]).toBe('4711');
  await waitFor(() => child.stderr.includes('hello'), { what: 'the greeting' });
  child.kill('SIGTERM');
  expect(await child.waitForExit()).toEqual({ code: null, signal: 'SIGTERM' });
});

test('a program that ends too early or is not there says so', async () => {
  const early = startProcess({
    command: node,
    args: ['-e', "console.log('oh'); process.exit(3)"],
    readyPattern: /ready/,
  });
  await expect(early).rejects.toThrow(/exit code 3.*\n*oh/);
  await expect(startProcess({ command: '/no/such/program' })).rejects.toThrow('ENOENT');
});

test('a killer kills', async () => {
  await using child = await startProcess({ command: node, args: ['-e', 'setInterval(() => {}, 1000)'] });
  const exit = await killAtRandomMoment(child, new Random(1), { fromMs: 1, toMs: 30 });
  expect(exit).toEqual({ code: null, signal: 'SIGKILL' });
});

test('waiting says what for, and what else it knows', async () => {
  const never = waitFor(() => false, { what: 'the moon', withinMs: 20, detail: () => 'it is day' });
  await expect(never).rejects.toThrow('Waited 20 ms for the moon: it did not happen\nit is day');
  expect(await waitFor(async () => 5, { what: 'five' })).toBe(5);
});

test('a free port can be listened on, and is none that the system gives to others', async () => {
  const port = await freePort();
  const dialled = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split('\t').map(Number);
  for (const one of [port, await freeUdpPort()]) expect(one < dialled[0]! || one > dialled[1]!).toBe(true);
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  expect(await freePort()).not.toBe(port);
  await new Promise((resolve) => server.close(resolve));
});

test('a temporary folder is gone after its block', async () => {
  let path = '';
  {
    await using folder = await temporaryFolder();
    path = folder.path;
    expect(existsSync(path)).toBe(true);
  }
  expect(existsSync(path)).toBe(false);
});

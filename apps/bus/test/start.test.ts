import { execFile } from 'node:child_process';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type RunningProcess, startProcess, type TemporaryFolder, temporaryFolder } from '@rookery/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';

// `npm start` after its installing and building, on the built apps.

const root = fileURLToPath(new URL('../../..', import.meta.url));

let folder: TemporaryFolder;
beforeEach(async () => {
  folder = await temporaryFolder('rookery-start-');
});
afterEach(() => folder.remove());

function start(queueFlags: readonly string[], readyPattern?: RegExp): Promise<RunningProcess> {
  const bus = ['--listen', '127.0.0.1:0', '--ws', '127.0.0.1:0', '--admin-port', '0'];
  return startProcess({
    command: process.execPath,
    args: [
      ...[`${root}scripts/start.mjs`, ...queueFlags, '--data', `${folder.path}/queue`],
      ...['--bus', ...bus, '--data', `${folder.path}/bus`],
      ...['--tracker', '--listen', '127.0.0.1:0', '--ui', '127.0.0.1:0'],
    ],
    readyWithinMs: 30_000,
    ...(readyPattern === undefined ? {} : { readyPattern }),
  });
}

test('npm start runs the queue and the bus, and what it tells to try works', async () => {
  await using started = await start(['--port', '0', '--admin-port', '0'], /Ctrl-C stops it all/);
  const [, sub, pub] = /^ {2}npx (rookery-bus sub .*)\n {2}npx (rookery-bus pub .*)$/m.exec(started.stdout)!;
  const run = (line: string, ...more: string[]) =>
    promisify(execFile)('npx', [...line.split(' '), ...more], { cwd: root });
  const subscribed = run(sub!, '--count', '1');
  // A message before the subscription is nobody's.
  let heard = false;
  void subscribed.finally(() => {
    heard = true;
  });
  while (!heard) await run(pub!);
  expect((await subscribed).stdout).toBe('hello\n');
  expect(started.stdout).toMatch(/queue listens on 127\.0\.0\.1:\d+/);
  started.kill('SIGTERM');
  expect(await started.waitForExit()).toEqual({ code: 0, signal: null });
});

test('when one of the two can’t start, npm start stops the other and fails', async () => {
  const occupied = createServer();
  await new Promise<void>((resolve) => occupied.listen(0, '127.0.0.1', resolve));
  const { port } = occupied.address() as { port: number };
  await using started = await start(['--port', String(port), '--admin-port', '0']);
  const { code } = await started.waitForExit(30_000);
  occupied.close();
  expect(code).toBe(1);
  expect(started.stderr).toMatch(/rookery-queue: .*the port is taken/);
  expect(started.stderr).toContain('Rookery’s queue has ended; stopping the rest');
  expect(started.stderr).not.toContain('bus has ended');
});

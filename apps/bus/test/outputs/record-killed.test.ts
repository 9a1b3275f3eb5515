import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { Random, type RunningProcess, startProcess, temporaryFolder, waitFor } from '@rookery/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect } from '../../src/client/index.ts';
import { busCommand } from '../cli/bus-command.ts';
import { type DaemonProcess, startDaemon } from '../daemon-process.ts';

// ROOKERY_TEST_KILLS=50 is the full size.
const KILLS = Number(process.env.ROOKERY_TEST_KILLS ?? 3);
const SEED = Number(process.env.ROOKERY_TEST_SEED ?? Date.now() % 1_000_000);
/** A recorder writes and syncs some files in it. */
const LIFE_MS = 400;

let daemon: DaemonProcess;
beforeAll(async () => {
  daemon = await startDaemon({ flags: ['--keep', 'plain', '--keep', 'gzip'] });
});
afterAll(async () => {
  expect(await daemon.stop()).toBe(0);
});

/** What is recorded, in order, whatever the recorder was doing when it was killed. */
async function recorded(folder: string, group: string): Promise<string> {
  const index = await readFile(join(folder, `${group}.files`), 'utf8').catch(() => '');
  const files = index.split('\n').filter((name) => name !== '');
  const texts = files.map(async (line) => {
    const path = join(folder, line.replace(/^part (.*)$/, '$1.part'));
    return existsSync(`${path}.gz`)
      ? gunzipSync(await readFile(`${path}.gz`)).toString()
      : await readFile(path, 'utf8').catch(() => '');
  });
  return (await Promise.all(texts)).join('');
}

test.for([
  ['plain', ['--sync', '100ms']],
  ['gzip', ['--sync', '10ms', '--compress']],
] as const)(
  `a recorder that is killed ${KILLS} times has recorded each message once, in order: %s`,
  { timeout: 60_000 + KILLS * 10_000 },
  async ([group, flags]) => {
    await using folder = await temporaryFolder('rookery-record-');
    const random = new Random(SEED);
    const start = (): Promise<RunningProcess> =>
      startProcess({
        ...busCommand(
          ...['record', group, '-d', folder.path, '--max-bytes', '16KiB', '--from', 'start', ...flags],
          ...['--url', daemon.webSocketUrl],
        ),
        readyPattern: /recording \S+ in/,
        readyWithinMs: 30_000,
      });
    const bus = await connect(daemon.webSocketUrl);
    let published = 0;
    const timer = setInterval(() => {
      for (let count = 0; count < 5; count++) bus.send(group, `message ${published++}`);
    }, 2);
    try {
      for (let kill = 0; kill < KILLS; kill++) {
        await using recorder = await start();
        await new Promise((resolve) => setTimeout(resolve, random.between(0, LIFE_MS)));
        recorder.kill('SIGKILL');
        await recorder.waitForExit();
      }
    } finally {
      clearInterval(timer);
    }
    await bus.multicast(group, `message ${published++}`);
    await using last = await start();
    await waitFor(async () => (await recorded(folder.path, group)).endsWith(` ${published - 1}\n`), {
      what: 'the last message',
      withinMs: 30_000,
      detail: () => last.output,
    });
    last.kill('SIGINT');
    expect(await last.waitForExit()).toMatchObject({ code: 130 });
    const lines = (await recorded(folder.path, group)).split('\n');
    const wanted = Array.from({ length: published }, (_, index) => `message ${index}`);
    expect(lines, `seed ${SEED}`).toEqual([...wanted, '']);
    await bus.close();
  },
);

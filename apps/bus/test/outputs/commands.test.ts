import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type RunningProcess, startProcess, temporaryFolder, waitFor } from '@rookery/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect } from '../../src/client/index.ts';
import { frame } from '../../src/monitor/monitor.ts';
import { lockRecording } from '../../src/record/lock.ts';
import { busCommand, runBus } from '../cli/bus-command.ts';
import { type DaemonProcess, startDaemon } from '../daemon-process.ts';

let daemon: DaemonProcess;
beforeAll(async () => {
  daemon = await startDaemon({ flags: ['--keep', 'kept'] });
});
afterAll(async () => {
  expect(await daemon.stop()).toBe(0);
});

test('record writes what comes to its groups, each to its own file, and finishes with what it has', async () => {
  await using folder = await temporaryFolder();
  await using recording = await startProcess({
    ...busCommand(
      ...['record', 'a', 'b', '-d', folder.path, '--url', daemon.webSocketUrl],
      ...['--file-name', '%g.log', '--max-bytes', '1KiB'],
    ),
    readyPattern: /recording a b in/,
    readyWithinMs: 30_000,
  });
  const bus = await connect(daemon.webSocketUrl);
  for (let index = 0; index < 200; index++) bus.send(index % 10 === 0 ? ['a', 'b'] : 'a', `line ${index}`);
  await bus.multicast('a', 'last');
  const all = async (group: string): Promise<string> => {
    const names = (await readdir(folder.path)).filter((name) => name.startsWith(`${group}.log`));
    const number = (name: string): number => Number(/\.log\.(\d+)/.exec(name)?.[1] ?? 0);
    names.sort((x, y) => number(x) - number(y));
    // One that has ended is renamed between the two looks.
    const read = (name: string): Promise<string> => readFile(join(folder.path, name), 'utf8').catch(() => '');
    return (await Promise.all(names.map(read))).join('');
  };
  await waitFor(async () => (await all('a')).endsWith('last\n'), { what: 'the last line' });
  recording.kill('SIGINT');
  expect(await recording.waitForExit()).toMatchObject({ code: 130 });
  expect(await all('a')).toBe(
    `${Array.from({ length: 200 }, (_, index) => `line ${index}\n`).join('')}last\n`,
  );
  expect((await all('b')).split('\n')).toHaveLength(21);
  await bus.close();
});

test('a second recorder of a group in one folder is stopped; it may begin when the first was killed', async () => {
  await using folder = await temporaryFolder();
  const args = (group: string) => ['record', group, '-d', folder.path, '--url', daemon.webSocketUrl];
  const start = (group: string): Promise<RunningProcess> =>
    startProcess({ ...busCommand(...args(group)), readyPattern: /recording \S+ in/, readyWithinMs: 30_000 });
  await using first = await start('kept');
  const second = await runBus(args('kept'));
  expect(second.code).toBe(1);
  expect(second.stderr).toContain(`another process records kept in ${folder.path}`);
  await expect(lockRecording('kept', folder.path)).rejects.toMatchObject({ code: 'ALREADY_RECORDED' });
  await using other = await start('a');
  other.kill('SIGINT');
  first.kill('SIGKILL');
  await first.waitForExit();
  await using third = await start('kept');
  third.kill('SIGINT');
  expect(await third.waitForExit()).toMatchObject({ code: 130 });
});

test('monitor tells a line a second where there is no terminal, and fits the screen where there is', async () => {
  await using watching = await startProcess({
    ...busCommand('monitor', '--admin-url', daemon.adminUrl),
    readyPattern:
      /^\S+Z d1 operational daemons=1 groups=\d+ sessions=\d+ in=\d+\/s out=\d+\/s waiting=\S+\n/m,
    readyWithinMs: 40_000,
  });
  watching.kill('SIGINT');
  expect(await watching.waitForExit()).toEqual({ code: 130, signal: null });
  const drawn = frame('one\ntwo is long\nthree\n', new Date(0), { rows: 3, columns: 5 });
  expect(drawn.split('\r\n')).toHaveLength(3);
  expect(drawn).toContain('two i\x1b[K');
});

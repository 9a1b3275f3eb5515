import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startProcess, temporaryFolder, waitFor } from '@rookery/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type DaemonProcess, startDaemon } from '../daemon-process.ts';
import { busCommand, jsonLines, runBus, shellCommand, startSub, untilMembers } from './bus-command.ts';

let daemon: DaemonProcess;
const tokens = 'first-token\n';

beforeAll(async () => {
  daemon = await startDaemon();
});
afterAll(async () => {
  expect(await daemon.stop()).toBe(0);
});

const pub = (...args: string[]) => runBus(['pub', '--url', daemon.webSocketUrl, ...args]);

test('what pub is given comes out of sub, a line each, and sub ends after --count', async () => {
  await using sub = await startProcess(
    busCommand('sub', '--url', daemon.webSocketUrl, 'greetings', '--count', '2'),
  );
  await untilMembers(daemon, 'greetings', 1);
  expect(await pub('-g', 'greetings', 'hello', 'world')).toEqual({ code: 0, stdout: '', stderr: '' });
  expect(await pub('-g', 'greetings', '-g', 'elsewhere', 'bye')).toMatchObject({ code: 0 });
  expect(await sub.waitForExit()).toEqual({ code: 0, signal: null });
  expect(sub.stdout).toBe('hello world\nbye\n');
  expect(sub.stderr).toBe('');
});

test('with --json each event is one object a line, bytes that are no text in base64', async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'bytes');
  await writeFile(file, Buffer.from([0xff, 0, 0x0a]));
  await using sub = await startSub(daemon, 'json', 'second', '--name', 'reader', '--count', '2');
  await pub('-g', 'json', '--service', 'safe', '--key', 'k', '--type', '7', 'héllo');
  await runBus(['pub', '-g', 'elsewhere', '-g', 'second'], {
    env: { ROOKERY_BUS_URL: daemon.webSocketUrl },
    stdin: file,
  });
  expect(await sub.waitForExit()).toEqual({ code: 0, signal: null });
  const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  const sender = expect.stringMatching(/^#r\w+#d1$/);
  expect(jsonLines(sub.stdout)).toEqual([
    { event: 'ready', time, session: '#reader#d1', groups: ['json', 'second'] },
    {
      ...{ event: 'message', time, group: 'json', groups: ['json'], sender },
      ...{ service: 'safe', message_type: 7, key: 'k', text: 'héllo' },
    },
    {
      ...{ event: 'message', time, group: 'second', groups: ['elsewhere', 'second'], sender },
      ...{ service: 'agreed', message_type: 0, key: null, base64: '/wAK' },
    },
  ]);
});

test('--members tells who comes and goes; Ctrl-C leaves, and ends with 130', async () => {
  await using first = await startSub(daemon, 'room', '--members', '--name', 'first');
  await using second = await startSub(daemon, 'room', '--name', 'second');
  second.kill('SIGINT');
  expect(await second.waitForExit()).toEqual({ code: 130, signal: null });
  expect(second.stderr).toBe('');
  await waitFor(() => first.stdout.includes('"cause":"leave"'), { what: 'the view without it' });
  first.kill('SIGTERM');
  expect(await first.waitForExit()).toEqual({ code: 143, signal: null });
  const views = jsonLines(first.stdout).filter(({ event }) => event === 'view');
  expect(views.map(({ cause, changed, members }) => ({ cause, changed, members }))).toEqual([
    { cause: 'join', changed: '#first#d1', members: ['#first#d1'] },
    { cause: 'join', changed: '#second#d1', members: ['#first#d1', '#second#d1'] },
    { cause: 'leave', changed: '#second#d1', members: ['#first#d1'] },
  ]);
});

test('--lines publishes each line as it is, in order, and all of them', async () => {
  await using folder = await temporaryFolder();
  const [input, output] = [join(folder.path, 'in'), join(folder.path, 'out')];
  const lines = Array.from({ length: 20_000 }, (_, index) => `${index} ${'\u{1f426}'.repeat(index % 50)}`);
  await writeFile(input, `${lines.join('\n')}\n\nlast`);
  await using sub = await startProcess({
    command: 'sh',
    args: [
      '-c',
      `${shellCommand('sub', '--url', daemon.webSocketUrl, 'lines', '--count', '20002')} > '${output}'`,
    ],
  });
  await untilMembers(daemon, 'lines', 1);
  expect(
    await runBus(['pub', '--url', daemon.webSocketUrl, '-g', 'lines', '--lines'], { stdin: input }),
  ).toEqual({
    ...{ code: 0, stdout: '', stderr: '' },
  });
  expect(await sub.waitForExit()).toEqual({ code: 0, signal: null });
  expect((await readFile(output)).equals(Buffer.concat([await readFile(input), Buffer.from('\n')]))).toBe(
    true,
  );
});

test('what is called wrongly ends with 2, what fails with 1, each with one line that says what to do', async () => {
  const wrong = [
    ['pub', 'text'],
    ['pub', '-g', 'g', '--type', '65536', 'text'],
    ['pub', '-g', 'g', '--lines', 'text'],
    ['pub', '--url', daemon.webSocketUrl, '-g', 'no spaces', 'text'],
    ['sub'],
    ['sub', 'g', '--url', 'http://127.0.0.1:1'],
    ['sub', 'g', '--token-file', '/nowhere'],
  ];
  const rans = await Promise.all(wrong.map((args) => runBus(args)));
  for (const [index, ran] of rans.entries()) {
    const args = wrong[index]!;
    expect(ran, args.join(' ')).toMatchObject({ code: 2, stdout: '' });
    expect(ran.stderr, args.join(' ')).toMatch(/^rookery-bus: .+\n$/);
  }
  const nobody = await runBus(['pub', '--url', 'ws://127.0.0.1:1', '-g', 'g', 'text']);
  expect(nobody).toMatchObject({ code: 1, stdout: '' });
  expect(nobody.stderr).toMatch(/^rookery-bus: ws:\/\/127\.0\.0\.1:1: .*Is a daemon running there\?.*\n$/);
});

test('a daemon that wants a token takes the one of the environment, its file, or --token-file', async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'tokens');
  await writeFile(file, `# who may\n${tokens}`);
  await using guarded = await startDaemon({ flags: ['--token-file', file] });
  const url = ['--url', guarded.webSocketUrl];
  const refused = await runBus(['pub', ...url, '-g', 'g', 'text']);
  expect(refused).toMatchObject({ code: 1 });
  expect(refused.stderr).toContain('--token-file');
  expect(await runBus(['pub', ...url, '-g', 'g', '--token-file', file, 'text'])).toMatchObject({ code: 0 });
  const environments = [{ ROOKERY_BUS_TOKEN: 'first-token' }, { ROOKERY_BUS_TOKEN_FILE: file }];
  for (const env of environments) {
    expect(await runBus(['pub', ...url, '-g', 'g', 'text'], { env })).toMatchObject({ code: 0 });
  }
});

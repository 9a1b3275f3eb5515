import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, type RunningProcess, startProcess, temporaryFolder } from '@rookery/testkit';
import { expect, test } from 'vitest';
import { run } from '../src/cli.ts';
import { plant } from './support.ts';

const PROGRAM = fileURLToPath(new URL('./swarm/program.ts', import.meta.url));
const page = await readFile(new URL('../../../docs/run-the-deployer.md', import.meta.url), 'utf8');

function between(from: string, to: string): string {
  return page.slice(page.indexOf(from) + from.length, page.indexOf(to, page.indexOf(from) + from.length));
}

/** The page's commands, in their order, as arguments. */
const COMMANDS = between('<!-- by hand -->\n```sh\n', '```')
  .trim()
  .split('\n')
  .map((line) => line.split(' ').slice(1));

type Fields = Readonly<Record<string, unknown>>;

test('the commands of the page on running the deployer do what it says, in its order', {
  timeout: 180_000,
}, async () => {
  await using work = await temporaryFolder();
  await plant(work.path, {
    'dist/index.html': '<h1>shop</h1>\n',
    'dist/bin/run': { executable: '#!/bin/sh\n' },
  });
  const port = String(await freePort());
  await using stack = new AsyncDisposableStack();
  const events: Fields[] = [];
  const note = ({ stdout }: RunningProcess): void => {
    events.push(
      ...stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Fields),
    );
  };
  const running: RunningProcess[] = [];
  for (const command of COMMANDS) {
    const args = [...command.map((one) => one.replaceAll('7070', port)), '--json'];
    const stays = args[0] === 'tracker' || args[0] === 'seed';
    const process = stack.use(
      await startProcess({
        command: globalThis.process.execPath,
        args: ['--conditions=@rookery/source', PROGRAM, ...args],
        cwd: work.path,
        ...(stays ? { readyPattern: /"listening"|"seeding"/, readyWithinMs: 60_000 } : {}),
      }),
    );
    if (stays) running.push(process);
    else {
      expect(await process.waitForExit(90_000), `${args.join(' ')}\n${process.output}`).toMatchObject({
        code: 0,
      });
      note(process);
    }
  }
  for (const process of running) {
    process.kill('SIGTERM');
    expect(await process.waitForExit(60_000)).toMatchObject({ code: 143 });
    note(process);
  }
  expect(await readFile(join(work.path, 'releases/1.4.2/index.html'), 'utf8')).toBe('<h1>shop</h1>\n');

  // Each event stands in the table, and so do its fields.
  const rows = new Map(
    [...between('<!-- events -->', '<!-- /events -->').matchAll(/^\| `(\w+)` \| (.*) \|$/gm)].map(
      ([, name, text]) => [name, text!],
    ),
  );
  const release = rows.get('release')!;
  for (const { event, ...fields } of events) {
    const row = rows.get(String(event));
    const text = row?.includes('what `release` has') === true ? row + release : row;
    for (const field of Object.keys(fields)) expect(text, `${event}: ${field}`).toContain(`\`${field}\``);
  }
  const seen = new Set(events.map(({ event }) => event));
  for (const name of [
    'keys',
    'packed',
    'release',
    'entry',
    'listening',
    'seeding',
    'done',
    'stopped',
    'verified',
  ]) {
    expect(seen).toContain(name);
  }
});

test('the page has every command, option and code of an error', async () => {
  const help = async (...args: string[]): Promise<string> => {
    let text = '';
    const stream = { write: (part: string) => (text += part) };
    await run([...args, '--help'], { stdout: stream, stderr: stream });
    return text;
  };
  const commands = [...(await help()).matchAll(/^ {2}([a-z]+) \[options\]/gm)].map(([, name]) => name!);
  expect(commands).toEqual(expect.arrayContaining(COMMANDS.map(([name]) => name)));
  for (const command of new Set(COMMANDS.map(([name]) => name!))) {
    const options = [
      ...(await help(command)).replace('--help', '').matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm),
    ].map(([, name]) => name!);
    expect(options).toContain('--json');
    for (const option of options) expect(page, `${command} ${option}`).toContain(option);
  }
  const source = await readFile(new URL('../src/errors.ts', import.meta.url), 'utf8');
  const closed = source.slice(source.indexOf('ReleaseErrorCode ='), source.indexOf(';'));
  const codes = [...closed.matchAll(/^ {2}\| '([a-z-]+)'/gm)].map(([, code]) => code!);
  expect(codes).toContain('stalled');
  for (const code of codes) expect(page).toContain(`\`${code}\``);
});

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startProcess, temporaryFolder } from '@rookery/testkit';
import { expect, test } from 'vitest';
import { commandServer, shellCommand } from './queue-command.ts';

const page = fileURLToPath(new URL('../../../../docs/run-the-queue.md', import.meta.url));

test('the session of the page on running the queue prints what it says', async () => {
  await using folder = await temporaryFolder();
  await using server = await commandServer(join(folder.path, 'data'));
  const session = /```console\n([\s\S]*?)```/.exec(await readFile(page, 'utf8'))![1]!;
  const steps = session
    .split(/^\$ /m)
    .slice(1)
    .map((step) => {
      const [line, ...printed] = step.split('\n');
      return { line: line!, printed: printed.join('\n') };
    });
  expect(steps.length).toBeGreaterThan(10);
  for (const { line, printed } of steps) {
    const script = `rookery-queue() { ${shellCommand()} "$@"; }; ${line}`;
    await using ran = await startProcess({ command: 'bash', args: ['-c', script], env: server.env });
    await ran.waitForExit(120_000);
    expect([line, ran.stdout, ran.stderr]).toEqual([line, printed, '']);
  }
}, 300_000);

test('every command and flag has a line of help, and the page names every command', async () => {
  await using help = await startProcess({ command: 'bash', args: ['-c', `${shellCommand()} --help`] });
  await help.waitForExit(120_000);
  const names = [...help.stdout.matchAll(/^ {2}([a-z]+) \[options\]/gm)].map((match) => match[1]!);
  expect(names.length).toBeGreaterThan(15);
  const text = await readFile(page, 'utf8');
  expect(
    names.filter((name) => !new RegExp(`\`(rookery-queue )?${name}\\b|rookery/queue ${name}`).test(text)),
  ).toEqual([]);
}, 120_000);

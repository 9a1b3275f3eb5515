import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describeSettings, loadSettings } from '@rookery/service';
import { freePort, startProcess, temporaryFolder, waitFor } from '@rookery/testkit';
import { expect, test } from 'vitest';
import { settingsDefinition } from '../src/settings.ts';
import { busCommand, runBus, shellCommand } from './cli/bus-command.ts';
import { startInProcess } from './in-process.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const page = `${root}docs/run-the-bus.md`;

function blocks(markdown: string, language: string): string[] {
  return [...markdown.matchAll(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, 'g'))].map(
    (match) => match[1]!,
  );
}

function settingsTable(): string {
  const rows = describeSettings(settingsDefinition).map(
    ({ key, flag, environment, default: shown, description, reason }) =>
      `| \`${key}\` | ${flag === undefined ? '–' : `\`${flag}\``} | \`${environment}\` | ${key === 'name' ? 'the machine’s name' : shown} | ${description}. ${reason} |`,
  );
  return [
    '| in TOML | flag | environment | default | what, and why so |',
    '|---|---|---|---|---|',
    ...rows,
  ].join('\n');
}

// ROOKERY_TEST_UPDATE_DOCS=1 writes the table anew.
test('the page on running the bus lists every setting as it is', async () => {
  const text = await readFile(page, 'utf8');
  const wanted = text.replace(
    /(<!-- settings -->\n)[\s\S]*(<!-- \/settings -->)/,
    (_, start: string, end: string) => `${start}${settingsTable()}\n${end}`,
  );
  expect(wanted).toContain('ROOKERY_BUS_LISTEN');
  if (process.env.ROOKERY_TEST_UPDATE_DOCS === '1') await writeFile(page, wanted);
  else expect(text).toBe(wanted);
});

test('the settings files that the page shows are taken as they stand', async () => {
  await using folder = await temporaryFolder();
  const config = join(folder.path, 'bus.toml');
  const files = blocks(await readFile(page, 'utf8'), 'toml');
  expect(files.length).toBeGreaterThan(2);
  for (const file of files) {
    await writeFile(config, file);
    expect(loadSettings(settingsDefinition, { flags: { config }, environment: {} }).warnings).toEqual([]);
  }
});

test('the ring that the page shows comes up as its commands stand, on other ports', async () => {
  await using folder = await temporaryFolder();
  const shown = /<!-- ring -->\n```sh\n([\s\S]*?)```/.exec(await readFile(page, 'utf8'))![1]!;
  const [a, b, status] = (await onFreePorts(shown)).trim().split('\n');
  const [first, second] = await Promise.all(
    [a!, b!].map((line) =>
      startProcess({
        ...busCommand(...line.split(' ').slice(1), '--log-format', 'json'),
        cwd: folder.path,
        readyPattern: /"msg":"listening/,
        readyWithinMs: 30_000,
      }),
    ),
  );
  await using daemon = first!;
  await using _other = second!;
  const env = { ROOKERY_BUS_ADMIN_URL: /"admin":"([^"]+)"/.exec(daemon.stdout)![1]! };
  await waitFor(
    async () =>
      (await runBus(status!.split(' ').slice(1), { env })).stdout.includes('operational, 2 daemons'),
    { what: 'a ring of two' },
  );
});

/** Each port of the commands another one that is free; the first daemon's, which it has by default, in flags. */
async function onFreePorts(commands: string): Promise<string> {
  const first = '--listen 127.0.0.1:4803 --ws 127.0.0.1:4804 --admin-port 4806';
  const all = commands.replace(/^.* --name a .*$/m, (line) => `${line} ${first}`);
  const ports = new Map<string, number>();
  for (const port of new Set(all.match(/\b48\d\d\b/g))) ports.set(port, await freePort());
  return all.replaceAll(/\b48\d\d\b/g, (port) => String(ports.get(port)));
}

test('the README’s two commands and its program do what they say', async () => {
  const readme = await readFile(`${root}README.md`, 'utf8');
  const { url } = await startInProcess({ name: 'h1' });
  const session = blocks(readme, 'sh').find((block) => block.includes('rookery-bus sub'))!;
  const [sub, pub] = [...session.matchAll(/^npx rookery-bus (.*?) +#/gm)].map((match) =>
    match[1]!.split(' '),
  );
  const env = { ROOKERY_BUS_URL: url };
  await using heard = await startProcess({
    command: 'sh',
    args: ['-c', `${shellCommand(...sub!, '--count', '1')}`],
    env,
  });
  while (heard.exit === undefined) expect((await runBus(pub!, { env })).code).toBe(0);
  expect(heard.stdout).toBe('hello\n');
  const program = blocks(readme, 'ts').find((block) => block.includes('@rookery/bus/client'))!;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [
      ...['--conditions=@rookery/source', '--input-type=module-typescript', '--eval'],
      program.replace('ws://127.0.0.1:4804', url),
    ],
    { cwd: fileURLToPath(new URL('..', import.meta.url)) },
  );
  expect(stdout).toBe('1 in the group\n');
});

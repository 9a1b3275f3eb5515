import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { temporaryFolder } from '@rookery/testkit';
import { expect, test } from 'vitest';
import { DEFAULT_SETTINGS } from '../../src/client/index.ts';
import { QueueServer } from '../../src/index.ts';

const path = (name: string): string => fileURLToPath(new URL(`../../../../${name}`, import.meta.url));
const page = path('docs/queue-client.md');
const text = await readFile(page, 'utf8');
const examples = [...text.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1]!);

test.each(examples.map((example, index) => [index + 1, example]))(
  'example %i of the page on the client prints what it says, with a real server',
  async (_, example) => {
    await using folder = await temporaryFolder();
    const server = new QueueServer({
      settings: { port: 0, adminPort: 0, data: join(folder.path, 'server') },
    });
    await server.start();
    const { host, port } = server.address!;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [
        ...['--conditions=@rookery/source', '--input-type=module-typescript', '--eval'],
        example
          .replaceAll('127.0.0.1:22122', `${host}:${port}`)
          .replaceAll("'./jobs'", JSON.stringify(join(folder.path, 'jobs'))),
      ],
      { cwd: path('apps/queue') },
    ).finally(() => server.stop());
    // A line that is printed again and again names all it prints.
    const told = [...example.matchAll(/console\.log\(.*\);?,? ?\/\/ (.*)/g)].flatMap((match) =>
      match[1]!.startsWith('{') ? [match[1]!] : match[1]!.split(', '),
    );
    expect(told.length).toBeGreaterThan(0);
    expect(stdout.trim().split('\n').sort()).toEqual(told.sort());
  },
  60_000,
);

const comment = (said: string): string => said.replaceAll(/\s*\n\s*\*?\s*/g, ' ').trim();

async function settingsTable(): Promise<string> {
  const source = await readFile(path('apps/queue/src/client/options.ts'), 'utf8');
  const rows = Object.entries(DEFAULT_SETTINGS).map(([name, value]) => {
    const said = new RegExp(`/\\*\\*((?:(?!\\*/)[\\s\\S])*)\\*/\\s+readonly ${name}:`).exec(source)![1]!;
    return `| \`${name}\` | ${value === Number.POSITIVE_INFINITY ? 'endless' : value.toLocaleString('en-US')} | ${comment(said)} |`;
  });
  return ['| name | default | |', '|---|---|---|', ...rows].join('\n');
}

async function errorsTable(): Promise<string> {
  const source = await readFile(path('apps/queue/src/client/errors.ts'), 'utf8');
  const rows = [...source.matchAll(/\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s+\| '(\w+)'/g)].map(
    ([, said, name]) => `| \`${name}\` | ${comment(said!)} |`,
  );
  return ['| code | meaning |', '|---|---|', ...rows].join('\n');
}

// ROOKERY_TEST_UPDATE_DOCS=1 writes the tables anew.
test('the page lists every setting and every error as it is', async () => {
  const replace = (where: string, name: string, table: string): string =>
    where.replace(
      new RegExp(`<!-- ${name} -->\\n[\\s\\S]*<!-- /${name} -->`),
      () => `<!-- ${name} -->\n${table}\n<!-- /${name} -->`,
    );
  const wanted = replace(replace(text, 'settings', await settingsTable()), 'errors', await errorsTable());
  expect(wanted).toContain('| `retryMs` | 50 |');
  expect(wanted).toContain('| `OUTCOME_UNKNOWN` |');
  if (process.env.ROOKERY_TEST_UPDATE_DOCS === '1') await writeFile(page, wanted);
  else expect(text).toBe(wanted);
});

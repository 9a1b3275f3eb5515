import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describeSettings } from '@rookery/service';
import { temporaryFolder } from '@rookery/testkit';
import { expect, test } from 'vitest';
import { settingsDefinition } from '../src/settings.ts';
import { startQueue } from './queue-process.ts';

const path = (name: string): string => fileURLToPath(new URL(`../../../${name}`, import.meta.url));
const python = '/usr/bin/python3';
const hasPymemcache = existsSync('/usr/lib/python3/dist-packages/pymemcache');
const mustRun = process.env.ROOKERY_TEST_REQUIRE_CLIENTS === '1';

/** The first fenced block of the language. */
function block(markdown: string, language: string): string {
  return new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``).exec(markdown)![1]!;
}

function settingsTable(): string {
  const rows = describeSettings(settingsDefinition).map(
    ({ key, flag, environment, default: shown, description, reason }) =>
      `| \`${key}\` | ${flag === undefined ? '–' : `\`${flag}\``} | \`${environment}\` | ${shown} | ${description}. ${reason} |`,
  );
  return [
    '| in TOML | flag | environment | default | what, and why so |',
    '|---|---|---|---|---|',
    ...rows,
  ].join('\n');
}

// ROOKERY_TEST_UPDATE_DOCS=1 writes the table anew.
test('the page on running the queue lists every setting as it is', async () => {
  const page = path('docs/run-the-queue.md');
  const text = await readFile(page, 'utf8');
  const wanted = text.replace(
    /(<!-- settings -->\n)[\s\S]*(<!-- \/settings -->)/,
    (_, start: string, end: string) => `${start}${settingsTable()}\n${end}`,
  );
  expect(wanted).toContain('ROOKERY_QUEUE_PORT');
  if (process.env.ROOKERY_TEST_UPDATE_DOCS === '1') await writeFile(page, wanted);
  else expect(text).toBe(wanted);
});

test.skipIf(!hasPymemcache && !mustRun)(
  'the README’s session answers what its comments say (needs Debian’s python3-pymemcache)',
  async () => {
    await using folder = await temporaryFolder();
    const server = await startQueue({ dataDirectory: folder.path });
    try {
      const session = block(await readFile(path('README.md'), 'utf8'), 'python');
      const { stdout } = await promisify(execFile)(python, [
        '-c',
        session.replace('22122', String(server.port)),
      ]);
      const told = [...session.matchAll(/^print\(.*\)\s+# (b'\w+'|None)/gm)].map((match) => match[1]);
      expect(told.length).toBeGreaterThan(2);
      expect(stdout.trim().split('\n')).toEqual(told);
    } finally {
      await server.kill();
    }
  },
);

test('the examples of the READMEs that import the queue run as they stand', async () => {
  for (const page of ['README.md', 'apps/queue/README.md']) {
    await using folder = await temporaryFolder();
    const example = block(await readFile(path(page), 'utf8'), 'ts').replace(
      "'./jobs'",
      JSON.stringify(folder.path),
    );
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--conditions=@rookery/source', '--input-type=module-typescript', '--eval', example],
      { cwd: path('apps/queue') },
    );
    expect(stdout, page).toMatch(/host: '127.0.0.1', port: \d+/);
  }
});

import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { temporaryFolder } from '@rookery/testkit';
import { expect, test } from 'vitest';
import { DEFAULT_SETTINGS } from '../../src/client/index.ts';
import { startInProcess } from '../in-process.ts';

const path = (name: string): string => fileURLToPath(new URL(`../../../../${name}`, import.meta.url));
const page = path('docs/bus-client.md');
const text = await readFile(page, 'utf8');
const examples = [...text.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1]!);

test.each(examples.map((example, index) => [index + 1, example]))(
  'example %i of the page on the client prints what it says, with a real daemon',
  async (_, example) => {
    const { url } = await startInProcess({ name: 'h1' });
    await using folder = await temporaryFolder();
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [
        '--conditions=@rookery/source',
        '--input-type=module-typescript',
        '--eval',
        example.replaceAll('ws://127.0.0.1:4804', url).replaceAll('./spool', folder.path),
      ],
      { cwd: path('apps/bus') },
    );
    const told = [...example.matchAll(/console\.log\(.*\);? ?\/\/ (.*)|console\.log\(.*\), \/\/ (.*)/g)].map(
      (match) => match[1] ?? match[2]!,
    );
    expect(told.length).toBeGreaterThan(0);
    // A line that is printed again and again names all it prints.
    const wanted = told.flatMap((line) => (line.startsWith('connecting') ? line.split(', ') : [line]));
    expect(stdout.trim().split('\n').sort()).toEqual(wanted.sort());
  },
);

// ROOKERY_TEST_UPDATE_DOCS=1 writes the table anew.
test('the page lists every setting as it is', async () => {
  const source = await readFile(path('apps/bus/src/client/options.ts'), 'utf8');
  const rows = Object.entries(DEFAULT_SETTINGS).map(([name, value]) => {
    const comment = new RegExp(`/\\*\\*((?:(?!\\*/)[\\s\\S])*)\\*/\\s+readonly ${name}:`).exec(source)![1]!;
    const said = comment.replaceAll(/\s*\n\s*\*?\s*/g, ' ').trim();
    return `| \`${name}\` | ${value === Number.POSITIVE_INFINITY ? 'endless' : value.toLocaleString('en-US')} | ${said} |`;
  });
  const wanted = text.replace(
    /<!-- settings -->\n[\s\S]*<!-- \/settings -->/,
    `<!-- settings -->\n| name | default | |\n|---|---|---|\n${rows.join('\n')}\n<!-- /settings -->`,
  );
  if (process.env.ROOKERY_TEST_UPDATE_DOCS === '1') await writeFile(page, wanted);
  else expect(text).toBe(wanted);
});

import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { temporaryFolder } from '@rookery/testkit';
import { expect, test } from 'vitest';

const packageFolder = fileURLToPath(new URL('..', import.meta.url));

test('the example of the README runs and prints what it says', async () => {
  await using folder = await temporaryFolder();
  const readme = await readFile(`${packageFolder}README.md`, 'utf8');
  const example = /```ts\n([\s\S]*?)```/.exec(readme)![1]!;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [
      ...['--conditions=@rookery/source', '--input-type=module-typescript', '--eval'],
      example.replace("'./bus'", JSON.stringify(folder.path)),
    ],
    { cwd: packageFolder },
  );
  const told = [...example.matchAll(/console\.log\(.*\); \/\/ (.*)/g)].map((match) => match[1]);
  expect(told.length).toBe(2);
  expect(stdout.trim().split('\n')).toEqual(told);
});

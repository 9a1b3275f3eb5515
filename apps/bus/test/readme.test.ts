import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const packageFolder = fileURLToPath(new URL('..', import.meta.url));

test('the example of the README runs and prints what it says', async () => {
  const readme = await readFile(`${packageFolder}README.md`, 'utf8');
  const example = /```ts\n([\s\S]*?)```/.exec(readme)![1]!;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--conditions=@rookery/source', '--input-type=module-typescript', '--eval', example],
    { cwd: packageFolder },
  );
  expect(stdout).toBe('[ 7 ]\n');
});

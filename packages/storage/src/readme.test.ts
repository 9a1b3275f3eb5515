import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { temporaryFolder } from '@rookery/testkit';
import { expect, test } from 'vitest';

test("the README's example runs", async () => {
  await using folder = await temporaryFolder();
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  const example = /```ts\n(.*?)```/s.exec(readme)![1]!;
  const index = new URL('./index.ts', import.meta.url).href;
  const path = join(folder.path, 'example.mts');
  await writeFile(path, example.replace('@rookery/storage', index));
  for (const first of [true, false]) {
    const { stdout } = await promisify(execFile)(process.execPath, [path], { cwd: folder.path });
    expect(stdout).toContain(`${first ? 1 : 2} two coffees`);
    expect(stdout).toContain('is on the device');
  }
});

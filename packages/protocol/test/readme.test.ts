import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { expect, it } from 'vitest';
import * as memcache from '../src/memcache/index.ts';

it("the README's example prints what it says", () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const example = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  const body = stripTypeScriptTypes(
    example.replace(/^import (\{.*\}) from '@rookery\/protocol\/memcache';$/m, 'const $1 = memcache;'),
  );
  const printed: string[] = [];
  new Function('memcache', 'console', body)(memcache, { log: (text: string) => printed.push(text) });
  expect(printed).toEqual([/console\.log\(.*\); \/\/ (.*)/.exec(example)?.[1]]);
});

it('the README has every limit with its default', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  for (const [name, value] of Object.entries(memcache.DEFAULT_LIMITS)) {
    const row = readme.split('\n').find((line) => line.startsWith(`| \`${name}\` |`));
    const shown = value === 16 * 1024 * 1024 ? '16 MiB' : value.toLocaleString('en-US');
    expect(row).toContain(shown);
  }
});

import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { describe, expect, it } from 'vitest';
import * as bus from '../src/bus/index.ts';
import * as memcache from '../src/memcache/index.ts';
import * as spread from '../src/spread/index.ts';
import * as websocket from '../src/websocket/index.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const examples = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1] ?? '');
const wires: Record<string, unknown> = { bus, memcache, spread, websocket };
const IMPORT = /^import (\{.*\}) from '@rookery\/protocol\/(\w+)';$/m;

describe("the README's examples print what they say", () => {
  it.each(examples.map((example) => [IMPORT.exec(example)?.[2] ?? 'no import', example]))(
    '%s',
    (name, example) => {
      const body = stripTypeScriptTypes(example.replace(IMPORT, 'const $1 = wire;'));
      const printed: string[] = [];
      new Function('wire', 'console', body)(wires[name], { log: (text: string) => printed.push(text) });
      expect(printed).toEqual([/console\.log\(.*\); \/\/ (.*)/.exec(example)?.[1]]);
    },
  );
});

it('the README has every limit with its default', () => {
  const limits = { ...memcache.DEFAULT_LIMITS, ...spread.DEFAULT_LIMITS, ...websocket.DEFAULT_LIMITS };
  for (const [name, value] of Object.entries(limits)) {
    const row = readme.split('\n').find((line) => line.startsWith(`| \`${name}\` |`));
    const shown = value === 16 * 1024 * 1024 ? '16 MiB' : value.toLocaleString('en-US');
    expect(row).toContain(shown);
  }
});

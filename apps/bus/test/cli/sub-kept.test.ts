import { expect, it } from 'vitest';
import { place } from '../../src/cli/flags.ts';
import { parseFilters } from '../../src/cli/sub-kept.ts';
import { connect } from '../../src/client/index.ts';
import { startInProcess } from '../in-process.ts';
import { runBus } from './bus-command.ts';

it('sub --from and --filter print what was kept, and say where to go on', { timeout: 60_000 }, async () => {
  const { url } = await startInProcess({ name: 'h1', keep: ['log'] });
  const bus = await connect(url);
  for (const text of ['one', '{"status":404}', 'three']) await bus.multicast('log', text, { key: 'k' });
  const run = (...args: string[]) => runBus(['sub', 'log', '--url', url, ...args]);
  const first = await run('--from', 'start', '--count', '2');
  expect(first.stdout).toBe('one\n{"status":404}\n');
  const cursor = /--from (1_\S+)/.exec(first.stderr)?.[1];
  expect((await run('--from', cursor!, '--count', '1')).stdout).toBe('three\n');
  const [json] = (await run('--from=-3', '--filter', '.status=404', '--count', '1', '--json')).stdout.split(
    '\n',
  );
  expect(JSON.parse(json!)).toMatchObject({ event: 'message', sequence: 2, group: 'log', key: 'k' });
  expect((await runBus(['sub', 'other', '--url', url, '--from', '1'])).stderr).toContain('no daemon keeps');
  await bus.close();
});

it('a beginning and a filter are told from what is none', () => {
  expect(place('17')).toEqual({ sequence: 17 });
  expect(place('-5')).toEqual({ last: 5 });
  expect(place('2026-11-22T10:00Z')).toEqual({ timeMs: Date.UTC(2026, 10, 22, 10) });
  expect(() => place('yesterday')).toThrow('It is start, now');
  expect(parseFilters(['key=a*', 'word=disk full', '.a.b=1', '.a.b=x'])).toEqual({
    keys: ['a*'],
    words: ['disk full'],
    fields: { 'a.b': [1, '1', 'x'] },
  });
  expect(parseFilters(['nothing'])).toBeUndefined();
});

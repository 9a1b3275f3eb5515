import { randomUUID } from 'node:crypto';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type RunningProcess,
  startProcess,
  type TemporaryFolder,
  temporaryFolder,
  waitFor,
} from '@rookery/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { historyFolder } from '../../src/history/folder.ts';
import type { DeploymentRecord, HostRecord, Note } from '../../src/history/record.ts';
import { createRecorder } from '../../src/history/recorder.ts';
import { rollbackBegun, rollbackEnded } from '../../src/history/rollback.ts';
import { createHistory } from '../../src/history/store.ts';
import { type FailureCode, HostError } from '../../src/host/errors.ts';
import { recorded } from '../progress/recorded.ts';
import { createWorld, type TestRelease, type World } from '../rollout/world.ts';

const PROGRAM = fileURLToPath(new URL('../swarm/program.ts', import.meta.url));
const SLOW = 120_000;
const NOBODY = { pid: 1, startedAt: null, bootId: 'another boot' };

let folder: TemporaryFolder;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

const newFolder = (): string => join(folder.path, randomUUID());

/** The notes that are taken of a recorded push. */
function notesOf(name: 'good' | 'bad'): Note[] {
  const recorder = createRecorder({
    folder: '/srv',
    process: NOBODY,
    time: () => '2026-01-01T00:00:09.000Z',
  });
  return recorded(name).flatMap((event) => recorder.handle(event, event.at) ?? []);
}

describe('what is kept of a push', () => {
  test('who, what, when, from where, and of each host its state, bytes and times, and the reason if it failed', async () => {
    const history = createHistory(newFolder());
    for (const note of notesOf('bad')) await history.write(note);
    const [deployment] = await history.list();
    expect(deployment).toMatchObject({
      by: 'ann@laptop',
      folder: '/srv',
      app: 'shop',
      version: '1.5.0',
      outcome: 'failed',
      hosts: 8,
      ended_at: '2026-01-01T00:00:09.000Z',
      counts: { reverted: 2, failed: 1, fetched: 5 },
    });
    const hosts = await history.hosts(deployment!.id);
    expect(hosts.map(({ host }) => host)).toEqual(Array.from({ length: 8 }, (_, index) => `web${index + 1}`));
    expect(hosts[0]).toMatchObject({ state: 'reverted', wave: 1, step: 'check', code: 'check-failed' });
    expect(hosts[0]!.switch_seconds).toBeCloseTo(3.1, 1);
    expect(hosts[2]).toMatchObject({ state: 'failed', wave: null, code: 'hook-failed', fetched_bytes: 0 });
    const { payload_bytes: payload } = deployment!;
    for (const { state, fetched_bytes: fetched, reused_bytes: reused, fetch_seconds: seconds } of hosts) {
      if (state === 'failed') continue;
      expect(fetched + reused).toBe(payload);
      // Nearly all of it is in the release before.
      expect(reused).toBeGreaterThan(payload / 2);
      expect(seconds).toBeGreaterThan(0);
    }
  });

  test('what was written before its process was killed stays, and is not taken for more than it is', async () => {
    const history = createHistory(newFolder());
    const notes = notesOf('good');
    for (const note of notes.slice(0, 3)) await history.write(note);
    const [deployment] = await history.list();
    expect(deployment).toMatchObject({ outcome: null, ended_at: null });
    const states = (await history.hosts(deployment!.id)).map(({ state }) => state);
    expect(states[0]).toBe('healthy');
    expect(states).toHaveLength(8);
  });
});

const record = (id: string, began: string): DeploymentRecord => ({
  ...notesOf('good').at(-1)!.deployment,
  id,
  began_at: began,
});
const host = (name: string): HostRecord => ({ ...notesOf('good').at(-1)!.hosts[0]!, host: name });

test('only so many are kept, and none that is too old', async () => {
  const history = createHistory(newFolder(), { kept: 3, keptMs: 10 * 24 * 3_600_000 });
  for (const day of ['01', '20', '21', '22', '23', '24']) {
    await history.write({
      deployment: record(`of-${day}`, `2026-01-${day}T00:00:00.000Z`),
      hosts: [host('a')],
    });
    if (day === '21') expect((await history.list()).map(({ id }) => id)).toEqual(['of-21', 'of-20']);
  }
  expect((await history.list()).map(({ id }) => id)).toEqual(['of-24', 'of-23', 'of-22']);
  expect(await history.hosts('of-21')).toEqual([]);
});

test('one that is begun by a clock that is years ahead leaves the others where they are', async () => {
  const history = createHistory(newFolder());
  const ids = async (): Promise<string[]> => (await history.list()).map(({ id }) => id);
  for (const [id, time] of [
    ['a', '2026-01-01'],
    ['b', '2026-01-02'],
    ['ahead', '2099-01-01'],
    ['c', '2026-01-03'],
  ] as const) {
    await history.write({ deployment: record(id, `${time}T00:00:00.000Z`), hosts: [host('a')] });
  }
  expect(await ids()).toEqual(['ahead', 'c', 'b', 'a']);
});

test('ten thousand hosts, with long reasons', async () => {
  const history = createHistory(newFolder());
  const message = '\u6f22'.repeat(500);
  const hosts = Array.from({ length: 10_000 }, (_, index) => ({ ...host(`web${index}`), message }));
  await history.write({ deployment: record('many', '2026-01-01T00:00:00.000Z'), hosts });
  expect(await history.hosts('many')).toHaveLength(10_000);
});

test('several pushes write at a time', async () => {
  const path = newFolder();
  const writers = Array.from({ length: 8 }, (_, index) =>
    createHistory(path).write({
      deployment: record(`d${index}`, `2026-01-0${index + 1}T00:00:00.000Z`),
      hosts: [host('a')],
    }),
  );
  await Promise.all(writers);
  expect(await createHistory(path).list()).toHaveLength(8);
});

test('it lies in the user’s state folder, unless another one is named', () => {
  expect(historyFolder(undefined, { XDG_STATE_HOME: '/state' })).toBe('/state/rookery-deploy/history');
  expect(historyFolder(undefined, { XDG_STATE_HOME: 'relative' })).toMatch(
    /\/\.local\/state\/rookery-deploy\/history$/,
  );
  expect(historyFolder(undefined, { ROOKERY_DEPLOY_HISTORY: '/named' })).toBe('/named');
  expect(historyFolder('/given', { ROOKERY_DEPLOY_HISTORY: '/named' })).toBe('/given');
  expect(historyFolder('none', {})).toBeUndefined();
});

test('a host that went back and isn’t well, and one that fell silent, are not taken for others', () => {
  const begun = rollbackBegun({
    id: 'one',
    by: 'ann@laptop',
    folder: '/srv',
    process: NOBODY,
    began_at: '2026-01-02T03:04:05.000Z',
    hosts: ['a', 'b', 'c', 'd'],
    target: { name: '1.0', id: null, app: null, version: null },
  });
  expect(begun.hosts.map(({ state }) => state)).toEqual(Array(4).fill('waiting'));
  const error = (code: FailureCode): HostError => new HostError(code, 'why');
  const ended = (cancelled: boolean) =>
    rollbackEnded(
      begun,
      [
        { host: 'a', step: 'check' },
        { host: 'b', step: 'check', error: error('check-failed') },
        { host: 'c', step: 'rollback', error: error('vanished') },
        { host: 'd', step: 'rollback', error: error('no-previous') },
      ],
      { at: '2026-01-02T03:04:06.000Z', seconds: 1, cancelled },
    );
  expect(ended(false).hosts.map(({ state, step, code }) => [state, step, code])).toEqual([
    ['done', null, null],
    ['checking', 'check', 'check-failed'],
    ['stuck', 'rollback', 'vanished'],
    ['failed', 'rollback', 'no-previous'],
  ]);
  expect(ended(false).deployment).toMatchObject({
    outcome: 'partial',
    counts: { done: 1, checking: 1, stuck: 1, failed: 1 },
  });
  expect(ended(true).deployment.outcome).toBe('cancelled');
});

describe('the commands', { timeout: SLOW }, () => {
  let world: World;
  let one: TestRelease;
  let two: TestRelease;
  beforeAll(async () => {
    world = await createWorld();
    one = await world.release('1.0');
    two = await world.release('2.0');
  });
  afterAll(() => world[Symbol.asyncDispose]());

  async function inventory(hooks: string): Promise<string> {
    const path = world.at(randomUUID());
    await mkdir(path);
    const roots = ['web1', 'web2'].map((name) => `[hosts.${name}]\nroot = "${join(path, name)}"\n`);
    await writeFile(join(path, 'hosts.toml'), `[defaults.hooks]\n${hooks}\n${roots.join('')}`);
    return join(path, 'hosts.toml');
  }
  const rookery = (...args: string[]): Promise<RunningProcess> =>
    startProcess({ command: process.execPath, args: ['--conditions=@rookery/source', PROGRAM, ...args] });
  const push = (hosts: string, history: string, release = one): Promise<RunningProcess> =>
    rookery(
      ...['push', release.file, '--tree', release.tree, '--trust', world.trustFile, '--hosts', hosts],
      ...['--wave', '1', '--history', history],
    );
  const asked = async (...args: string[]): Promise<string> => {
    await using command = await rookery(...args);
    expect(await command.waitForExit(SLOW), command.output).toMatchObject({ code: 0 });
    return command.stdout;
  };

  test('a push is listed while it runs, as unfinished when it was killed, and with its outcome when it went on', async () => {
    const history = newFolder();
    expect(await asked('history', '--history', history)).toBe('No deployments yet.\n');
    const go = newFolder();
    // The second wave lasts until it is let go, whatever the commands that look at it take.
    const hosts = await inventory(
      `published = "[ $ROOKERY_HOST = web1 ] || while [ ! -e ${go} ]; do sleep 0.05; done"`,
    );
    {
      await using cut = await push(hosts, history);
      await waitFor(() => cut.stdout.includes('Wave 2 of 2: started'), {
        what: 'the second wave',
        withinMs: 60_000,
        detail: () => cut.output,
      });
      expect(await asked('history', '--history', history)).toMatch(/shop 1\.0 {2}running {2}2 hosts/);
      cut.kill('SIGKILL');
      await cut.waitForExit();
    }
    const listed = await asked('history', '--history', history);
    expect(listed).toMatch(
      /^[0-9a-f]{8} {2}\d{4}-\d\d-\d\d \d\d:\d\d {2}shop 1\.0 {2}unfinished {2}2 hosts {2}\S+@/,
    );
    const shown = await asked('history', 'show', listed.slice(0, 8), '--history', history);
    expect(shown).toMatch(
      /^shop 1\.0\n {2}id {7}[0-9a-f-]{36}\n {2}outcome {2}unfinished: its process was killed/,
    );
    expect(shown).toMatch(/\n {2}web1 {2}healthy {2,}wave 1 /);
    expect((await stat(history)).mode & 0o777).toBe(0o700);
    await writeFile(go, '');

    const again = await waitFor(
      async () => {
        await using process = await push(hosts, history);
        return (await process.waitForExit(SLOW)).code === 0 ? process.stdout : undefined;
      },
      { what: 'the push to go on', withinMs: 60_000 },
    );
    expect(again).toContain('Deployed: every host runs it.');
    const [last] = (await asked('history', '--history', history, '--last', '1', '--json')).split('\n');
    expect(JSON.parse(last!)).toMatchObject({
      event: 'deployment',
      outcome: 'deployed',
      counts: { done: 2 },
    });
    expect(await asked('history', '--history', history, '--app', 'other')).toBe('No deployments yet.\n');
  });

  test('a rollback is listed, with what became of each host', async () => {
    const history = newFolder();
    const hosts = await inventory('');
    for (const release of [one, two]) {
      await using pushed = await push(hosts, 'none', release);
      expect(await pushed.waitForExit(SLOW), pushed.output).toMatchObject({ code: 0 });
    }
    await asked('rollback', '--hosts', hosts, '--history', history);
    const [last] = (await asked('history', '--history', history, '--json')).split('\n');
    const record = JSON.parse(last!);
    expect(record).toMatchObject({
      kind: 'rollback',
      outcome: 'deployed',
      app: 'shop',
      version: '1.0',
      name: '1.0',
      release_id: one.ref.id,
      hosts: 2,
      counts: { done: 2 },
    });
    expect(await asked('history', 'show', record.id, '--history', history)).toMatch(
      /^shop 1\.0 \(rollback\)\n[\s\S]*\n {2}web1 {2}done {2}wave 1\n {2}web2 {2}done {2}wave 1\n$/,
    );
    // To a release that the hosts don't have.
    await using failed = await rookery('rollback', '--hosts', hosts, '--to', '0.9', '--history', history);
    expect(await failed.waitForExit(SLOW)).toMatchObject({ code: 1 });
    const shown = await asked('history', '--history', history, '--last', '1');
    expect(shown).toMatch(/ {2}0\.9 \(rollback\) {2}failed {2}2 hosts/);
    const why = await asked('history', 'show', shown.slice(0, 8), '--history', history);
    expect(why).toMatch(/\n {2}web1 {2}failed {2}wave 1 {2}release-missing: .*there is no such release/);
  });

  test('a history that can’t be written is told, and costs the push nothing', async () => {
    const history = join(world.path, 'a-file');
    await writeFile(history, 'not a folder');
    await using process = await push(await inventory(''), history);
    expect(await process.waitForExit(SLOW)).toMatchObject({ code: 0 });
    expect(process.stdout).toMatch(
      /Deployed: every host runs it[\s\S]*\nNot written down: The history in .*a-file can't be used/,
    );
    expect(await readFile(history, 'utf8')).toBe('not a folder');
  });
});

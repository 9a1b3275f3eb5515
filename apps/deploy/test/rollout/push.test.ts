import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type RunningProcess, startProcess, waitFor } from '@rookery/testkit';
import { beforeAll, describe, expect, test } from 'vitest';
import { linesOf } from '../support.ts';
import { createWorld, type TestRelease, type World } from './world.ts';

const PROGRAM = fileURLToPath(new URL('../swarm/program.ts', import.meta.url));
const SLOW = 120_000;

let world: World;
let one: TestRelease;
let two: TestRelease;
let bad: TestRelease;

beforeAll(async () => {
  world = await createWorld();
  one = await world.release('1.0');
  two = await world.release('2.0');
  bad = await world.release('3.0-bad');
  return () => world[Symbol.asyncDispose]();
});

/** So many local hosts, each a folder; their inventory as users write it. */
interface Fleet {
  readonly file: string;
  readonly names: readonly string[];
  root(name: string): string;
  running(): Promise<Record<string, string>>;
  /** Nothing half done, and nothing of ours left lying about. */
  tidy(): Promise<void>;
}

async function fleetOf(count: number, more = ''): Promise<Fleet> {
  const folder = world.at(`fleet-${randomUUID()}`);
  const names = Array.from({ length: count }, (_, index) => `host${index + 1}`);
  await mkdir(folder);
  const file = join(folder, 'hosts.toml');
  const hosts = names.map((name) => `[hosts.${name}]\nroot = "${join(folder, name)}"\n`);
  await writeFile(
    file,
    `${more}\n[defaults.check]\ncommand = "! grep -q bad version.txt"\ninterval_ms = 20\nwithin_ms = 200\n${hosts.join('')}`,
  );
  const root = (name: string): string => join(folder, name);
  return {
    file,
    names,
    root,
    async running() {
      const found: Record<string, string> = {};
      for (const name of names) {
        found[name] = await readFile(join(root(name), 'current/version.txt'), 'utf8').catch(() => 'nothing');
      }
      return found;
    },
    async tidy() {
      for (const name of names) {
        const left = (await readdir(join(root(name), '.rookery'))).filter((own) =>
          /^switch|^back|^next|^hook/.test(own),
        );
        expect(left, name).toEqual([]);
      }
    },
  };
}

interface Event {
  readonly event: string;
  readonly [field: string]: unknown;
}

const eventsOf = (process: RunningProcess): Event[] => linesOf(process);

function rookery(...args: string[]): Promise<RunningProcess> {
  return startProcess({
    command: process.execPath,
    args: ['--conditions=@rookery/source', PROGRAM, ...args],
  });
}

function startPush(fleet: Fleet, release: TestRelease, ...more: string[]): Promise<RunningProcess> {
  const what = [
    'push',
    release.file,
    '--tree',
    release.tree,
    '--trust',
    world.trustFile,
    '--hosts',
    fleet.file,
  ];
  return rookery(...what, '--json', ...more);
}

async function push(
  fleet: Fleet,
  release: TestRelease,
  ...more: string[]
): Promise<{
  code: number | null;
  events: Event[];
  done: Event & { hosts: { host: string; state: string; code: string | null; message: string }[] };
}> {
  await using process = await startPush(fleet, release, ...more);
  const { code } = await process.waitForExit(SLOW);
  const events = eventsOf(process);
  const done = events.findLast(({ event }) => event === 'done');
  if (done === undefined) throw new Error(`no end:\n${process.output.slice(-3_000)}`);
  return { code, events, done: done as never };
}

async function asked(
  command: string,
  fleet: Fleet,
  ...more: string[]
): Promise<{ code: number | null; events: Event[]; text: string }> {
  await using process = await rookery(command, '--hosts', fleet.file, ...more);
  const { code } = await process.waitForExit(SLOW);
  return { code, events: more.includes('--json') ? eventsOf(process) : [], text: process.output };
}

const all = (names: readonly string[], version: string): Record<string, string> =>
  Object.fromEntries(names.map((name) => [name, version]));

test.concurrent('eight hosts in waves; a bad release is undone at the canary, and reaches no second host', {
  timeout: SLOW,
}, async () => {
  const fleet = await fleetOf(8);
  const first = await push(fleet, one, '--wave', '1,50%');
  expect(first.code, JSON.stringify(first.done)).toBe(0);
  expect(await fleet.running()).toEqual(all(fleet.names, '1.0'));
  const waves = first.events
    .filter(({ event }) => event === 'wave')
    .map(({ wave, state, hosts }) => [wave, state, hosts]);
  expect(waves).toEqual([
    [1, 'started', ['host1']],
    [1, 'healthy', ['host1']],
    [2, 'started', ['host2', 'host3', 'host4']],
    [2, 'healthy', ['host2', 'host3', 'host4']],
    [3, 'started', ['host5', 'host6', 'host7', 'host8']],
    [3, 'healthy', ['host5', 'host6', 'host7', 'host8']],
  ]);
  expect(first.done).toMatchObject({ outcome: 'deployed', counts: { done: 8 } });

  const second = await push(fleet, bad, '--wave', '1,50%', '--max-failures', '8');
  expect(second.code).toBe(1);
  expect(await fleet.running()).toEqual(all(fleet.names, '1.0'));
  const switched = second.events.filter(({ event, state }) => event === 'host' && state === 'switching');
  expect(switched.map(({ host }) => host)).toEqual(['host1']);
  expect(second.done.hosts[0]).toMatchObject({ host: 'host1', state: 'reverted', code: 'check-failed' });
  expect(second.events.find(({ event }) => event === 'stopping')).toMatchObject({ reason: 'wave-failed' });
  await fleet.tidy();
});

test.concurrent('hosts that fail are named with the reason, and the others go on', {
  timeout: SLOW,
}, async () => {
  const fleet = await fleetOf(4);
  await writeFile(
    fleet.file,
    `${await readFile(fleet.file, 'utf8')}\n[hosts.host2.hooks]\nupdating = "sleep 300"\n[hosts.host3.hooks]\npublished = "exit 7"\n`,
  );
  const { code, done, events } = await push(fleet, one, '--max-failures', '2', '--timeout', '45');
  expect(code).toBe(3);
  expect(done.hosts.map(({ host, state, code: why }) => [host, state, why])).toEqual([
    ['host1', 'done', null],
    ['host2', 'failed', 'time-limit'],
    ['host3', 'reverted', 'hook-failed'],
    ['host4', 'done', null],
  ]);
  expect(events).toContainEqual(
    expect.objectContaining({ event: 'hook', host: 'host3', state: 'failed', code: 'hook-failed' }),
  );
  expect(await fleet.running()).toEqual({ host1: '1.0', host2: 'nothing', host3: 'nothing', host4: '1.0' });
  await fleet.tidy();
});

describe.concurrent('the coordinator is killed', () => {
  test.for([
    ['prepares', 'preparing'],
    ['fetches', 'fetching'],
    ['switches the canary', 'switching'],
    ['checks the canary', 'checking'],
    ['has switched some', 'healthy'],
    ['finishes', 'finishing'],
  ] as const)('while it %s; the same push, run again, goes on', { timeout: SLOW }, async ([, state]) => {
    const fleet = await fleetOf(3, '[defaults.hooks]\nstarted = "sleep 0.1"\nupdated = "sleep 0.1"');
    {
      await using cut = await startPush(fleet, one, '--wave', '1');
      await waitFor(() => eventsOf(cut).some((event) => event.event === 'host' && event.state === state), {
        what: `a host to be ${state}`,
        withinMs: 60_000,
        everyMs: 2,
        detail: () => cut.output,
      });
      cut.kill('SIGKILL');
      await cut.waitForExit();
    }
    const again = await waitFor(
      async () => {
        const result = await push(fleet, one, '--wave', '1');
        // What the dead coordinator had asked for comes to its end first.
        const locked = result.done.hosts.some(({ code }) => code === 'locked');
        return locked ? undefined : result;
      },
      { what: 'the locks to be free', withinMs: 60_000 },
    );
    expect(again.code, JSON.stringify(again.done)).toBe(0);
    expect(await fleet.running()).toEqual(all(fleet.names, '1.0'));
    await fleet.tidy();
  });
});

test.concurrent('of two pushes at once one wins, and the other has changed nothing', {
  timeout: SLOW,
}, async () => {
  const go = world.at(`go-${randomUUID()}`);
  const fleet = await fleetOf(3, `[defaults.hooks]\nstarted = "while [ ! -e ${go} ]; do sleep 0.05; done"`);
  const pushes = [push(fleet, one), push(fleet, two)];
  // The winner waits in its hook, however late the other begins.
  await Promise.race(pushes);
  await writeFile(go, '');
  const results = await Promise.all(pushes);
  const winner = results.findIndex(({ code }) => code === 0);
  expect(results.map(({ code }) => code).sort()).toEqual([0, 1]);
  expect(await fleet.running()).toEqual(all(fleet.names, winner === 0 ? '1.0' : '2.0'));
  const loser = results[1 - winner]!;
  expect(loser.events.find(({ event }) => event === 'stopping')).toMatchObject({ reason: 'locked' });
  expect(loser.done.hosts.filter(({ code }) => code !== null)).toMatchObject([
    { host: 'host1', code: 'locked' },
  ]);
  await fleet.tidy();
});

test.concurrent('Ctrl-C begins nothing new and says where each host stands; the next push goes on', {
  timeout: SLOW,
}, async () => {
  const go = world.at(`go-${randomUUID()}`);
  const fleet = await fleetOf(2, `[defaults.hooks]\npublished = "while [ ! -e ${go} ]; do sleep 0.05; done"`);
  await using cut = await startPush(fleet, one, '--wave', '1');
  await waitFor(() => eventsOf(cut).some(({ event, hook }) => event === 'hook' && hook === 'published'), {
    what: 'the canary’s switch',
    withinMs: 60_000,
    detail: () => cut.output,
  });
  cut.kill('SIGINT');
  await waitFor(() => eventsOf(cut).some(({ event }) => event === 'stopping'), {
    what: 'the push to have heard it',
    detail: () => cut.output,
  });
  await writeFile(go, '');
  expect(await cut.waitForExit(SLOW)).toMatchObject({ code: 130 });
  expect(eventsOf(cut).at(-1)).toMatchObject({
    event: 'done',
    outcome: 'cancelled',
    hosts: [
      { host: 'host1', state: 'checking' },
      { host: 'host2', state: 'fetched' },
    ],
  });
  expect(await fleet.running()).toEqual({ host1: '1.0', host2: 'nothing' });
  const { events } = await asked('status', fleet, '--json');
  expect(events[0]).toMatchObject({ host: 'host1', unfinished: { phase: 'published' }, lock: null });
  expect((await push(fleet, one, '--wave', '1')).code).toBe(0);
  await fleet.tidy();
});

test.concurrent('status, releases, rollback, cleanup, hosts, unlock and a dry run, for people', {
  timeout: SLOW,
}, async () => {
  const fleet = await fleetOf(2, '[defaults]\ntags = ["shop"]');
  expect((await asked('hosts', fleet)).text).toMatch(/^host1 {2}local \/.*\/host1 {2}tag:shop\nhost2 /);
  const what = [two.file, '--tree', two.tree, '--trust', world.trustFile];
  await push(fleet, one);
  const dry = await startPush(fleet, two, '--dry-run');
  expect(await dry.waitForExit(SLOW)).toMatchObject({ code: 0 });
  expect(eventsOf(dry)[0]).toMatchObject({
    event: 'would',
    host: 'host1',
    wave: 1,
    what: 'fetch and switch',
  });
  expect(await fleet.running()).toEqual(all(fleet.names, '1.0'));

  await using pushed = await rookery(
    'push',
    ...what,
    '--hosts',
    fleet.file,
    '--only',
    'host1',
    '--only',
    'tag:shop',
  );
  expect(await pushed.waitForExit(SLOW)).toMatchObject({ code: 0 });
  expect(pushed.stdout).toMatch(/^shop 2\.0 \(3 B\) to 2 hosts[\s\S]*Deployed: every host runs it\. 2 done/);
  expect((await asked('status', fleet)).text).toBe(
    'host1: runs 2.0, before it 1.0\nhost2: runs 2.0, before it 1.0\n',
  );
  expect((await asked('rollback', fleet, '--only', 'host2')).text).toBe('host2: went back from 2.0 to 1.0\n');
  expect((await asked('rollback', fleet)).text).toMatch(/different releases \(1\.0, nothing\)/);
  expect((await asked('rollback', fleet, '--to', '1.0')).text).toBe(
    'host1: went back from 2.0 to 1.0\nhost2: runs 1.0 already\n',
  );
  expect((await asked('releases', fleet)).text).toBe(
    'host1: 2.0, 1.0 (current)\nhost2: 2.0, 1.0 (current)\n',
  );
  expect((await asked('cleanup', fleet, '--keep', '1')).text).toBe(
    'host1: nothing to remove\nhost2: nothing to remove\n',
  );
  expect((await asked('unlock', fleet)).text).toBe('host1: was not locked\nhost2: was not locked\n');
  const wrong = await asked('push', fleet, ...what, '--wave', 'x');
  expect(wrong.code).toBe(2);
});

import {
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  rmdir,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { waitFor } from '@rookery/testkit';
import { beforeAll, expect, test } from 'vitest';
import { runCommand } from '../../src/host/command.ts';
import { generateKeys, parsePublicKey, parseSigningKey } from '../../src/release/keys.ts';
import { packFolder, refusal } from '../support.ts';
import { createWorld, isGone, running, settingsOf, type TestRelease, testHost, type World } from './world.ts';

let world: World;
let one: TestRelease;
let two: TestRelease;
let three: TestRelease;

beforeAll(async () => {
  world = await createWorld();
  one = await world.release('1.0');
  two = await world.release('2.0', { 'lib/code.js': 'two' });
  three = await world.release('3.0', {
    'config/secrets.yml': 'shipped',
    'run.sh': { executable: '#!/bin/sh' },
  });
  return () => world[Symbol.asyncDispose]();
});

test('a deployment makes Capistrano’s layout, and leaves nothing else behind', async () => {
  const root = world.newRoot();
  await using host = testHost(world, settingsOf(root));
  await host.deploy(one);
  await host.deploy(two);
  expect(await readlink(join(root, 'current'))).toBe('releases/2.0');
  expect(await running(root)).toBe('2.0');
  expect((await readdir(join(root, 'releases'))).sort()).toEqual(['1.0', '2.0']);
  expect((await readdir(root)).sort()).toEqual([
    '.rookery',
    'current',
    'releases',
    'revisions.log',
    'shared',
  ]);
  expect((await stat(join(root, '.rookery'))).mode & 0o777).toBe(0o700);
  expect(await readFile(join(root, 'revisions.log'), 'utf8')).toMatch(
    /^shop 1\.0 \(at [0-9a-f]{16}\) deployed as release 1\.0 by ann@laptop\nshop 2\.0 /,
  );
  const status = await host.run({ step: 'status' });
  expect(status).toMatchObject({
    current: { name: '2.0', id: two.ref.id, version: '2.0' },
    previous: '1.0',
    unfinished: null,
    releases: [{ name: '2.0' }, { name: '1.0' }],
    lock: { owner: 'ann@laptop', alive: true },
  });
  await host.leave();
  expect((await host.run({ step: 'status' })).lock).toBeNull();
});

test('a status of a host where nothing is yet makes nothing', async () => {
  const root = world.newRoot();
  await using host = testHost(world, settingsOf(root));
  expect(await host.run({ step: 'status' })).toEqual({
    current: null,
    previous: null,
    unfinished: null,
    releases: [],
    lock: null,
    freeBytes: null,
  });
  await expect(stat(root)).rejects.toThrow('ENOENT');
});

test('linked files and folders take the place of what the release has there, and the next push is not confused', async () => {
  const root = world.newRoot();
  await using host = testHost(
    world,
    settingsOf(root, { linkedFiles: ['config/secrets.yml'], linkedFolders: ['log', 'tmp/pids'] }),
  );
  expect(await refusal(host.fetch(three))).toMatch(/^shared-missing: .*shared\/config\/secrets\.yml/);
  await writeFile(join(root, 'shared/config/secrets.yml'), 'ours');
  await host.deploy(three);
  expect(await readFile(join(root, 'current/config/secrets.yml'), 'utf8')).toBe('ours');
  await writeFile(join(root, 'current/log/a.log'), 'line');
  expect(await readFile(join(root, 'shared/log/a.log'), 'utf8')).toBe('line');
  await writeFile(join(root, 'current/made-by-a-hook'), '');
  await host.fetch(three);
  expect(await host.run({ step: 'switch', release: three.ref })).toMatchObject({ resumed: true });
});

test('a linked folder below one of the release’s own links leads to what is shared', async () => {
  const root = world.newRoot();
  const linked = await world.release('4.0', {
    'lib/deep/config/defaults.yml': '',
    config: { link: 'lib/deep/config' },
  });
  await using host = testHost(
    world,
    settingsOf(root, { linkedFiles: ['config/secrets.yml'], linkedFolders: ['config/cache'] }),
  );
  await mkdir(join(root, 'shared/config'), { recursive: true });
  await writeFile(join(root, 'shared/config/secrets.yml'), 'ours');
  await host.deploy(linked);
  expect(await readFile(join(root, 'current/config/secrets.yml'), 'utf8')).toBe('ours');
  await writeFile(join(root, 'current/config/cache/entry'), '');
  expect(await readdir(join(root, 'shared/config/cache'))).toEqual(['entry']);
  await host.deploy(one);
  await host.deploy(linked);
  expect(await readFile(join(root, 'current/config/secrets.yml'), 'utf8')).toBe('ours');
});

test('a linked file in a linked folder, or in one that an older release has linked, is never lost', async () => {
  const root = world.newRoot();
  const linked = { linkedFiles: ['config/secrets.yml'], linkedFolders: ['config'] };
  await mkdir(join(root, 'shared/config'), { recursive: true });
  await writeFile(join(root, 'shared/config/secrets.yml'), 'ours');
  const expectOurs = async (): Promise<void> =>
    expect(await readFile(join(root, 'current/config/secrets.yml'), 'utf8')).toBe('ours');
  {
    await using host = testHost(world, settingsOf(root, linked));
    await host.deploy(one);
    await expectOurs();
    await host.deploy(two);
    await host.run({ step: 'rollback' });
    await expectOurs();
    await host.deploy(two);
  }
  await using host = testHost(world, settingsOf(root, { linkedFiles: linked.linkedFiles }));
  await host.run({ step: 'rollback' });
  await expectOurs();
  expect(await readFile(join(root, 'shared/config/secrets.yml'), 'utf8')).toBe('ours');
});

test('a linked file in a shared folder that is elsewhere is never lost', async () => {
  const root = world.newRoot();
  const elsewhere = world.at('mounted');
  await mkdir(elsewhere);
  await writeFile(join(elsewhere, 'index'), 'ours');
  await mkdir(join(root, 'shared'), { recursive: true });
  await symlink(elsewhere, join(root, 'shared/uploads'));
  await using host = testHost(
    world,
    settingsOf(root, { linkedFiles: ['uploads/index'], linkedFolders: ['uploads'] }),
  );
  await host.deploy(one);
  await host.deploy(two);
  await host.run({ step: 'rollback' });
  expect(await readFile(join(elsewhere, 'index'), 'utf8')).toBe('ours');
  expect(await readFile(join(root, 'current/uploads/index'), 'utf8')).toBe('ours');
});

test('keep leaves the newest few, and always what runs and what a rollback leads to', async () => {
  const root = world.newRoot();
  await using host = testHost(world, settingsOf(root, { keep: 1 }));
  for (const release of [one, two, three]) await host.deploy(release);
  expect((await readdir(join(root, 'releases'))).sort()).toEqual(['2.0', '3.0']);
  await host.run({ step: 'rollback' });
  expect(await running(root)).toBe('2.0');
  await mkdir(join(root, 'releases/20200101000000'));
  await host.run({ step: 'cleanup', keep: 0 });
  expect((await readdir(join(root, 'releases'))).sort()).toEqual(['2.0', '20200101000000']);
});

test('a release whose removal was cut off is still known, and removed the next time', async () => {
  const root = world.newRoot();
  await using host = testHost(world, settingsOf(root));
  for (const release of [one, two, three]) await host.deploy(release);
  const trash = join(root, '.rookery/trash');
  await rmdir(trash);
  await writeFile(trash, '');
  expect(await refusal(host.run({ step: 'cleanup', keep: 1 }))).toMatch(/EEXIST/);
  await rm(trash);
  expect(await host.run({ step: 'cleanup', keep: 1 })).toEqual({ removed: ['1.0'] });
});

test('rollback goes to what ran before, also where a release that was kept was put back after all', async () => {
  const root = world.newRoot();
  await using host = testHost(world, settingsOf(root));
  await host.deploy(one);
  await host.fetch(two);
  await host.run({ step: 'switch', release: two.ref });
  await host.run({ step: 'check', release: two.ref });
  // As a kill leaves it that comes within `finish`.
  await writeFile(join(root, '.rookery/stack.json'), JSON.stringify(['1.0', '2.0']));
  await host.deploy(three);
  expect(await host.run({ step: 'rollback' })).toMatchObject({ from: '3.0', to: '1.0' });
  expect(await running(root)).toBe('1.0');
});

test('rollback goes to the release before, again further back, and then says that there is none', async () => {
  const root = world.newRoot();
  await using host = testHost(world, settingsOf(root));
  for (const release of [one, two, three]) await host.deploy(release);
  expect(await host.run({ step: 'rollback' })).toMatchObject({ from: '3.0', to: '2.0', changed: true });
  expect(await host.run({ step: 'rollback' })).toMatchObject({ from: '2.0', to: '1.0', changed: true });
  expect(await refusal(host.run({ step: 'rollback' }))).toMatch(/^no-previous/);
  expect(await host.run({ step: 'rollback', to: '3.0' })).toMatchObject({ from: '1.0', to: '3.0' });
  expect(await running(root)).toBe('3.0');
  expect(await refusal(host.run({ step: 'rollback', to: '9.0' }))).toMatch(/^release-missing/);
  expect(await refusal(host.run({ step: 'rollback', to: '../../etc' }))).toMatch(/^protocol/);
  expect(await readFile(join(root, 'revisions.log'), 'utf8')).toMatch(
    /ann@laptop rolled back to release 1\.0\n/,
  );
});

test('a host that Capistrano has deployed to goes back to Capistrano’s release', async () => {
  const root = world.newRoot();
  await mkdir(join(root, 'releases/20200101000000'), { recursive: true });
  await writeFile(join(root, 'releases/20200101000000/version.txt'), 'cap');
  await symlink(join(root, 'releases/20200101000000'), join(root, 'current'));
  await using host = testHost(world, settingsOf(root));
  await host.deploy(one);
  expect(await running(root)).toBe('1.0');
  await host.run({ step: 'rollback' });
  expect(await running(root)).toBe('cap');
});

test('hooks come in Capistrano’s order, with what they need to know', async () => {
  const root = world.newRoot();
  const line =
    'echo "$ROOKERY_HOOK $ROOKERY_RELEASE $ROOKERY_VERSION $ROOKERY_PREVIOUS $(readlink $ROOKERY_CURRENT_PATH)" >>$ROOKERY_ROOT/hooks';
  const names = [
    ...['starting', 'started', 'updating', 'updated', 'publishing', 'published', 'finishing', 'finished'],
    ...['reverting', 'reverted', 'failed'],
  ];
  await using host = testHost(
    world,
    settingsOf(root, { hooks: Object.fromEntries(names.map((name) => [name, line])) }),
  );
  await host.deploy(one);
  await writeFile(join(root, 'hooks'), '');
  await host.deploy(two);
  expect((await readFile(join(root, 'hooks'), 'utf8')).trimEnd().split('\n')).toEqual([
    'starting 2.0 2.0 1.0 releases/1.0',
    'started 2.0 2.0 1.0 releases/1.0',
    'updating 2.0 2.0 1.0 releases/1.0',
    'updated 2.0 2.0 1.0 releases/1.0',
    'publishing 2.0 2.0 1.0 releases/1.0',
    'published 2.0 2.0 1.0 releases/2.0',
    'finishing 2.0 2.0 1.0 releases/2.0',
    'finished 2.0 2.0 1.0 releases/2.0',
  ]);
  await writeFile(join(root, 'hooks'), '');
  await host.run({ step: 'rollback' });
  await host.run({ step: 'leave', failed: { code: 'x', message: 'y' } });
  expect((await readFile(join(root, 'hooks'), 'utf8')).trimEnd().split('\n')).toEqual([
    'reverting 1.0 1.0 2.0 releases/2.0',
    'reverted 1.0 1.0 2.0 releases/2.0',
    'publishing 1.0 1.0 2.0 releases/2.0',
    'published 1.0 1.0 2.0 releases/1.0',
    'finished 1.0 1.0 2.0 releases/1.0',
    'failed 1.0 1.0  releases/1.0',
  ]);
});

test('a hook that fails before the rename leaves the old release, and says the last thing that it wrote', async () => {
  const root = world.newRoot();
  await using first = testHost(world, settingsOf(root));
  await first.deploy(one);
  await first.leave();
  await using host = testHost(
    world,
    settingsOf(root, { hooks: { updated: 'echo no database >&2; exit 3' } }),
  );
  await host.fetch(two);
  expect(await refusal(host.run({ step: 'switch', release: two.ref }))).toBe(
    'hook-failed: The hook updated ended with code 3: no database',
  );
  expect(host.events.at(-1)).toMatchObject({ hook: 'updated', state: 'failed', output: 'no database\n' });
  expect(await running(root)).toBe('1.0');
  expect(await host.run({ step: 'undo', release: two.ref })).toMatchObject({ changed: false });
  expect((await host.run({ step: 'status' })).unfinished).toBeNull();
});

test('a hook that hangs is killed with all that it has started, and what it keeps in the background is not', async () => {
  const root = world.newRoot();
  const hooks = {
    started: 'sleep 300 >/dev/null 2>&1 & echo $! >$ROOKERY_ROOT/daemon',
    updated: 'trap "" TERM; sleep 301 & echo $! >$ROOKERY_ROOT/child; wait; sleep 302',
  };
  await using host = testHost(world, settingsOf(root, { hooks }, 2000));
  await host.fetch(one);
  expect(await refusal(host.run({ step: 'switch', release: one.ref }))).toMatch(
    /^hook-timeout: The hook updated ran longer than 2000 ms/,
  );
  const pidIn = async (file: string): Promise<number> => Number(await readFile(join(root, file), 'utf8'));
  const child = await pidIn('child');
  await waitFor(() => !isRunning(child), { what: 'the hook’s child to be gone' });
  const daemon = await pidIn('daemon');
  expect(isRunning(daemon)).toBe(true);
  process.kill(daemon, 'SIGKILL');
});

test('a hook begins only once it is noted: what ends before that has started nothing, and leaves nothing', async () => {
  const root = world.newRoot();
  await mkdir(join(root, '.rookery'), { recursive: true });
  let pid = 0;
  const noting = runCommand('touch began', {
    cwd: root,
    env: {},
    timeoutMs: 60_000,
    signal: new AbortController().signal,
    onStart: async (started) => {
      pid = started;
      await writeFile(join(root, '.rookery/hook.json'), '');
      throw new Error('killed while it noted the hook');
    },
  });
  await expect(noting).rejects.toThrow('killed while it noted');
  await waitFor(() => isGone(pid), { what: 'the hook to end' });
  expect(await readdir(root)).toEqual(['.rookery']);
  await using host = testHost(world, settingsOf(root));
  await host.deploy(one);
  expect(await readdir(join(root, '.rookery'))).not.toContain('hook.json');
});

test('a cancelled switch ends its hook and leaves the old release', async () => {
  const root = world.newRoot();
  await using host = testHost(
    world,
    settingsOf(root, { hooks: { publishing: 'echo $$ >$ROOKERY_ROOT/hook-pid; exec sleep 300' } }),
  );
  await host.fetch(one);
  const controller = new AbortController();
  const switching = refusal(host.run({ step: 'switch', release: one.ref }, controller.signal));
  const pid = await waitFor(
    async () => Number(await readFile(join(root, 'hook-pid'), 'utf8').catch(() => '')) || false,
    {
      what: 'the hook to run',
    },
  );
  controller.abort();
  expect(await switching).toMatch(/^cancelled/);
  expect(isRunning(pid)).toBe(false);
  await expect(stat(join(root, 'current'))).rejects.toThrow('ENOENT');
});

test('a release that is another one’s namesake is refused', async () => {
  const root = world.newRoot();
  await using host = testHost(world, settingsOf(root));
  await host.deploy(one);
  const impostor = { ...two, ref: { ...two.ref, name: '1.0' } };
  expect(await refusal(host.fetch(impostor))).toMatch(/^release-conflict: .*1\.0 is another release/);
});

test('a tree that was changed on the host is fetched again, but never under what runs', async () => {
  const root = world.newRoot();
  await using host = testHost(world, settingsOf(root));
  await host.deploy(one);
  await host.fetch(two);
  await writeFile(join(root, 'releases/2.0/lib/code.js'), 'bad');
  await host.fetch(two);
  expect(await readFile(join(root, 'releases/2.0/lib/code.js'), 'utf8')).toBe('two');
  await writeFile(join(root, 'releases/1.0/version.txt'), 'bad');
  expect(await refusal(host.fetch(one))).toMatch(/^tree-wrong: .*version\.txt/);
});

test('a release that was never fetched is not switched to', async () => {
  const root = world.newRoot();
  await using host = testHost(world, settingsOf(root));
  await host.run({ step: 'prepare', release: one.ref });
  expect(await refusal(host.run({ step: 'switch', release: one.ref }))).toMatch(/^release-missing/);
  expect(await refusal(host.run({ step: 'check', release: one.ref }))).toMatch(/^release-missing/);
});

test('a release of a key that is not trusted is not fetched', async () => {
  const root = world.newRoot();
  await using other = await createWorld();
  await using host = testHost({ ...other, trackers: world.trackers }, settingsOf(root));
  expect(await refusal(host.fetch(one))).toMatch(/^key-untrusted/);
});

test('a release that came with a signature nobody trusts is taken once it is signed rightly', async () => {
  const { privatePem, publicPem } = generateKeys();
  const { bytes, release } = await packFolder(one.tree, { version: '1.0', key: parseSigningKey(privatePem) });
  expect(release.id).toBe(one.ref.id);
  const strange = { ...one, bytes };

  const refused = world.newRoot();
  await using host = testHost(world, settingsOf(refused));
  expect(await refusal(host.fetch(strange))).toMatch(/^key-untrusted/);
  await host.deploy(one);
  expect(await running(refused)).toBe('1.0');

  // It was trusted once, and isn't any more.
  const settings = settingsOf(world.newRoot());
  {
    await using before = testHost({ ...world, trust: parsePublicKey(publicPem) }, settings);
    await before.deploy(strange);
  }
  await using after = testHost(world, settings);
  await after.deploy(one);
});

test('a release file that is not where its release was noted is found where it came, or sent again', async () => {
  const root = world.newRoot();
  await using host = testHost(world, settingsOf(root));
  await host.deploy(one);
  await host.fetch(two);
  const file = join(root, '.rookery/releases/2.0.release');
  // As a kill leaves it that comes between the two halves of taking a changed tree away.
  await rename(file, join(root, `.rookery/incoming/${two.ref.id}.release`));
  await writeFile(join(root, 'releases/2.0/lib/code.js'), 'bad');
  await host.fetch(two);
  expect(await readFile(join(root, 'releases/2.0/lib/code.js'), 'utf8')).toBe('two');
  await truncate(file, 100);
  await host.deploy(two);
});

test('current that is a folder, or leads out, is not touched', async () => {
  for (const make of [(path: string) => mkdir(path), (path: string) => symlink('/etc', path)]) {
    const root = world.newRoot();
    await mkdir(root);
    await make(join(root, 'current'));
    await using host = testHost(world, settingsOf(root));
    expect(await refusal(host.fetch(one))).toMatch(/^root-unusable: .*current/);
  }
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

import { execFileSync, spawn } from 'node:child_process';
import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { startProcess } from '@rookery/testkit';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { processStream } from '../../src/hosts/process-stream.ts';
import { HOST_PROGRAM, HOST_PROGRAM_FLAGS } from '../../src/hosts/program.ts';
import type { Transport } from '../../src/hosts/transport.ts';
import { refusal } from '../support.ts';
import { createWorld, running, settingsOf, type TestRelease, testHost, type World } from './world.ts';

// What a host stands on: file systems and permissions that refuse, clocks that jump.

const PROGRAM = fileURLToPath(new URL('../swarm/program.ts', import.meta.url));
const CLOCK = new URL('./clock.ts', import.meta.url);
const SLOW = 120_000;
const IS_ROOT = process.getuid?.() === 0 && process.platform === 'linux';

let world: World;
let one: TestRelease;
let two: TestRelease;

beforeAll(async () => {
  world = await createWorld();
  one = await world.release('1.0');
  two = await world.release('2.0');
  return () => world[Symbol.asyncDispose]();
});

describe.runIf(IS_ROOT)('a root that is read-only', () => {
  async function mounted(): Promise<{ readonly root: string; remount(how: 'ro' | 'rw'): void }> {
    const root = world.newRoot();
    await mkdir(root);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', root]);
    onTestFinished(() => void execFileSync('umount', ['-l', root]));
    return { root, remount: (how) => void execFileSync('mount', ['-o', `remount,${how}`, root]) };
  }

  test('is named, and what runs there goes on; once it can be written again the push goes on', async () => {
    const { root, remount } = await mounted();
    await using host = testHost(world, settingsOf(root));
    await host.deploy(one);
    await host.fetch(two);
    remount('ro');
    const refused = /^root-unusable: .*EROFS/;
    expect(await refusal(host.run({ step: 'switch', release: two.ref }))).toMatch(refused);
    expect(await running(root)).toBe('1.0');
    await host.leave();
    expect(await refusal(host.fetch(two))).toMatch(refused);
    expect((await host.run({ step: 'status' })).current?.name).toBe('1.0');
    await host.leave();
    remount('rw');
    await host.deploy(two);
    expect(await running(root)).toBe('2.0');
  });

  test('from right after the rename on: the way back is found once it can be written again', async () => {
    const { root, remount } = await mounted();
    const hooks = { published: '[ $ROOKERY_RELEASE = 1.0 ] || mount -o remount,ro "$ROOKERY_ROOT"' };
    await using host = testHost(world, settingsOf(root, { hooks }));
    await host.deploy(one);
    await host.fetch(two);
    expect(await refusal(host.run({ step: 'switch', release: two.ref }))).toMatch(/^root-unusable: .*EROFS/);
    expect(await refusal(host.run({ step: 'undo', release: two.ref }))).toMatch(/^root-unusable: .*EROFS/);
    expect(await running(root)).toBe('2.0');
    await host.leave();
    remount('rw');
    expect(await host.run({ step: 'undo', release: two.ref })).toMatchObject({ to: '1.0', changed: true });
    expect(await running(root)).toBe('1.0');
    expect((await host.run({ step: 'status' })).unfinished).toBeNull();
  });
});

describe.runIf(IS_ROOT)('a root that belongs to somebody else', () => {
  /** Root, but as any other user before a folder's mode. */
  const unprivileged: Transport = {
    name: 'local',
    open: () =>
      processStream(
        spawn(
          'setpriv',
          [
            '--bounding-set=-dac_override,-dac_read_search',
            process.execPath,
            ...HOST_PROGRAM_FLAGS,
            HOST_PROGRAM,
          ],
          { stdio: ['pipe', 'pipe', 'pipe'] },
        ),
      ),
  };

  test('is named, before anything is there and later, and what runs there goes on', async () => {
    const root = world.newRoot();
    await mkdir(root);
    await chmod(root, 0o555);
    await using host = testHost(world, settingsOf(root), { transport: unprivileged });
    expect(await refusal(host.fetch(one))).toMatch(/^root-unusable: .*EACCES/);
    expect(await readdir(root)).toEqual([]);
    await chmod(root, 0o755);
    await host.deploy(one);
    for (const folder of ['.rookery', 'releases', '.rookery/releases']) {
      // The lock is taken anew.
      await host.leave();
      await chmod(join(root, folder), 0o555);
      expect(await refusal(host.fetch(two)), folder).toMatch(/^(root-unusable|write-failed): .*EACCES/);
      await chmod(join(root, folder), 0o755);
    }
    await chmod(root, 0o555);
    await host.fetch(two);
    // `current` is renamed in it.
    expect(await refusal(host.run({ step: 'switch', release: two.ref }))).toMatch(/^root-unusable: .*EACCES/);
    expect(await running(root)).toBe('1.0');
    await chmod(root, 0o755);
    await host.deploy(two);
    expect(await running(root)).toBe('2.0');
  });
});

test('clocks that jump by decades change nothing but what is written down as the time', {
  timeout: SLOW,
}, async () => {
  const folder = world.at('jumping');
  await mkdir(folder);
  const clock = join(folder, 'clock');
  await writeFile(
    clock,
    '2026-01-01T00:00:00Z\n1970-01-01T00:00:01Z\n2099-12-31T23:59:59Z\n2026-01-02T00:00:00Z\n',
  );
  const hosts = join(folder, 'hosts.toml');
  const history = join(folder, 'history');
  await writeFile(
    hosts,
    `[defaults]\nkeep = 2\n[defaults.hooks]\npublished = "sleep 0.2"\n[defaults.check]\ncommand = "test -e version.txt"\npasses = 3\ninterval_ms = 50\n` +
      ['a', 'b'].map((name) => `[hosts.${name}]\nroot = "${join(folder, name)}"\n`).join(''),
  );
  const rookery = async (...args: string[]): Promise<string> => {
    await using process_ = await startProcess({
      command: process.execPath,
      args: ['--conditions=@rookery/source', PROGRAM, ...args],
      env: {
        NODE_OPTIONS: `--import=${pathToFileURL(fileURLToPath(CLOCK)).href}`,
        ROOKERY_TEST_CLOCK: clock,
      },
    });
    expect(await process_.waitForExit(SLOW), process_.output).toMatchObject({ code: 0 });
    return process_.stdout;
  };
  const versions = ['1.0', '2.0', '3.0'];
  for (const version of versions) {
    const { file, tree } = version === '1.0' ? one : version === '2.0' ? two : await world.release(version);
    const how = ['--hosts', hosts, '--wave', '1', '--timeout', '60', '--settle', '1', '--history', history];
    await rookery('push', file, '--tree', tree, '--trust', world.trustFile, ...how);
    expect(await running(join(folder, 'b'))).toBe(version);
  }
  // The newest are left, and those that are older are gone.
  expect(await rookery('releases', '--hosts', hosts)).toBe('a: 3.0 (current), 2.0\nb: 3.0 (current), 2.0\n');
  await rookery('rollback', '--hosts', hosts, '--history', history);
  expect(await running(join(folder, 'a'))).toBe('2.0');
  const kept = (await rookery('history', '--history', history, '--json')).trim().split('\n');
  expect(kept.map((line) => JSON.parse(line).outcome)).toEqual(Array(versions.length + 1).fill('deployed'));
  for (const line of kept) {
    const { seconds } = JSON.parse(line);
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThan(SLOW / 1000);
  }
});

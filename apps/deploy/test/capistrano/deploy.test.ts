import { readdir, readFile, readlink } from 'node:fs/promises';
import { Random } from '@rookery/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CapistranoWorld, capistranoAvailable, capistranoWorld, PAGE, PLUGIN } from './world.ts';

const SLOW = 180_000;

describe.skipIf(!capistranoAvailable())('cap production', () => {
  let world: CapistranoWorld;
  const commits: string[] = [];
  let first: string;

  beforeAll(async () => {
    world = await capistranoWorld({ hosts: 3, settings: ['set :keep_releases, 2'] });
    const random = new Random(1);
    await world.plant({
      'version.txt': 'one\n',
      'bin/run': { executable: '#!/bin/sh\n' },
      'export-ignored/notes.txt': 'not for hosts\n',
      '.gitattributes': 'export-ignored export-ignore\n',
      'assets/large.bin': random.bytes(600_000),
    });
    commits.push(await world.commit('One'));
  }, SLOW);
  afterAll(() => world?.[Symbol.asyncDispose]());

  test('deploy brings the branch to every host, in Capistrano’s layout', { timeout: SLOW }, async () => {
    const { code, output } = await world.cap('deploy');
    expect(code, output).toBe(0);
    first = await world.hosts[0]!.current();
    expect(first).toMatch(/^\d{14}$/);
    for (const host of world.hosts) {
      expect(await host.current()).toBe(first);
      expect(await host.releases()).toEqual([first]);
      expect(await host.text('version.txt')).toBe('one\n');
      expect(await host.text('REVISION')).toBe(`${commits[0]}\n`);
      expect(await readdir(host.at('releases', first))).not.toContain('export-ignored');
      expect(await readlink(host.at('releases', first, 'config/secrets.yml'))).toBe(
        `${world.deployTo}/shared/config/secrets.yml`,
      );
      expect(await readlink(host.at('releases', first, 'log'))).toBe(`${world.deployTo}/shared/log`);
      expect(await readFile(host.at('revisions.log'), 'utf8')).toContain(`(at ${commits[0]}) deployed`);
      // Nothing of ours is left lying about.
      expect(await readdir(host.at('.rookery/capistrano'))).toEqual([]);
    }
  });

  test('deploy again lets only what has changed travel', { timeout: SLOW }, async () => {
    await world.plant({ 'version.txt': 'two\n' });
    commits.push(await world.commit('Two'));
    const { code, output } = await world.cap('deploy');
    expect(code, output).toBe(0);
    const told = [...output.matchAll(/: ([\d.]+ \w+) fetched from \d+ peers, ([\d.]+ \w+) reused/g)];
    expect(told.length).toBe(3);
    for (const [, fetched, reused] of told) {
      expect(reused).toMatch(/^5\d\d\.?\d* KiB$/);
      expect(fetched).toMatch(/^(\d+ B|\d\.\d KiB)$/);
    }
    for (const host of world.hosts) expect(await host.text('version.txt')).toBe('two\n');
  });

  test('deploy:rollback goes back, as Capistrano does', { timeout: SLOW }, async () => {
    const { code, output } = await world.cap('deploy:rollback');
    expect(code, output).toBe(0);
    for (const host of world.hosts) {
      expect(await host.current()).toBe(first);
      expect(await host.text('version.txt')).toBe('one\n');
    }
  });

  test('a branch that isn’t there is named before any host is touched', { timeout: SLOW }, async () => {
    const { code, output } = await world.cap('deploy', { BRANCH: 'no-such-branch' });
    expect(code).toBe(1);
    expect(output).toContain('there is no branch, tag or commit "no-such-branch"');
    for (const host of world.hosts) expect(await host.current()).toBe(first);
  });

  test('a tag and a commit can be deployed, and keep_releases is kept', { timeout: SLOW }, async () => {
    await world.git('tag', 'v2', commits[1]!);
    for (const branch of ['v2', commits[0]!]) {
      const { code, output } = await world.cap('deploy', { BRANCH: branch });
      expect(code, output).toBe(0);
    }
    for (const host of world.hosts) {
      expect(await host.text('version.txt')).toBe('one\n');
      expect((await host.releases()).length).toBe(2);
    }
  });

  test('a folder can be deployed in place of a commit', { timeout: SLOW }, async () => {
    await world.plant({ 'tmp/build/version.txt': 'built\n' });
    const { code, output } = await world.cap('deploy', { FOLDER: 'tmp/build' });
    expect(code, output).toBe(0);
    for (const host of world.hosts) {
      expect(await host.text('version.txt')).toBe('built\n');
      expect(await host.text('REVISION')).toBe(`${await host.current()}\n`);
    }
  });
});

test('the page on Capistrano has every setting of the plugin, and no other', async () => {
  const source = await readFile(PLUGIN, 'utf8');
  const table = PAGE.slice(PAGE.indexOf('<!-- settings -->'), PAGE.indexOf('<!-- /settings -->'));
  const settings = new Set([...source.matchAll(/:(rookery_\w+)/g)].map(([, name]) => name!));
  const told = [...table.matchAll(/`:(rookery_\w+)`/g)].map(([, name]) => name!);
  expect(new Set(told)).toEqual(settings);
});

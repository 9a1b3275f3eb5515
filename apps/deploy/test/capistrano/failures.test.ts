import { readdirSync, readFileSync } from 'node:fs';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Random, waitFor } from '@rookery/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CapistranoWorld, capistranoAvailable, capistranoWorld } from './world.ts';

const SLOW = 180_000;

/** The command lines of everything that runs here. */
function commandLines(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      } catch {
        return '';
      }
    });
}

describe.skipIf(!capistranoAvailable())('cap production deploy, when something is wrong,', () => {
  let world: CapistranoWorld;

  beforeAll(async () => {
    // The last host has no room.
    world = await capistranoWorld({ hosts: 3, sizes: { 2: '300k' } });
    await world.plant({ 'version.txt': 'one\n', 'large.bin': new Random(1).bytes(900_000) });
    await world.commit('One');
  }, SLOW);
  afterAll(() => world?.[Symbol.asyncDispose]());

  test('names the host that has no room, and switches none', { timeout: SLOW }, async () => {
    const { code, output } = await world.cap('deploy');
    expect(code).toBe(1);
    const [good, alsoGood, full] = world.hosts;
    expect(output).toContain(`nothing was switched; 1 failed:\n${full!.name}: `);
    expect(output).toMatch(new RegExp(`${full!.name}: .*(free|room)`));
    for (const host of [good!, alsoGood!]) {
      expect(await host.releases()).toEqual([]);
      expect(await readdir(host.at())).not.toContain('current');
    }
  });

  test('goes on where the hosts stand when it is tried again', { timeout: SLOW }, async () => {
    const { output } = await world.cap('deploy');
    // The two that had it have it still: nothing travels.
    const [told] = output.split('** DEPLOY FAILED');
    expect(told!.match(/: 0 B fetched from 0 peers/g)?.length, output).toBe(2);
  });

  test('says which host runs another version of the program', { timeout: SLOW }, async () => {
    const script = join(world.project, 'tmp/other-version');
    await writeFile(script, '#!/bin/sh\necho 9.9.9\n', { mode: 0o755 });
    const { code, output } = await world.cap('deploy', { HOSTS_COMMAND: script });
    expect(code).toBe(1);
    for (const { name } of world.hosts) {
      expect(output).toMatch(new RegExp(`${name}: it has rookery-deploy 9.9.9, and here is \\d`));
    }
  });

  test('says that there is no key', { timeout: SLOW }, async () => {
    const key = await readFile(join(world.project, 'release.key'));
    await rm(join(world.project, 'release.key'));
    const { code, output } = await world.cap('deploy');
    await writeFile(join(world.project, 'release.key'), key, { mode: 0o600 });
    expect(code).toBe(1);
    expect(output).toContain('release.key: there is no such key');
  });

  test('leaves no process behind when it is killed, and shows nothing secret meanwhile', {
    timeout: SLOW,
  }, async () => {
    // A host that never comes to an end of its fetch.
    const script = join(world.project, 'tmp/hanging');
    await writeFile(
      script,
      `#!/bin/sh
if [ "$1" = fetch ]; then touch "${world.project}/tmp/hangs.$$"; exec sleep 1000; fi
exec ${world.command} "$@"
`,
      { mode: 0o755 },
    );
    const hanging = (): number[] =>
      readdirSync(join(world.project, 'tmp')).flatMap((name) =>
        name.startsWith('hangs.') ? [Number(name.slice(6))] : [],
      );
    const ours = (): string[] => commandLines().filter((line) => line.includes(` ${world.project}/tmp/`));
    const running = await world.start('deploy', { HOSTS_COMMAND: script });
    try {
      await waitFor(() => hanging().length === 3 && ours().some((line) => line.includes(' seed ')), {
        what: 'the hosts to hang',
        withinMs: 60_000,
        detail: () => running.output,
      });
      const second = await world.cap('deploy', { HOSTS_COMMAND: script });
      expect(second.output).toContain('another deployment of this stage is under way here');
      const key = await readFile(join(world.project, 'release.key'), 'utf8');
      const secret = key.split('\n')[1]!;
      expect(secret.length).toBeGreaterThan(40);
      for (const line of commandLines()) expect(line).not.toContain(secret.slice(0, 30));
    } finally {
      running.kill('SIGKILL');
      await running.waitForExit();
      for (const pid of hanging()) process.kill(pid, 'SIGKILL');
    }
    await waitFor(() => ours().length === 0, { what: 'tracker and origin to end', withinMs: 20_000 });
  });
});

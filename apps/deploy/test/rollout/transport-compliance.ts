import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { waitFor } from '@rookery/testkit';
import { beforeAll, describe, expect, test } from 'vitest';
import type { HostSettings } from '../../src/host/settings.ts';
import type { Transport } from '../../src/hosts/transport.ts';
import { refusal } from '../support.ts';
import { createWorld, settingsOf, type TestHost, type TestRelease, testHost, type World } from './world.ts';

/**
 * What every transport must do, whatever it goes through.
 * @param transport made once for all tests; it must lead to this machine, since the tests look at the host's files
 */
export function transportCompliance(
  name: string,
  transport: (world: World) => Transport | Promise<Transport>,
): void {
  describe(`transport ${name}`, () => {
    let world: World;
    let one: TestRelease;
    let used: Transport;
    let count = 0;

    beforeAll(async () => {
      world = await createWorld();
      // More than one piece of the release file, so that back pressure and chunks are met.
      one = await world.release('1.0', { large: Buffer.alloc(3 * 2 ** 20, 'rookery') });
      used = await transport(world);
      return () => world[Symbol.asyncDispose]();
    });
    const host = (hooks: Parameters<typeof settingsOf>[1] = {}): TestHost & { settings: HostSettings } => {
      const settings = settingsOf(world.at(`${name}-${++count}`), hooks);
      return { ...testHost(world, settings, { transport: used }), settings };
    };
    const runs = async (root: string): Promise<string> => readFile(join(root, 'current/version.txt'), 'utf8');

    test('takes a release all the way, and brings events', async () => {
      await using one_host = host({ hooks: { updated: 'echo hello' } });
      await one_host.deploy(one);
      expect(await runs(one_host.root)).toBe('1.0');
      expect(one_host.events).toContainEqual(
        expect.objectContaining({ event: 'hook', hook: 'updated', state: 'done', output: 'hello\n' }),
      );
    });

    test('says why a step failed, and can be asked for the next', async () => {
      await using one_host = host();
      await one_host.run({ step: 'prepare', release: one.ref });
      expect(await refusal(one_host.run({ step: 'switch', release: one.ref }))).toMatch(/^release-missing/);
      expect((await one_host.run({ step: 'status' })).lock).toMatchObject({ alive: true });
    });

    test('cancels a step: its hook is ended, and the connection lives', async () => {
      await using one_host = host({ hooks: { starting: 'echo $$ >pid; exec sleep 300' } });
      const controller = new AbortController();
      const preparing = refusal(one_host.run({ step: 'prepare', release: one.ref }, controller.signal));
      await waitFor(() => stat(join(one_host.root, '.rookery/hook.json')).catch(() => undefined), {
        what: 'the hook to run',
        withinMs: 60_000,
      });
      controller.abort();
      expect(await preparing).toMatch(/^cancelled/);
      expect((await one_host.run({ step: 'status' })).current).toBeNull();
    });

    test('tells at once that the host’s side was killed, and opens another', async () => {
      await using one_host = host({ hooks: { starting: 'sleep 300' } });
      const { ready } = await one_host.connection();
      const preparing = refusal(one_host.run({ step: 'prepare', release: one.ref }));
      await waitFor(() => stat(join(one_host.root, '.rookery/hook.json')).catch(() => undefined), {
        what: 'the hook to run',
        withinMs: 60_000,
      });
      process.kill(ready.pid, 'SIGKILL');
      expect(await preparing).toMatch(/^vanished/);
      await one_host.kill();
      expect((await one_host.run({ step: 'status' })).lock).toMatchObject({ alive: false });
      // Takes the lock over, and ends the hook that was left behind.
      await one_host.run({ step: 'undo', release: one.ref });
      await expect(stat(join(one_host.root, '.rookery/hook.json'))).rejects.toThrow('ENOENT');
    });

    test('ends the host’s side when the connection is closed, and frees its lock', async () => {
      await using one_host = host();
      const { ready } = await one_host.connection();
      await one_host.run({ step: 'prepare', release: one.ref });
      await one_host.leave();
      await waitFor(
        () =>
          stat(`/proc/${ready.pid}`).then(
            () => false,
            () => true,
          ),
        {
          what: 'the host’s side to be gone',
        },
      );
      expect((await one_host.run({ step: 'status' })).lock).toBeNull();
    });

    test('an attempt that was aborted is none', async () => {
      await using one_host = host();
      const { connection } = testHost(world, one_host.settings, {
        transport: { ...used, open: (to) => used.open(to, { signal: AbortSignal.abort() }) },
      });
      expect(await refusal(connection())).toMatch(/^cancelled/);
    });
  });
}

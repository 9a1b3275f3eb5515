import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, readlink, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { waitFor } from '@rookery/testkit';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { linkDurably } from '../../src/host/durable.ts';
import { advanceJournal, beginJournal, type Journal, type SwitchPhase } from '../../src/host/journal.ts';
import { hostLayout } from '../../src/host/layout.ts';
import { CHECK_DEFAULTS, HOOK_NAMES } from '../../src/host/settings.ts';
import { refusal } from '../support.ts';
import { createWorld, isGone, running, settingsOf, type TestRelease, testHost, type World } from './world.ts';

let world: World;
let one: TestRelease;
let two: TestRelease;
let three: TestRelease;

beforeAll(async () => {
  world = await createWorld();
  one = await world.release('1.0');
  two = await world.release('2.0');
  three = await world.release('3.0');
  return () => world[Symbol.asyncDispose]();
});

/** Hooks that hang once in the named one, and write down that they ran. */
function hangOnceIn(hook: string): Record<string, string> {
  const line =
    `echo $ROOKERY_HOOK $ROOKERY_RELEASE >>$ROOKERY_ROOT/hooks; ` +
    `if [ $ROOKERY_HOOK = ${hook} ] && [ ! -e $ROOKERY_ROOT/hung ]; then echo $$ >$ROOKERY_ROOT/hung; exec sleep 300; fi`;
  return Object.fromEntries(HOOK_NAMES.map((name) => [name, line]));
}

describe.concurrent('SIGKILL of the host’s side', () => {
  test.for(['starting', 'updating', 'updated', 'publishing', 'published', 'finishing'] as const)(
    'in the hook %s: the same push goes on, and the orphaned hook is ended',
    async (hook) => {
      const root = world.newRoot();
      await using before = testHost(world, settingsOf(root));
      await before.deploy(one);
      await before.leave();

      await using host = testHost(world, settingsOf(root, { hooks: hangOnceIn(hook) }));
      const cut = refusal(host.deploy(two));
      const orphan = await waitFor(
        async () => Number(await readFile(join(root, 'hung'), 'utf8').catch(() => '')) || false,
        { what: `the hook ${hook} to hang` },
      );
      // A hook begins when its note is whole, so a kill at any moment of it finds the note.
      await host.kill();
      expect(await cut).toMatch(/^vanished: .*SIGKILL/);
      expect(await running(root)).toBe(hook === 'published' || hook === 'finishing' ? '2.0' : '1.0');

      // Another coordinator: the lock of a dead process holds up nobody.
      await using again = testHost(world, settingsOf(root, { hooks: hangOnceIn(hook) }), {
        owner: 'bob@desk',
      });
      await again.deploy(two);
      expect(await isGone(orphan)).toBe(true);
      expect(await running(root)).toBe('2.0');
      const status = await again.run({ step: 'status' });
      expect(status).toMatchObject({ current: { id: two.ref.id }, previous: '1.0', unfinished: null });
      expect(await readFile(join(root, 'hooks'), 'utf8')).toContain('published 2.0\n');
      expect(
        (await readdir(join(root, '.rookery'))).filter((name) => /switch|back|next|hook/.test(name)),
      ).toEqual([]);
    },
  );

  test.for(['updated', 'published'] as const)(
    'in the hook %s: the push of another release puts the old one back first',
    async (hook) => {
      const root = world.newRoot();
      await using before = testHost(world, settingsOf(root));
      await before.deploy(one);
      await before.leave();
      await using host = testHost(world, settingsOf(root, { hooks: hangOnceIn(hook) }));
      const cut = refusal(host.deploy(two));
      await waitFor(() => stat(join(root, 'hung')).catch(() => undefined), { what: 'the hook to hang' });
      await host.kill();
      await cut;
      await host.run({ step: 'prepare', release: three.ref });
      expect(await running(root)).toBe('1.0');
      expect((await host.run({ step: 'status' })).unfinished).toBeNull();
      await host.deploy(three);
      expect((await host.run({ step: 'status' })).previous).toBe('1.0');
    },
  );

  test('while it fetches: what has come is kept, and the next try ends it', async () => {
    const root = world.newRoot();
    const large = await world.release('4.0', {
      big: Buffer.alloc(8 * 2 ** 20, 'x'),
      more: crypto.getRandomValues(new Uint8Array(65_536)),
    });
    await using host = testHost(world, settingsOf(root));
    const folder = join(root, 'releases');
    let cut = false;
    // It takes part of a second, in which this process may not be run.
    for (let attempt = 1; attempt <= 10 && !cut; attempt++) {
      await rm(folder, { recursive: true, force: true });
      const fetching = refusal(host.fetch(large));
      const seen = await waitFor(
        async () =>
          (await readdir(folder).catch(() => [])).find(
            (name) => name === '4.0' || name.endsWith('.fetching'),
          ),
        { what: 'the fetch to begin', everyMs: 1 },
      );
      if (seen !== '4.0') await host.kill();
      cut = /^vanished/.test(await fetching);
    }
    expect(cut).toBe(true);
    await host.deploy(large);
    expect((await readdir(join(root, 'releases'))).sort()).toEqual(['4.0']);
  });
});

/** A journal and a link as a crash leaves them, on a host that has run 1.0 and has 2.0. */
const STATES: readonly {
  readonly kind: Journal['kind'];
  readonly phase: SwitchPhase;
  readonly current: 'from' | 'to';
}[] = [
  { kind: 'deploy', phase: 'begun', current: 'from' },
  { kind: 'deploy', phase: 'begun', current: 'to' },
  { kind: 'deploy', phase: 'switched', current: 'to' },
  { kind: 'deploy', phase: 'published', current: 'to' },
  { kind: 'deploy', phase: 'checked', current: 'to' },
  { kind: 'deploy', phase: 'switched', current: 'from' },
  { kind: 'deploy', phase: 'checked', current: 'from' },
  { kind: 'rollback', phase: 'begun', current: 'from' },
  { kind: 'rollback', phase: 'begun', current: 'to' },
  { kind: 'rollback', phase: 'switched', current: 'to' },
];

describe.concurrent('what a power cut leaves', () => {
  const note = Object.fromEntries(
    HOOK_NAMES.map((name) => [name, 'echo $ROOKERY_HOOK $ROOKERY_RELEASE >>$ROOKERY_ROOT/hooks']),
  );

  test.for(STATES)('$kind, $phase, current leads to $current', async ({ kind, phase, current }) => {
    const root = world.newRoot();
    const layout = hostLayout(root);
    const settings = settingsOf(root, { hooks: note });
    await using host = testHost(world, settings);
    await host.deploy(one);
    if (kind === 'deploy') await host.fetch(two);
    else await host.deploy(two);
    await host.leave();
    await rm(join(root, 'hooks'));
    const [from, to] = kind === 'deploy' ? [one, two] : [two, one];
    const crash = async (): Promise<void> => {
      await linkDurably(`releases/${from.ref.name}`, layout.back);
      const begun = await beginJournal(layout, {
        kind,
        deployment: 'gone',
        from: from.ref.name,
        to: to.ref.name,
        id: to.ref.id,
      });
      await advanceJournal(layout, begun, phase);
      await linkDurably(`releases/${(current === 'to' ? to : from).ref.name}`, layout.current);
    };

    await crash();
    expect((await host.run({ step: 'status' })).unfinished).toMatchObject({ kind, phase });
    const cleaned = async (): Promise<void> => {
      expect((await host.run({ step: 'status' })).unfinished).toBeNull();
      expect((await readdir(layout.own)).filter((name) => /switch|back|next/.test(name))).toEqual([]);
      await host.leave();
    };
    const hooks = (): Promise<string> => readFile(join(root, 'hooks'), 'utf8');

    if (kind === 'rollback') {
      // Whoever comes next brings it to its end, or finds that it never began.
      await host.run({ step: 'prepare', release: two.ref });
      expect(await running(root)).toBe(current === 'to' ? '1.0' : '2.0');
      if (current === 'to') expect(await hooks()).toContain('published 1.0\n');
      await cleaned();
      return;
    }
    await host.run({ step: 'undo', release: two.ref });
    expect(await running(root)).toBe('1.0');
    if (phase !== 'begun' || current === 'to') expect(await hooks()).toContain('published 1.0\n');
    await cleaned();

    await rm(join(root, 'hooks'), { force: true });
    await crash();
    await host.deploy(two);
    expect(await running(root)).toBe('2.0');
    if (phase === 'begun' || phase === 'switched' || current === 'from') {
      expect(await hooks()).toContain('published 2.0\n');
    }
    await cleaned();
  });

  test('a first deployment that is undone leaves no current', async () => {
    const root = world.newRoot();
    await using host = testHost(world, settingsOf(root));
    await host.fetch(one);
    await host.run({ step: 'switch', release: one.ref });
    expect(await host.run({ step: 'undo', release: one.ref })).toMatchObject({
      from: '1.0',
      to: null,
      changed: true,
    });
    await expect(readlink(join(root, 'current'))).rejects.toThrow('ENOENT');
  });
});

describe('the lock', () => {
  test('keeps another deployment out, by name, until its process ends', async () => {
    const root = world.newRoot();
    await using ann = testHost(world, settingsOf(root));
    await using bob = testHost(world, settingsOf(root), { owner: 'bob@desk' });
    await ann.run({ step: 'prepare', release: one.ref });
    expect(await refusal(bob.run({ step: 'prepare', release: two.ref }))).toMatch(
      /^locked: .*: ann@laptop has been deploying here since .*\(process \d+\)/,
    );
    await ann.leave();
    await bob.run({ step: 'prepare', release: two.ref });
  });

  test('unlock ends who has it, and what was broken into goes no further', async () => {
    const root = world.newRoot();
    await using ann = testHost(world, settingsOf(root));
    await using bob = testHost(world, settingsOf(root), { owner: 'bob@desk' });
    await ann.run({ step: 'prepare', release: one.ref });
    expect(await bob.run({ step: 'unlock' })).toMatchObject({ ended: { owner: 'ann@laptop', alive: true } });
    expect(await refusal(ann.run({ step: 'prepare', release: one.ref }))).toMatch(/^vanished: .*SIGKILL/);
    expect(await bob.run({ step: 'unlock' })).toEqual({ ended: null });
    await bob.run({ step: 'prepare', release: two.ref });
  });

  test('the same deployment takes over from its own process that was thought lost', async () => {
    const root = world.newRoot();
    const settings = settingsOf(root, { hooks: { updated: 'sleep 300' } });
    await using lost = testHost(world, settings, { deployment: 'd' });
    await using back = testHost(world, settings, { deployment: 'd' });
    await lost.fetch(one);
    const stuck = refusal(lost.run({ step: 'switch', release: one.ref }));
    await waitFor(() => stat(join(root, '.rookery/hook.json')).catch(() => undefined), { what: 'the hook' });
    expect(await back.run({ step: 'undo', release: one.ref })).toMatchObject({ changed: false });
    expect(await stuck).toMatch(/^vanished/);
  });

  test('of many that come at once to a dead holder’s, one gets it', { timeout: 60_000 }, async () => {
    const root = world.newRoot();
    await using dead = testHost(world, settingsOf(root));
    await dead.run({ step: 'prepare', release: one.ref });
    await dead.kill();
    const hosts = Array.from({ length: 6 }, () => testHost(world, settingsOf(root)));
    for (const host of hosts) await host.connection();
    const told = await Promise.all(
      hosts.map((host) => refusal(host.run({ step: 'prepare', release: one.ref }))),
    );
    expect(told.filter((text) => text === 'not refused')).toHaveLength(1);
    expect(told.filter((text) => text.startsWith('locked'))).toHaveLength(5);
    for (const host of hosts) await host.leave();
  });
});

describe('health', () => {
  test('a check that flaps is healthy only after so many passes in a row', async () => {
    const answers = [500, 200, 500, 200, 200, 500];
    let asked = 0;
    const server = createServer((_, response) => {
      response.statusCode = answers[asked++] ?? 200;
      response.end('shop 1.0');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const http = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const quick = { ...CHECK_DEFAULTS, intervalMs: 5, http, contains: 'shop {version}' };
    const root = world.newRoot();
    await using host = testHost(world, settingsOf(root, { check: { ...quick, passes: 2 } }));
    await host.fetch(one);
    await host.run({ step: 'switch', release: one.ref });
    expect(await host.run({ step: 'check', release: one.ref })).toMatchObject({ attempts: 5 });
    expect((await host.run({ step: 'status' })).unfinished).toMatchObject({ phase: 'checked' });
    await host.leave();

    asked = 0;
    await using strict = testHost(
      world,
      settingsOf(root, { check: { ...quick, passes: 50, withinMs: 100 } }),
    );
    expect(await refusal(strict.run({ step: 'check', release: one.ref }))).toMatch(
      /^check-failed: Not healthy within 100 ms \(\d+ tries/,
    );
  });

  test('a command and a port are checks, too', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const root = world.newRoot();
    const quick = { ...CHECK_DEFAULTS, intervalMs: 5, withinMs: 50 };
    const checked = async (check: object): Promise<string> => {
      await using host = testHost(world, settingsOf(root, { check: { ...quick, ...check } }));
      await host.fetch(one);
      await host.run({ step: 'switch', release: one.ref });
      return refusal(host.run({ step: 'check', release: one.ref }));
    };
    expect(await checked({ command: 'grep -qx "$ROOKERY_VERSION" version.txt' })).toBe('not refused');
    expect(await checked({ command: 'echo broken; exit 9' })).toMatch(/exit code 9: broken/);
    expect(await checked({ tcp: `127.0.0.1:${port}` })).toBe('not refused');
    server.close();
    expect(await checked({ tcp: `127.0.0.1:${port}` })).toMatch(/ECONNREFUSED/);
  });
});

describe.runIf(process.getuid?.() === 0 && process.platform === 'linux')('a disk that fills up', () => {
  /** Half a megabyte of file system, over the root. */
  async function smallRoot(): Promise<string> {
    const root = world.newRoot();
    await mkdir(root);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', root]);
    onTestFinished(() => void execFileSync('umount', ['-l', root]));
    return root;
  }
  const FILL = 'dd if=/dev/zero of=$ROOKERY_ROOT/fill bs=4k 2>/dev/null || true';

  test('before the switch: it is refused, and the old release stays', async () => {
    const root = await smallRoot();
    await using host = testHost(world, settingsOf(root));
    await host.deploy(one);
    await host.fetch(two);
    execFileSync('sh', ['-c', FILL], { env: { ...process.env, ROOKERY_ROOT: root } });
    expect(await refusal(host.run({ step: 'switch', release: two.ref }))).toMatch(/^disk-full/);
    expect(await running(root)).toBe('1.0');
    expect((await host.run({ step: 'status' })).unfinished).toBeNull();
    await rm(join(root, 'fill'), { force: true });
    await host.run({ step: 'switch', release: two.ref });
    expect(await running(root)).toBe('2.0');
  });

  test('right before the rename: the switch comes to its end, and so does the way back', async () => {
    const root = await smallRoot();
    await using before = testHost(world, settingsOf(root));
    await before.deploy(one);
    await before.leave();
    await using host = testHost(world, settingsOf(root, { hooks: { publishing: FILL } }));
    await host.fetch(two);
    await host.run({ step: 'switch', release: two.ref });
    expect(await running(root)).toBe('2.0');
    await host.run({ step: 'check', release: two.ref });
    expect((await host.run({ step: 'status' })).unfinished).toMatchObject({ phase: 'checked' });
    await host.run({ step: 'undo', release: two.ref });
    expect(await running(root)).toBe('1.0');
    expect((await host.run({ step: 'status' })).unfinished).toBeNull();
  });

  test('after the switch, with the host’s side killed: another one finds its way back', async () => {
    const root = await smallRoot();
    await using before = testHost(world, settingsOf(root));
    await before.deploy(one);
    await before.leave();
    await using host = testHost(world, settingsOf(root));
    await host.fetch(two);
    await host.run({ step: 'switch', release: two.ref });
    await host.kill();
    const fill = (): void => {
      execFileSync('sh', ['-c', `${FILL}; cat /dev/zero >>$ROOKERY_ROOT/fill || true`], {
        env: { ...process.env, ROOKERY_ROOT: root },
        stdio: 'ignore',
      });
    };
    for (let turns = 0; turns < 3; turns++) {
      fill();
      await using other = testHost(world, settingsOf(root));
      await other.run({ step: 'undo', release: two.ref });
      await other.kill();
      expect(await running(root)).toBe('1.0');
    }
    await using last = testHost(world, settingsOf(root));
    expect((await last.run({ step: 'status' })).unfinished).toBeNull();
  });
});

describe.concurrent('a current that a hook', () => {
  test('removes is put back with the release before', async () => {
    const root = world.newRoot();
    await using before = testHost(world, settingsOf(root));
    await before.deploy(one);
    await before.leave();
    const hooks = { published: '[ $ROOKERY_RELEASE = 1.0 ] || { rm $ROOKERY_CURRENT_PATH; exit 1; }' };
    await using host = testHost(world, settingsOf(root, { hooks }));
    await host.fetch(two);
    expect(await refusal(host.run({ step: 'switch', release: two.ref }))).toMatch(/^hook-failed/);
    await host.run({ step: 'undo', release: two.ref });
    expect(await running(root)).toBe('1.0');
    expect((await host.run({ step: 'status' })).unfinished).toBeNull();
  });

  test('makes a folder is named, and once that is gone the release before is back', async () => {
    const root = world.newRoot();
    await using before = testHost(world, settingsOf(root));
    await before.deploy(one);
    await before.leave();
    const hooks = { publishing: 'rm $ROOKERY_CURRENT_PATH; mkdir $ROOKERY_CURRENT_PATH' };
    await using host = testHost(world, settingsOf(root, { hooks }));
    await host.fetch(two);
    expect(await refusal(host.run({ step: 'switch', release: two.ref }))).toMatch(
      /^root-unusable: .*current is no link/,
    );
    expect(await refusal(host.run({ step: 'undo', release: two.ref }))).toMatch(/^root-unusable/);
    await rm(join(root, 'current'), { recursive: true });
    await host.run({ step: 'undo', release: two.ref });
    expect(await running(root)).toBe('1.0');
  });
});

test('current is there at every moment, whatever happens', async () => {
  const root = world.newRoot();
  await using host = testHost(world, settingsOf(root));
  await host.deploy(one);
  let looked = 0;
  let looking = true;
  const watching = (async () => {
    while (looking) {
      expect(['1.0', '2.0']).toContain(await running(root));
      looked++;
    }
  })();
  for (let i = 0; i < 5; i++) {
    await host.deploy(two);
    await host.run({ step: 'rollback' });
  }
  looking = false;
  await watching;
  expect(looked).toBeGreaterThan(10);
});

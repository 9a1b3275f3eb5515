import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { waitFor } from '@rookery/testkit';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { LEASE_MS, PROTOCOL } from '../../src/host/protocol.ts';
import { type HostConnection, openConnection } from '../../src/hosts/connection.ts';
import { sshTransport } from '../../src/hosts/ssh/ssh.ts';
import { REMOTE_COMMAND } from '../../src/hosts/ssh/start.ts';
import type { Host } from '../../src/inventory/host.ts';
import { push } from '../../src/push/push.ts';
import { sshdAvailable } from '../sshd.ts';
import { refusal } from '../support.ts';
import { type SshHosts, startSshHosts } from './ssh-hosts.ts';
import { transportCompliance } from './transport-compliance.ts';
import { createWorld, hostOf, settingsOf, type TestRelease, testHost, type World } from './world.ts';

describe.runIf(sshdAvailable())('ssh', () => {
  let world: World;
  let one: TestRelease;
  let sshd: SshHosts;

  beforeAll(async () => {
    world = await createWorld();
    one = await world.release('1.0');
    sshd = await startSshHosts(world.at('sshd'));
    return async () => {
      await sshd[Symbol.asyncDispose]();
      await world[Symbol.asyncDispose]();
    };
  });

  transportCompliance('ssh', () => sshd.transport);

  const open = (host: Partial<Host>, from: SshHosts = sshd) =>
    from.transport.open(
      { ...hostOf('web1', settingsOf(world.at('unused'))), ...host },
      { signal: AbortSignal.timeout(60_000) },
    );

  test('a full push to three hosts, in waves, and back from a release that does not work', async () => {
    const two = await world.release('2.0');
    const bad = await world.release('3.0-bad');
    const hosts = ['a', 'b', 'c'].map((name): Host => {
      const check = { command: 'test "$(cat version.txt)" != 3.0-bad', intervalMs: 10, timeoutMs: 5_000 };
      const settings = settingsOf(world.at(`push-${name}`), { check: { ...check, passes: 1, withinMs: 50 } });
      return { ...hostOf(name, settings), transport: 'ssh' };
    });
    const running = () =>
      Promise.all(hosts.map(({ settings }) => readFile(join(settings.root, 'current/version.txt'), 'utf8')));
    const pushed = async (release: TestRelease) => {
      const waves: unknown[] = [];
      const { outcome, hosts: told } = await push({
        release: release.bytes,
        tree: release.tree,
        trust: [world.trust],
        hosts,
        waves: [{ count: 1 }, { percent: 100 }],
        transports: { ssh: sshd.transport },
        onEvent: (event) => event.event === 'wave' && event.state === 'started' && waves.push(event.hosts),
      });
      return { outcome, waves, codes: told.map(({ code }) => code) };
    };
    expect(await pushed(one)).toMatchObject({ outcome: 'deployed', waves: [['a'], ['b', 'c']] });
    expect(await pushed(two)).toMatchObject({ outcome: 'deployed' });
    expect(await running()).toEqual(['2.0', '2.0', '2.0']);
    // The canary fails: nobody else is touched, and it is put back.
    expect(await pushed(bad)).toMatchObject({ outcome: 'failed', waves: [['a']] });
    expect(await running()).toEqual(['2.0', '2.0', '2.0']);
  });

  test('roots of any kind need no quoting', async () => {
    for (const name of [
      `it's "quoted" $HOME`,
      '`touch pwned`;$(touch pwned)',
      'a\\b!c *?[x]{1,2}',
      ' -n émoji 🐦 ',
    ]) {
      await using host = testHost(world, settingsOf(join(world.at('roots'), name)), {
        transport: sshd.transport,
      });
      await host.deploy(one);
      expect(await readFile(join(host.root, 'current/version.txt'), 'utf8')).toBe('1.0');
    }
    const node = join(world.at('no des'), `no'de "26"`);
    await mkdir(world.at('no des'));
    await symlink(process.execPath, node);
    await (await open({ node })).kill();
  });

  test('the command means the same to every shell that logs in', () => {
    const shells = ['/bin/sh', '/bin/bash', '/bin/dash', '/usr/bin/zsh', '/usr/bin/fish', '/bin/tcsh'];
    const there = shells.filter((shell) => {
      try {
        const input = '/none\n\n';
        execFileSync(shell, ['-c', REMOTE_COMMAND], { input, stdio: 'pipe' });
      } catch (error) {
        const { status, stdout, code } = error as { status?: number; stdout: Buffer; code?: string };
        if (code === 'ENOENT') return false;
        expect({ shell, status, told: stdout.toString() }).toEqual({
          shell,
          status: 1,
          told: 'rookery-deploy: no-node\n',
        });
      }
      return true;
    });
    expect(there).toContain('/bin/sh');
  });

  describe('the user’s configuration holds', () => {
    test('a jump host', async () => {
      const config = await configured('jump', [
        'Host behind',
        'HostName 127.0.0.1',
        'ProxyJump jump',
        'Host jump',
        'HostName 127.0.0.1',
        `Port ${sshd.port}`,
      ]);
      const stream = await openBy(config);
      // The one that is jumped over has a client and a server of its own.
      expect(await processesWith(`-W\0[127.0.0.1]:${sshd.port}`)).toHaveLength(1);
      await stream.kill();
    });

    test('a master of connections, which is used, and left as it is', async () => {
      const control = world.at('control');
      const master = ['ControlMaster auto', `ControlPath ${control}`, 'ControlPersist 60'];
      const config = await configured('master', ['Host behind', 'HostName 127.0.0.1', ...master]);
      await (await openBy(config)).kill();
      await expect(stat(control)).rejects.toThrow('ENOENT');

      const ssh = (...args: string[]): Buffer =>
        execFileSync('ssh', ['-F', config, '-p', String(sshd.port), ...args, 'behind'], { stdio: 'pipe' });
      const before = connections();
      ssh('-M', '-N', '-f');
      try {
        await waitFor(() => connections() === before + 1, { what: 'the master to be in sshd’s log' });
        await (await openBy(config)).kill();
        ssh('-O', 'check');
      } finally {
        ssh('-O', 'exit');
      }
      // What came after it is in the log as well.
      await (await openBy(config)).kill();
      await waitFor(() => connections() >= before + 2, { what: 'a connection without a master' });
      expect(connections()).toBe(before + 2);
    });

    const connections = (): number => sshd.log().split('Accepted publickey').length;
    async function configured(name: string, lines: readonly string[]): Promise<string> {
      const path = world.at(`${name}.config`);
      await writeFile(path, `${lines.join('\n')}\n${await readFile(sshd.config, 'utf8')}`);
      return path;
    }
    function openBy(config: string): ReturnType<typeof open> {
      const transport = sshTransport({ config, bundle: sshd.bundle });
      const place = { address: 'behind', port: sshd.port, node: process.execPath };
      const host = { ...hostOf('web1', settingsOf(world.at('unused'))), ...place };
      return transport.open(host, { signal: AbortSignal.timeout(60_000) });
    }
  });

  test('who gives up while ssh still connects leaves no ssh behind', async () => {
    const silent = createServer();
    const { promise: dialled, resolve } = Promise.withResolvers<void>();
    silent.on('connection', () => resolve());
    await new Promise<void>((done) => silent.listen(0, '127.0.0.1', done));
    onTestFinished(() => void silent.close());
    const { port } = silent.address() as AddressInfo;
    const controller = new AbortController();
    const opening = sshTransport({ config: sshd.config, bundle: sshd.bundle }).open(
      { ...hostOf('web1', settingsOf(world.at('unused'))), address: '127.0.0.1', port },
      { signal: controller.signal },
    );
    await dialled;
    controller.abort();
    expect(await refusal(opening)).toBe('cancelled: Opening it was cancelled');
    expect(await clientsOf(port)).toEqual([]);

    const late = sshTransport({ config: sshd.config, bundle: sshd.bundle }).open(
      { ...hostOf('web1', settingsOf(world.at('unused'))), address: '127.0.0.1', port },
      { signal: AbortSignal.timeout(200) },
    );
    expect(await refusal(late)).toBe('time-limit: It did not answer in time');
  });

  describe('what is sent', () => {
    test('once: by two at the same time, too, and again when it is damaged', async () => {
      await using fresh = await startSshHosts(world.at('sent'), { bundle: sshd.bundle });
      for (const stream of await Promise.all([open({}, fresh), open({}, fresh), open({}, fresh)])) {
        await stream.kill();
      }
      const [name, ...more] = await readdir(fresh.cache);
      expect([name, more]).toEqual([expect.stringMatching(/^host-[0-9a-f]{64}\.mjs$/), []]);
      const path = join(fresh.cache, name!);
      const { ino, mode } = await stat(path);
      expect(mode & 0o777).toBe(0o600);
      expect((await stat(fresh.cache)).mode & 0o777).toBe(0o700);

      await (await open({}, fresh)).kill();
      expect((await stat(path)).ino).toBe(ino);
      await writeFile(path, 'process.exit(9)');
      await using host = testHost(world, settingsOf(world.at('damaged')), { transport: fresh.transport });
      expect((await host.connection()).ready.pid).toBeGreaterThan(0);
      expect(await readFile(path)).toEqual(await readFile(sshd.bundle));
    });

    test('what nobody has used for a month is removed', async () => {
      const old = join(sshd.cache, `host-${'a'.repeat(64)}.mjs`);
      const used = join(sshd.cache, `host-${'b'.repeat(64)}.mjs`);
      const cutOff = join(sshd.cache, '.half.new');
      await (await open({})).kill();
      for (const path of [old, used, cutOff]) await writeFile(path, '');
      await utimes(old, 0, Date.now() / 1000 - 31 * 86_400);
      await utimes(used, 0, Date.now() / 1000 - 29 * 86_400);
      await utimes(cutOff, 0, Date.now() / 1000 - 2 * 86_400);
      await (await open({})).kill();
      const left = await readdir(sshd.cache);
      expect(left).toContain(`host-${'b'.repeat(64)}.mjs`);
      expect(left).toHaveLength(2);
    });

    test('not into a folder that others may write to', async () => {
      await using fresh = await startSshHosts(world.at('open'), { bundle: sshd.bundle });
      await mkdir(fresh.cache, { recursive: true, mode: 0o777 });
      execFileSync('chmod', ['777', fresh.cache]);
      expect(await refusal(open({}, fresh))).toMatch(
        /^host-unprepared: 127.0.0.1: .*only its user may write/,
      );
    });
  });

  describe('Node', () => {
    test('that is missing is named, with the version that is needed', async () => {
      expect(await refusal(open({ node: '/opt/none/node' }))).toMatch(
        /^host-unprepared: 127.0.0.1: Node 24 or later is needed, and \/opt\/none\/node is none/,
      );
      const old = world.at('old-node');
      await writeFile(old, '#!/bin/sh\necho v18.20.4\n', { mode: 0o755 });
      expect(await refusal(open({ node: old }))).toMatch(/there is only: .*old-node is v18\.20\.4/);
    });

    test('is found where no PATH leads, and login scripts may say what they like', async () => {
      const home = world.at('home');
      const versions = join(home, '.nvm/versions/node');
      await mkdir(join(versions, 'v26/bin'), { recursive: true });
      await symlink(process.execPath, join(versions, 'v26/bin/node'));
      const noise = world.at('noise');
      await writeFile(noise, 'echo "Welcome!"; echo "You have mail."\n');
      const environment = { HOME: home, PATH: '/nowhere', BASH_ENV: noise };
      await using fresh = await startSshHosts(world.at('nvm'), {
        bundle: sshd.bundle,
        environment,
        findNode: true,
      });
      await (await open({}, fresh)).kill();
    });
  });

  describe('who is not let in, and what is not what it was', () => {
    test('nobody listens', async () => {
      await using fresh = await startSshHosts(world.at('gone'), { bundle: sshd.bundle });
      await fresh.stop();
      expect(await refusal(open({}, fresh))).toMatch(/^unreachable: 127.0.0.1: .*Connection refused/);
    });

    test('a wrong key', async () => {
      await using fresh = await startSshHosts(world.at('wrong-key'), { bundle: sshd.bundle });
      await fresh.changeUserKey();
      expect(await refusal(open({}, fresh))).toMatch(/^not-allowed: 127.0.0.1: .*Permission denied/);
    });

    test('a host whose key has changed, in OpenSSH’s own words', async () => {
      await using fresh = await startSshHosts(world.at('changed'), { bundle: sshd.bundle });
      await fresh.changeHostKey();
      const error = (await open({}, fresh).catch((error: unknown) => error)) as {
        code: string;
        message: string;
        output: string;
      };
      expect(error.code).toBe('host-key-changed');
      expect(error.message).toMatch(/it sent SHA256:\S+, known is .*known_hosts:1/);
      expect(error.output).toContain('REMOTE HOST IDENTIFICATION HAS CHANGED');
      await writeFile(fresh.knownHosts, '');
      expect(await refusal(open({}, fresh))).toMatch(/^host-key-unknown: /);
    });
  });

  describe('an end', () => {
    /** Prepared, and in a hook of its switch that waits to be let go. */
    async function inSwitch(name: string): Promise<{
      readonly connection: HostConnection;
      readonly root: string;
      readonly switching: Promise<string>;
    }> {
      const root = world.at(name);
      const settings = settingsOf(root, {
        hooks: { updated: 'touch ../../in-hook; while [ ! -e ../../go ]; do sleep 0.05; done' },
      });
      const host = testHost(world, settings, { transport: sshd.transport });
      await host.fetch(one);
      const connection = await host.connection();
      const switching = refusal(host.run({ step: 'switch', release: one.ref }));
      await waitFor(() => stat(join(root, 'in-hook')).catch(() => undefined), { what: 'the hook' });
      return { connection, root, switching };
    }
    const isGone = (pid: number) =>
      stat(`/proc/${pid}`).then(
        () => false,
        () => true,
      );

    test('a connection that is cut within a switch: it comes to its end, and the next one goes on', async () => {
      const { connection, root, switching } = await inSwitch('cut');
      for (const pid of await clientsOf(sshd.port)) process.kill(pid, 'SIGKILL');
      expect(await switching).toMatch(/^vanished: /);
      expect(await isGone(connection.ready.pid)).toBe(false);
      await writeFile(join(root, 'go'), '');
      await waitFor(() => isGone(connection.ready.pid), { what: 'the host’s side to end' });
      expect(await readFile(join(root, 'current/version.txt'), 'utf8')).toBe('1.0');
      await using again = testHost(world, settingsOf(root), { transport: sshd.transport });
      await again.deploy(one);
      expect((await again.run({ step: 'status' })).unfinished).toBeNull();
    });

    test('a kill ends the host’s side at once, whatever it does', async () => {
      const { connection, switching } = await inSwitch('killed');
      await connection.kill();
      expect(await switching).toMatch(/^vanished: /);
      await waitFor(() => isGone(connection.ready.pid), { what: 'the host’s side to be gone' });
      expect(await clientsOf(sshd.port)).toEqual([]);
    });
  });

  test('nothing of a deployment is in a process list', async () => {
    const root = world.at('sw0rdfish-root');
    const settings = settingsOf(root, { hooks: { published: 'echo sw0rdfish-hook' } });
    const signal = AbortSignal.timeout(60_000);
    const hello = {
      hello: PROTOCOL,
      deployment: 'sw0rdfish',
      owner: 'sw0rdfish',
      host: 'sw0rdfish',
    } as const;
    const connection = await openConnection(
      await open({ settings }),
      { ...hello, settings, trust: [], leaseMs: LEASE_MS },
      { signal },
    );
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
    const lines = await Promise.all(
      pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
    );
    expect(lines.some((line) => line.includes('eval(process.env.ROOKERY_START)'))).toBe(true);
    expect(lines.filter((line) => line.includes('sw0rdfish'))).toEqual([]);
    await connection.close();
  });

  /** ssh processes of this test. */
  const clientsOf = (port: number): Promise<number[]> => processesWith(`-p\0${port}\0`);

  async function processesWith(text: string): Promise<number[]> {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
    const clients = await Promise.all(
      pids.map(async (pid) => {
        const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
        return line.startsWith('ssh\0') && line.includes(text) ? [pid] : [];
      }),
    );
    return clients.flat();
  }
});

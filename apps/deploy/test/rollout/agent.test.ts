import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectSecurely } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { createLogger, type Log } from '@rookery/service';
import { freePort, startProcess, waitFor } from '@rookery/testkit';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { createAgent } from '../../src/agent/agent.ts';
import { createIdentity } from '../../src/agent/identity.ts';
import { CHECK_DEFAULTS, type HostSettings } from '../../src/host/settings.ts';
import { agentTransport } from '../../src/hosts/agent/agent.ts';
import type { Transport } from '../../src/hosts/transport.ts';
import { parseSigningKey, type SigningKey } from '../../src/release/keys.ts';
import { refusal } from '../support.ts';
import { agentsTransport, newKey, settingsOfAgent, startAgent, type TestAgent } from './agents.ts';
import { transportCompliance } from './transport-compliance.ts';
import {
  createWorld,
  hostOf,
  settingsOf,
  type TestHost,
  type TestRelease,
  testHost,
  type World,
} from './world.ts';

const PROGRAM = fileURLToPath(new URL('../swarm/program.ts', import.meta.url));

describe('agent', () => {
  const agents = new AsyncDisposableStack();
  afterAll(() => agents.disposeAsync());
  transportCompliance('agent', (world) => agents.use(agentsTransport(world)).transport);

  let world: World;
  let one: TestRelease;
  let count = 0;
  const ann = newKey();

  beforeAll(async () => {
    world = await createWorld();
    one = await world.release('1.0');
    return () => world[Symbol.asyncDispose]();
  });

  const transportOf = (key = ann): Transport =>
    agentTransport({ key, knownAgents: join(world.path, 'known_agents') });
  /** Every host goes to this agent. */
  const through = (agent: TestAgent, key = ann): Transport => {
    const transport = transportOf(key);
    return { ...transport, open: (host, opening) => transport.open(agent.at(host), opening) };
  };
  const newSettings = (more: Parameters<typeof settingsOf>[1] = {}): HostSettings =>
    settingsOf(world.at(`root-${++count}`), more);
  const agentFor = async (
    roots: readonly HostSettings[],
    more: Parameters<typeof startAgent>[0] = {},
    log?: Log,
  ): Promise<TestAgent> => {
    const agent = await startAgent(
      { ...(await settingsOfAgent(world, ann, roots)), ...more },
      log === undefined ? {} : { log },
    );
    onTestFinished(() => agent[Symbol.asyncDispose]());
    return agent;
  };
  const served = async (
    more: Parameters<typeof settingsOf>[1] = {},
  ): Promise<{ readonly host: TestHost; readonly agent: TestAgent; readonly settings: HostSettings }> => {
    const settings = newSettings(more);
    const agent = await agentFor([settings]);
    const host = testHost(world, settings, { transport: through(agent) });
    onTestFinished(() => host.leave());
    return { host, agent, settings };
  };
  const asked = (agent: TestAgent, settings: HostSettings, key = ann): Promise<string> => {
    const host = testHost(world, settings, { transport: through(agent, key) });
    return refusal(host.connection().then((connection) => connection.close()));
  };

  describe('keys', () => {
    test('a coordinator with another key is not obeyed, and told which key it showed', async () => {
      const settings = newSettings();
      const agent = await agentFor([settings]);
      const bob = newKey();
      expect(await asked(agent, settings, bob)).toBe(
        `not-allowed: This agent doesn’t obey the key ${bob.publicKey.text}: see its coordinators`,
      );
      expect(await asked(agent, settings)).toBe('not refused');
    });

    test('an agent with another key than the inventory says is told nothing at all', async () => {
      const settings = newSettings();
      const agent = await agentFor([settings]);
      const agentKey = newKey().publicKey.text;
      const host = { ...agent.at(hostOf('web1', settings)), agentKey };
      const { signal } = new AbortController();
      expect(await refusal(transportOf().open(host, { signal }))).toMatch(
        new RegExp(`^host-key-changed: 127.0.0.1:${agent.port}: its key is .*, and not .*`),
      );
    });

    test('an unknown agent is refused, unless it is asked to be trusted; from then on it is known', async () => {
      const settings = newSettings();
      const agent = await agentFor([settings]);
      const knownAgents = world.at('config/known');
      const { agentKey: _, ...host } = agent.at(hostOf('web1', settings));
      const { signal } = new AbortController();
      const opened = (trustNew: boolean) =>
        refusal(
          agentTransport({ key: ann, knownAgents, trustNew })
            .open(host, { signal })
            .then((stream) => stream.kill()),
        );
      expect(await opened(false)).toMatch(/^host-key-unknown: .*--trust-new-agents once/);
      expect(await opened(true)).toBe('not refused');
      expect(await opened(false)).toBe('not refused');
      expect(await readFile(knownAgents, 'utf8')).toBe(`127.0.0.1:${agent.port} ${agent.agent.publicKey}\n`);
      expect((await stat(knownAgents)).mode & 0o777).toBe(0o600);

      await writeFile(knownAgents, `127.0.0.1:${agent.port} ${newKey().publicKey.text}\n`);
      expect(await opened(true)).toMatch(/^host-key-changed/);
      await writeFile(knownAgents, 'rubbish\n');
      expect(await opened(true)).toMatch(/^unexpected: .*known:1: expected ADDRESS:PORT KEY/);
    });

    test('nobody gets in without a key, or by another protocol', async () => {
      const settings = newSettings();
      const agent = await agentFor([settings]);
      const identity = createIdentity(ann);
      const said = (options: object): Promise<string> =>
        new Promise((resolve) => {
          let text = '';
          const socket = connectSecurely({ ...identity.tls, port: agent.port, ...options });
          socket.on('data', (part: Buffer) => (text += part.toString()));
          socket.on('error', (error: NodeJS.ErrnoException) => resolve(String(error.code)));
          socket.on('close', () => resolve(text));
        });
      expect(await said({ key: undefined, cert: undefined })).toContain('who shows no Ed25519 key');
      expect(await said({ minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' })).toMatch(/^ERR_SSL/);
      expect(await said({ ALPNProtocols: ['http/1.1'] })).toMatch(/^ERR_SSL/);
      expect(
        await refusal(
          agentTransport().open(agent.at(hostOf('a', settings)), {
            signal: new AbortController().signal,
          }),
        ),
      ).toMatch(/^not-allowed: .*--agent-key FILE/);
    });

    test('bytes that were recorded are worth nothing', async () => {
      const settings = newSettings();
      const agent = await agentFor([settings]);
      const recorded: Buffer[] = [];
      const proxy = createServer((client: Socket) => {
        const server = connect(agent.port, '127.0.0.1');
        client.on('data', (part: Buffer) => recorded.push(part));
        for (const socket of [client, server]) socket.on('error', () => undefined);
        client.pipe(server).pipe(client);
      });
      await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
      onTestFinished(() => void proxy.close());
      const { port } = proxy.address() as AddressInfo;
      const transport = transportOf();
      const host = testHost(world, settings, {
        transport: { ...transport, open: (to, o) => transport.open({ ...agent.at(to), port }, o) },
      });
      await host.deploy(one);
      await host.leave();
      expect(Buffer.concat(recorded).length).toBeGreaterThan(1_000);

      const before = await counts(agent);
      const socket = connect(agent.port, '127.0.0.1')
        .on('error', () => undefined)
        .resume();
      socket.end(Buffer.concat(recorded));
      await new Promise((resolve) => socket.once('close', resolve));
      const after = await waitFor(
        async () => {
          const now = await counts(agent);
          return now.noise! > before.noise! ? now : undefined;
        },
        { what: 'the agent to count it as noise' },
      );
      expect(after.started).toBe(before.started);
    });
  });

  describe('its own settings hold', () => {
    test('another root, another hook or another check is refused by name', async () => {
      const check = { ...CHECK_DEFAULTS, command: 'true' };
      const settings = newSettings({ hooks: { published: 'echo mine' }, check });
      const agent = await agentFor([settings]);
      const { root } = settings;
      expect(await asked(agent, settings)).toBe('not refused');
      expect(await asked(agent, settingsOf(root))).toBe('not refused');
      for (const other of [`${root}/`, `${root}/../${root.split('/').at(-1)}`, '/etc', '']) {
        expect(await asked(agent, settingsOf(other))).toMatch(/^not-allowed: .* is no root of this agent/);
      }
      const hooks = { published: 'echo theirs' };
      expect(await asked(agent, settingsOf(root, { hooks }))).toMatch(/^not-allowed: The hook published/);
      const added = { published: 'echo mine', starting: 'echo more' };
      expect(await asked(agent, settingsOf(root, { hooks: added }))).toMatch(/The hook starting/);
      const theirs = { check: { ...check, command: 'curl evil' } };
      expect(await asked(agent, settingsOf(root, theirs))).toMatch(/^not-allowed: The check/);
    });

    test('its hooks run though the inventory has none, and its keys decide whose releases', async () => {
      const own = newSettings({
        hooks: { updated: 'echo $ROOKERY_HOST_SETTINGS$ROOKERY_COORDINATOR >../../ran' },
      });
      const agent = await agentFor([own]);
      const host = testHost(world, settingsOf(own.root), { transport: through(agent) });
      await host.deploy(one);
      expect(await readFile(join(own.root, 'ran'), 'utf8')).toBe('\n');
      await host.leave();

      const strict = await agentFor([own], { trust: [newKey().publicKey.text] });
      const refused = testHost(world, settingsOf(own.root), { transport: through(strict) });
      expect(await refusal(refused.deploy(await world.release('2.0')))).toMatch(/^key-untrusted/);
      await refused.leave();
    });

    test('what it can’t be without is told at once', async () => {
      expect(() => createAgent()).toThrow(/key is missing.*coordinators is empty.*trust is empty.*roots/);
      const settings = await settingsOfAgent(world, ann, [newSettings()]);
      await chmod(settings.key!, 0o644);
      expect(await refusal(startAgent(settings))).toMatch(/everybody here can read this key: chmod 600 it/);
    });
  });

  describe('strangers', () => {
    test('a thousand idle connections, noise and slow handshakes hold up nobody who is known', async () => {
      const settings = newSettings();
      const agent = await agentFor([settings], { maxHandshakes: 20, handshakeTimeoutMs: 5_000 });
      const sockets = Array.from({ length: 1_000 }, (_, i) => {
        const socket = connect(agent.port, '127.0.0.1')
          .on('error', () => undefined)
          .resume();
        if (i % 3 === 0) socket.write('GET / HTTP/1.1\r\n\r\n');
        // The head of a TLS record that says it is long.
        if (i % 3 === 1) socket.write(Buffer.of(0x16, 3, 1, 0x3f, 0xff));
        return socket;
      });
      const gone = Promise.all(sockets.map((one) => new Promise((resolve) => one.once('close', resolve))));
      expect(await asked(agent, settings)).toBe('not refused');
      await gone;
      expect(await metric(agent, 'rookery_deploy_agent_handshakes')).toBe(0);
      expect((await counts(agent)).noise).toBeGreaterThan(300);
    });

    test('a hundred who prove other keys, and stay, take no more places than the idle', async () => {
      const settings = newSettings();
      const agent = await agentFor([settings], { maxHandshakes: 10 });
      const other = createIdentity(newKey());
      // They read nothing, so they don't notice that they are asked to go.
      const strangers = Array.from({ length: 100 }, () =>
        connectSecurely({ ...other.tls, port: agent.port }).on('error', () => undefined),
      );
      onTestFinished(() => {
        for (const socket of strangers) socket.destroy();
      });
      await waitFor(
        async () => {
          const { stranger, noise } = await counts(agent);
          return stranger! + noise! >= 90 && stranger! > 0;
        },
        { what: 'all to have come' },
      );
      expect(await metric(agent, 'rookery_deploy_agent_handshakes')).toBeLessThanOrEqual(10);
      expect(await asked(agent, settings)).toBe('not refused');
    });

    test('who is known and says no hello is not waited for', async () => {
      const settings = newSettings();
      const agent = await agentFor([settings], { handshakeTimeoutMs: 300 });
      const patient = await agentFor([settings]);
      const said = (words: string, { port }: TestAgent = agent): Promise<string> =>
        new Promise((resolve) => {
          let text = '';
          const socket = connectSecurely({ ...createIdentity(ann).tls, port });
          socket.on('data', (part: Buffer) => (text += part.toString())).on('error', () => undefined);
          socket.on('close', () => resolve(text));
          socket.on('secureConnect', () => socket.write(words));
        });
      expect(await said('')).toBe('');
      expect(await said('{"hel')).toBe('');
      expect(await said('{"hello":1}\n', patient)).toContain('"code":"protocol"');
      expect(await said('x'.repeat(2 ** 20 + 1), patient)).toContain('a line is longer than 1048576 bytes');
    });

    test('more connections than it takes are told so', async () => {
      const settings = newSettings();
      const agent = await agentFor([settings], { maxSessions: 1 });
      const first = testHost(world, settings, { transport: through(agent) });
      await first.connection();
      expect(await asked(agent, settings)).toMatch(/^busy: This agent serves 1 connections already/);
      await first.leave();
      await waitFor(async () => (await asked(agent, settings)) === 'not refused', {
        what: 'the place to be free',
      });
    });
  });

  test('nothing secret is in logs, process lists, or what others may read', async () => {
    const check = { ...CHECK_DEFAULTS, command: 'echo sw0rdfish-check' };
    const settings = newSettings({ hooks: { published: 'echo sw0rdfish-hook' }, check });
    const lines: string[] = [];
    const log = createLogger({
      name: 'agent',
      level: 'trace',
      destination: { write: (line) => lines.push(line) },
    });
    const agent = await agentFor([settings], { adminToken: 'sw0rdfish-token' }, log);
    const host = testHost(world, settings, { transport: through(agent) });
    await host.deploy(one);
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
    for (const pid of pids) {
      expect(await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).not.toContain('sw0rdfish');
    }
    await host.leave();
    const { root } = settings;
    for (const name of await readdir(root, { recursive: true })) {
      const path = join(root, name);
      const text = await readFile(path, 'latin1').catch(() => '');
      if (text.includes('sw0rdfish')) expect((await stat(path)).mode & 0o077, name).toBe(0);
    }
    expect(lines.join('')).toContain('session started');
    expect(lines.join('')).not.toContain('sw0rdfish');
    const secret = await readFile(agent.agent.settings.key!, 'utf8');
    expect(lines.join('')).not.toContain(secret.split('\n')[1]);
  });

  describe('an end', () => {
    /** In a hook of its switch that waits to be let go. */
    async function inSwitch(host: TestHost): Promise<{ readonly switching: Promise<string> }> {
      await host.fetch(one);
      const switching = refusal(host.run({ step: 'switch', release: one.ref }));
      await waitFor(() => stat(join(host.root, 'in-hook')).catch(() => undefined), { what: 'the hook' });
      return { switching };
    }
    const waits = { hooks: { updated: 'touch ../../in-hook; while [ ! -e ../../go ]; do sleep 0.05; done' } };

    /** An agent that is a process, with one root and settings that can be written again. */
    async function ownProcess(root: string) {
      const { key } = await settingsOfAgent(world, ann, []);
      const agentKey = parseSigningKey(await readFile(key!, 'utf8')).publicKey.text;
      const port = await freePort();
      const config = `${root}.toml`;
      return {
        agentKey,
        config,
        write: (coordinators: readonly SigningKey[], updated: string) =>
          writeFile(
            config,
            [
              `listen = "127.0.0.1:${port}"`,
              'admin_port = 0',
              `key = ${JSON.stringify(key)}`,
              `coordinators = ${JSON.stringify(coordinators.map(({ publicKey }) => publicKey.text))}`,
              `trust = ["${world.trustFile}"]`,
              `[root.${JSON.stringify(root)}.hooks]`,
              `updated = ${JSON.stringify(updated)}`,
            ].join('\n'),
          ),
        start: () =>
          startProcess({
            command: process.execPath,
            args: ['--conditions=@rookery/source', PROGRAM, 'agent', '--config', config],
            readyPattern: /"msg":"listening on/,
            readyWithinMs: 60_000,
          }),
        host(settings: HostSettings, key = ann): TestHost {
          const transport = transportOf(key);
          const place = { transport: 'agent', address: '127.0.0.1', port, agentKey } as const;
          const there: Transport = {
            ...transport,
            open: (to, opening) => transport.open({ ...to, ...place }, opening),
          };
          return testHost(world, settings, { transport: there });
        },
      };
    }

    test('SIGHUP: keys and hooks hold as they are written now, for whoever comes next', async () => {
      const { root } = newSettings();
      const own = await ownProcess(root);
      await own.write([ann], waits.hooks.updated);
      await using agent = await own.start();
      const host = own.host(settingsOf(root));
      const bob = newKey();
      const connected = (key: SigningKey): Promise<string> => {
        const other = own.host(settingsOf(root), key);
        return refusal(other.connection().then(() => other.leave()));
      };
      const { switching } = await inSwitch(host);
      expect(await connected(bob)).toMatch(/^not-allowed/);

      await writeFile(own.config, 'coordinators = [');
      agent.kill('SIGHUP');
      await waitFor(() => agent.stdout.includes('reload failed'), {
        what: 'a file that is wrong to be told',
      });
      expect(await connected(ann)).toBe('not refused');

      await own.write([bob], 'echo second >../../ran');
      agent.kill('SIGHUP');
      await waitFor(() => agent.stdout.includes('"msg":"reloaded"'), { what: 'the agent to reload' });
      expect(await connected(ann)).toMatch(/^not-allowed: This agent doesn’t obey the key/);
      // Who was at it comes to the end of that step, by the hook of before, and no further.
      await writeFile(join(root, 'go'), '');
      expect(await switching).toBe('not refused');
      expect(await refusal(host.run({ step: 'status' }))).toMatch(/^vanished/);
      await host.kill();

      const next = own.host(settingsOf(root), bob);
      await next.deploy(await world.release('3.0'));
      expect(await readFile(join(root, 'ran'), 'utf8')).toBe('second\n');
      await next.leave();
    });

    test('a kill ends the host’s side at once, whatever it does', async () => {
      const { host } = await served(waits);
      const { switching } = await inSwitch(host);
      const { ready } = await host.connection();
      await host.kill();
      expect(await switching).toMatch(/^vanished/);
      await waitFor(() => isGone(ready.pid), { what: 'the host’s side to be gone' });
      await writeFile(join(host.root, 'go'), '');
      await host.deploy(one);
    });

    test('SIGTERM lets a step that runs come to its end, and tells its coordinator', async () => {
      const { host, agent } = await served(waits);
      const { switching } = await inSwitch(host);
      const stopped = agent.agent.stop();
      expect(await asked(agent, settingsOf(host.root))).toMatch(/^unreachable: .*ECONNREFUSED/);
      await writeFile(join(host.root, 'go'), '');
      expect(await switching).toBe('not refused');
      expect(await stopped).toBe(0);
      expect(await readFile(join(host.root, 'current/version.txt'), 'utf8')).toBe('1.0');
    });

    test('a step that goes on too long is cancelled before the time for a stop is over', async () => {
      const settings = newSettings(waits);
      const agent = await agentFor([settings], { stopTimeoutMs: 6_000 });
      const host = testHost(world, settings, { transport: through(agent) });
      const { switching } = await inSwitch(host);
      expect(await agent.agent.stop()).toBe(0);
      expect(await switching).toMatch(/^cancelled/);
      await expect(stat(join(host.root, 'current'))).rejects.toThrow('ENOENT');
    });

    test('SIGKILL of the agent within a switch: it comes to its end, and the next one goes on', async () => {
      const settings = newSettings(waits);
      const own = await ownProcess(settings.root);
      await own.write([ann], waits.hooks.updated);
      await using agent = await own.start();
      expect(agent.stdout).toContain(`"public_key":"${own.agentKey}"`);
      const host = own.host(settings);
      const { switching } = await inSwitch(host);
      const { ready } = await host.connection();
      agent.kill('SIGKILL');
      expect(await switching).toMatch(/^vanished/);
      expect(await isGone(ready.pid)).toBe(false);
      await writeFile(join(host.root, 'go'), '');
      await waitFor(() => isGone(ready.pid), { what: 'the host’s side to end' });
      expect(await readFile(join(host.root, 'current/version.txt'), 'utf8')).toBe('1.0');
      await host.kill();

      await using again = await own.start();
      await host.deploy(one);
      expect((await host.run({ step: 'status' })).unfinished).toBeNull();
      await host.leave();
      again.kill('SIGTERM');
      expect(await again.waitForExit()).toMatchObject({ code: 0 });
    });
  });
});

function isGone(pid: number): Promise<boolean> {
  return stat(`/proc/${pid}`).then(
    () => false,
    () => true,
  );
}

async function metric({ agent }: TestAgent, name: string): Promise<number> {
  const text = await (await fetch(`${agent.adminUrl}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1]);
}

/** Connections by what became of them. */
async function counts({ agent }: TestAgent): Promise<Readonly<Record<string, number>>> {
  const text = await (await fetch(`${agent.adminUrl}/metrics`)).text();
  const found = text.matchAll(/^rookery_deploy_agent_connections_total\{result="(\w+)"\} (\d+)$/gm);
  return Object.fromEntries([...found].map(([, result, value]) => [result, Number(value)]));
}

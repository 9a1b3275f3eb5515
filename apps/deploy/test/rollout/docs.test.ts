import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describeSettings } from '@rookery/service';
import { freePort, startProcess, type TemporaryFolder, temporaryFolder } from '@rookery/testkit';
import { beforeAll, describe, expect, test } from 'vitest';
import { agentSettings } from '../../src/agent/settings.ts';
import { run } from '../../src/cli.ts';
import { sshdAvailable } from '../sshd.ts';
import { plant } from '../support.ts';
import { buildProgram } from './host-bundle.ts';
import { startSshHosts } from './ssh-hosts.ts';

// The chapters on hosts by ssh and on agents, as they stand on the page; only addresses and paths become the test's.

const PAGE = fileURLToPath(new URL('../../../../docs/run-the-deployer.md', import.meta.url));
const page = await readFile(PAGE, 'utf8');

/** The block after a mark. */
function block(mark: string): string {
  const start = page.indexOf('\n', page.indexOf('```', page.indexOf(`<!-- ${mark} -->`))) + 1;
  return page.slice(start, page.indexOf('```', start));
}

function between(from: string, to: string): string {
  return page.slice(page.indexOf(from) + from.length, page.indexOf(to));
}

const commandsOf = (mark: string): string[][] =>
  block(mark)
    .trim()
    .split('\n')
    .map((line) => line.split(' ').slice(1));

describe('the page’s chapters on hosts', () => {
  let folder: TemporaryFolder;
  let program: string;
  const at = (name: string): string => join(folder.path, name);

  beforeAll(async () => {
    folder = await temporaryFolder();
    program = await buildProgram(at('program'));
    await plant(folder.path, { 'dist/index.html': '<h1>shop</h1>\n' });
    await tool('keygen', '--out', 'release.key');
    const pack = ['--app', 'shop', '--version', '1.4.2', '--key', 'release.key'];
    await tool('pack', 'dist', ...pack, '-o', 'shop-1.4.2.release');
    return () => folder.remove();
  });

  async function tool(...args: string[]): Promise<readonly Readonly<Record<string, unknown>>[]> {
    const { stdout } = await promisify(execFile)(process.execPath, [program, ...args, '--json'], {
      cwd: folder.path,
    });
    return stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }
  const isDeployed = async (root: string): Promise<void> => {
    expect(await readFile(join(root, 'current/index.html'), 'utf8')).toBe('<h1>shop</h1>\n');
  };

  test.runIf(sshdAvailable())('by ssh', async () => {
    const [one, two] = ['web1', 'web2'];
    await using sshd = await startSshHosts(at('sshd'), { bundle: join(at('program'), 'host.js') });
    const inventory = block('hosts.toml of ssh')
      .replaceAll('/srv/shop', at('ssh-root'))
      .replace('user = "deploy"', 'user = "root"')
      .replace(
        'address = "10.0.0.1"',
        `port = ${sshd.port}\nnode = "${process.execPath}"\naddress = "127.0.0.1"`,
      )
      .replace('address = "10.0.0.2"', `root = "${at('ssh-root-2')}"\naddress = "127.0.0.1"`)
      .replace('port = 2222', `port = ${sshd.port}`)
      .replace('/opt/node-26/bin/node', process.execPath);
    await writeFile(at('hosts.toml'), inventory);
    for (const command of commandsOf('by ssh')) {
      const events = await tool(...command, '--ssh-config', sshd.config);
      if (command[0] !== 'status') continue;
      expect(events.map(({ event, host }) => [event, host])).toEqual([
        ['status', one],
        ['status', two],
      ]);
    }
    await isDeployed(at('ssh-root'));
    await isDeployed(at('ssh-root-2'));
  });

  test('with an agent', async () => {
    const keys = new Map<string, string>();
    for (const command of commandsOf('agent keys')) {
      const [made] = await tool(...command);
      keys.set(command.at(-1)!, made!.signer as string);
    }
    const port = await freePort();
    const root = at('agent-root');
    const settings = block('agent.toml')
      .replace('0.0.0.0:7071', `127.0.0.1:${port}`)
      .replaceAll('/etc/rookery', folder.path)
      .replaceAll('/srv/shop', root);
    await writeFile(at('agent.toml'), `admin_port = 0\n${settings}`);
    const inventory = block('hosts.toml of agents')
      .replace('address = "10.0.0.1"', `port = ${port}\naddress = "127.0.0.1"`)
      .replaceAll('/srv/shop', root)
      .replace(/agent_key = ".*"/, `agent_key = "${keys.get('agent.key')}"`);
    await writeFile(at('hosts.toml'), inventory);
    const [daemon, ...commands] = commandsOf('by agent');
    await mkdir(root);
    await using agent = await startProcess({
      command: process.execPath,
      args: [program, ...daemon!],
      cwd: folder.path,
      readyPattern: /"public_key":"([^"]+)"/,
    });
    expect(agent.ready![1]).toBe(keys.get('agent.key'));
    for (const command of commands) await tool(...command);
    await isDeployed(root);
    expect(await readFile(join(root, 'published'), 'utf8')).toBe('1.4.2\n');
    agent.kill('SIGTERM');
    expect(await agent.waitForExit(30_000)).toMatchObject({ code: 0 });
  });

  test('what is wrong with the way to a host has a row each, and each option is told', async () => {
    const table = between('<!-- way -->', '<!-- /way -->');
    const source = await readFile(new URL('../../src/host/errors.ts', import.meta.url), 'utf8');
    const rows = [...table.matchAll(/^\| `([a-z-]+)` \| (?!it means)/gm)].map(([, code]) => code!);
    for (const code of rows) expect(source).toContain(`| '${code}'`);
    for (const name of [
      'hosts/ssh/ssh.ts',
      'hosts/ssh/failure.ts',
      'hosts/agent/agent.ts',
      'agent/session.ts',
    ]) {
      const text = await readFile(new URL(`../../src/${name}`, import.meta.url), 'utf8');
      const codes = [...text.matchAll(/(?:new HostError\(\s*|code: )'([a-z-]+)'/g)].map(([, code]) => code);
      expect(codes.length, name).toBeGreaterThan(1);
      for (const code of codes) expect(rows, name).toContain(code);
    }
    let help = '';
    const stream = { write: (part: string) => (help += part) };
    await run(['push', '--help'], { stdout: stream, stderr: stream });
    for (const option of ['--ssh-config', '--agent-key', '--known-agents', '--trust-new-agents']) {
      expect(help).toContain(option);
      expect(page).toContain(option);
    }
  });
});

test.skipIf(!existsSync('/usr/bin/systemd-analyze'))('systemd takes the agent’s unit file', async () => {
  const unit = fileURLToPath(new URL('../../share/rookery-deploy-agent.service', import.meta.url));
  expect((await promisify(execFile)('/usr/bin/systemd-analyze', ['verify', unit])).stderr).toBe('');
});

// ROOKERY_TEST_UPDATE_DOCS=1 writes the table anew.
test('the page lists every setting of the agent as it is', async () => {
  const rows = describeSettings(agentSettings).map(
    ({ key, flag, environment, default: shown, description, reason }) =>
      `| \`${key}\` | ${flag === undefined ? '–' : `\`${flag}\``} | \`${environment}\` | ${shown} | ${description}. ${reason} |`,
  );
  const head = '| in TOML | flag | environment | default | what, and why so |\n|---|---|---|---|---|';
  const wanted = page.replace(
    /(<!-- agent settings -->\n)[\s\S]*(<!-- \/agent settings -->)/,
    (_, start: string, end: string) => `${start}${head}\n${rows.join('\n')}\n${end}`,
  );
  expect(wanted).toContain('ROOKERY_DEPLOY_AGENT_COORDINATORS');
  if (process.env.ROOKERY_TEST_UPDATE_DOCS === '1') await writeFile(PAGE, wanted);
  else expect(page).toBe(wanted);
});

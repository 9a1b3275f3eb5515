import { join } from 'node:path';
import { type TemporaryFolder, temporaryFolder } from '@rookery/testkit';
import memjs from 'memjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addToken } from '../../src/cli/token.ts';
import { type QueueProcess, startQueue } from '../queue-process.ts';
import { debianPython, describeClient, run, whyUnusable } from './clients.ts';

// Stock clients that say who they are: by SASL on the binary protocol, or by a first `set`. Each puts and gets with a
// token, and is refused without.

let folder: TemporaryFolder;
let server: QueueProcess;
let token: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  const file = join(folder.path, 'users');
  token = addToken({ name: 'worker', grants: ['all:*'], file, replace: false, add: false });
  server = await startQueue({ dataDirectory: join(folder.path, 'data'), flags: ['--auth-file', file] });
});

afterAll(async () => {
  try {
    expect(await server.stop()).toBe(0);
    expect(server.process.output).not.toMatch(/"level":"(error|fatal)"/);
    expect(server.process.output).not.toContain(token);
  } finally {
    await server.kill();
    await folder.remove();
  }
});

const wrong = `rq_${'A'.repeat(43)}`;

async function printed(command: string, flag: string, script: string, secret: string): Promise<string> {
  const prepared = script
    .replaceAll('HOST', server.host)
    .replaceAll('PORT', String(server.port))
    .replaceAll('TOKEN', secret);
  const { stdout } = await run(command, [flag, prepared]);
  return stdout.toString().trim();
}

function behaves(command: string, flag: string, script: string): void {
  it('puts and gets with a token', async () => {
    expect(await printed(command, flag, script, token)).toBe('hello');
  });
  it('is refused with a wrong one', async () => {
    expect(await printed(command, flag, script, wrong)).toBe('refused');
  });
}

describe('npm’s memjs, by SASL', () => {
  async function hello(password: string): Promise<string | undefined> {
    const client = memjs.Client.create(`${server.host}:${server.port}`, {
      username: 'worker',
      password,
      retries: 0,
      timeout: 10,
      logger: { log: () => undefined },
    } as memjs.ClientOptions);
    try {
      await client.set('memjs', 'hello', {});
      return (await client.get('memjs')).value?.toString();
    } finally {
      client.quit();
    }
  }
  it('puts and gets with a token', async () => {
    expect(await hello(token)).toBe('hello');
  });
});

describeClient(
  'pylibmc, by SASL',
  whyUnusable('python3-pylibmc', debianPython, ['-c', 'import pylibmc']),
  () =>
    behaves(
      debianPython,
      '-c',
      `
import pylibmc
client = pylibmc.Client(["HOST:PORT"], binary=True, username="worker", password="TOKEN")
try:
    client.set("pylibmc", "hello")
    print(client.get("pylibmc"))
except pylibmc.Error:
    print("refused")
`,
    ),
);

describeClient('dalli, by SASL', whyUnusable('ruby-dalli', 'ruby', ['-e', 'require "dalli"']), () =>
  behaves(
    'ruby',
    '-e',
    `
require "dalli"
Dalli.logger.level = Logger::FATAL
begin
  client = Dalli::Client.new("HOST:PORT", username: "worker", password: "TOKEN", socket_timeout: 10)
  client.set("dalli", "hello")
  puts client.get("dalli")
rescue Dalli::DalliError
  puts "refused"
end
`,
  ),
);

const withMemcached = 'exit(extension_loaded("memcached") && Memcached::HAVE_SASL ? 0 : 1);';
describeClient('php-memcached, by SASL', whyUnusable('php-memcached', 'php', ['-r', withMemcached]), () =>
  behaves(
    'php',
    '-r',
    `
$client = new Memcached();
$client->setOption(Memcached::OPT_BINARY_PROTOCOL, true);
$client->setSaslAuthData("worker", "TOKEN");
$client->addServer("HOST", PORT);
echo $client->set("php", "hello") ? $client->get("php") : "refused";
`,
  ),
);

describeClient(
  'pymemcache, by a first set',
  whyUnusable('python3-pymemcache', debianPython, ['-c', 'import pymemcache']),
  () =>
    behaves(
      debianPython,
      '-c',
      `
from pymemcache.client.base import Client
from pymemcache.exceptions import MemcacheError
client = Client(("HOST", PORT), default_noreply=False)
try:
    client.set("anything", "worker TOKEN")
    client.set("pymemcache", "hello")
    print(client.get("pymemcache").decode())
except MemcacheError:
    print("refused")
`,
    ),
);

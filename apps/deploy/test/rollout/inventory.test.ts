import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '@rookery/testkit';
import { expect, test } from 'vitest';
import { readInventory } from '../../src/inventory/inventory.ts';
import { loadInventory } from '../../src/inventory/load.ts';
import { selectHosts } from '../../src/inventory/select.ts';

const read = (text: string) => readInventory({ file: { path: 'hosts.toml', text } });

const INVENTORY = `
[defaults]
root = "/srv/shop/"
transport = "ssh"
linked_folders = ["log"]
[defaults.hooks]
published = "restart"
finishing = { command = "warm", timeout_ms = "5m" }
[defaults.check]
http = "http://127.0.0.1/health"
within_ms = "10s"
[groups.web]
rack = "a"
user = "web"
[groups.eu]
rack = "b"
[hosts.web1]
address = "10.0.0.1"
groups = ["web"]
tags = ["canary"]
[hosts.web2]
groups = ["web", "eu"]
root = "/opt/shop"
port = 2222
[hosts.web2.hooks]
published = "reload"
[hosts.db1]
transport = "local"
`;

test('a host’s own key wins over its groups’, and these over the defaults; hooks are merged', () => {
  const [web1, web2, db1] = read(INVENTORY);
  expect(web1).toMatchObject({
    address: '10.0.0.1',
    rack: 'a',
    user: 'web',
    transport: 'ssh',
    tags: ['canary'],
  });
  expect(web1!.settings).toEqual({
    root: '/srv/shop',
    keep: 5,
    linkedFiles: [],
    linkedFolders: ['log'],
    hooks: {
      published: { command: 'restart', timeoutMs: 60_000 },
      finishing: { command: 'warm', timeoutMs: 300_000 },
    },
    check: {
      http: 'http://127.0.0.1/health',
      withinMs: 10_000,
      intervalMs: 1_000,
      timeoutMs: 5_000,
      passes: 1,
    },
  });
  expect(web2).toMatchObject({ address: 'web2', rack: 'b', port: 2222, settings: { root: '/opt/shop' } });
  expect(web2!.settings.hooks.published?.command).toBe('reload');
  expect(db1).toMatchObject({ name: 'db1', transport: 'local', groups: [] });
});

test('what is wrong is told with file, line and key', () => {
  const told = (text: string): string => {
    try {
      read(text);
    } catch (error) {
      return (error as Error).message;
    }
    return 'nothing';
  };
  expect(told('[defaults]\nroot = "srv"\n')).toMatch(
    /^hosts\.toml:2: defaults\.root: "srv" is not allowed, expected an absolute/,
  );
  expect(told('[hosts.a]\nroot = "/a"\nrakc = "x"')).toMatch(
    /^hosts\.toml:3: .*hosts\.a\.rakc, did you mean rack\?/,
  );
  expect(told('[hosts.a]\nroot = "/a"\nlinked_files = ["../x"]')).toMatch(/^hosts\.toml:3: .*below shared/);
  expect(told('[hosts.a]\nroot = "/a"\n[hosts.a.check]\ninterval_ms = 5')).toMatch(
    /one of http, tcp and command/,
  );
  expect(told('[hosts.a.hooks]\npublisht = "x"')).toMatch(
    /hosts\.toml:2: .*publisht, did you mean published/,
  );
  expect(told('[hosts.a]')).toMatch(/hosts\.a has no root/);
  expect(told('[defaults]\nroot = "/a"\n[groups.web]\n[hosts.a]\ngroups = ["wbe"]')).toMatch(/no group wbe/);
  expect(told('[hosts."-oProxyCommand=x"]\nroot = "/a"')).toMatch(/expected letters/);
  expect(told('[defaults]\nroot = "/a"\n[hosts.a]\n[hosts.b]\n')).toMatch(/b and a have the same root/);
  expect(told('[hosts.a]\nroot = "/a/x"\n[hosts.b]\nroot = "//a/./x/"')).toMatch(
    /b and a have the same root/,
  );
  for (const root of ['/', '//', '/./']) {
    expect(told(`[hosts.a]\nroot = "${root}"`)).toMatch(/expected an absolute path other than \//);
  }
  expect(told('root = [')).toMatch(/hosts\.toml:1:\d+ is not valid TOML/);
  expect(told('[host.a]\nroot = "/a"')).toMatch(/did you mean hosts/);
});

test('hosts whose names are whole numbers stand where the inventory has them', async () => {
  const names = (text: string): string[] =>
    read(`${text}\n[defaults]\nroot = "/srv"\ntransport = "ssh"\n`).map(({ name }) => name);
  expect(names('[hosts.20]\n[hosts.web]\n[hosts.3]\n[hosts."1"]\n')).toEqual(['20', 'web', '3', '1']);
  expect(names('[hosts]\n7 = { port = 1 }\n"5".port = 2\n6.port = 3\n5.rack = "a"\n')).toEqual([
    '7',
    '5',
    '6',
  ]);
  const hook = 'published = """\n[hosts.1]\n"""';
  expect(names(`hosts.9.rack = "a" # not hosts.1\n[hosts.2.hooks]\n${hook}\n[hosts.1]\n`)).toEqual([
    '9',
    '2',
    '1',
  ]);
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'hosts.toml');
  await writeFile(file, '[defaults]\nroot = "/srv"\ntransport = "ssh"\n');
  for (const command of ['printf "20\\nweb\\n3\\n"', `echo '["20", "web", {"name": "3"}]'`]) {
    expect((await loadInventory({ file, command })).map(({ name }) => name)).toEqual(['20', 'web', '3']);
  }
});

test.for([
  '..',
  '.',
  '.hidden',
  '-rf',
  '--hosts',
  'web 1',
  'web/1',
  'wéb',
  'web\t1',
  '$(id)',
  'a'.repeat(129),
  '',
])('a host that is named %j is refused by that name', (name) => {
  const key = JSON.stringify(name);
  expect(() => read(`[defaults]\nroot = "/a"\n[hosts.${key}]\n`)).toThrow(/expected letters, digits and/);
  expect(() => read(`[defaults]\nroot = "/a"\n[hosts.a]\ngroups = [${key}]\n`)).toThrow(/expected letters/);
});

test.for(['a', '0', 'web.1', 'web-1', 'web_1', 'fe80::1', 'ann@web', 'web..1', 'a'.repeat(128)])(
  'a host may be named %j',
  (name) => {
    expect(read(`[defaults]\nroot = "/a"\n[hosts.${JSON.stringify(name)}]\n`)).toMatchObject([
      { name, groups: [] },
    ]);
  },
);

test('a command names the hosts, in lines or in JSON, and the file still says what holds for them', async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'hosts.toml');
  await writeFile(file, '[defaults]\nroot = "/srv"\ntransport = "ssh"\n[groups.web]\nrack = "a"\n');
  const names = async (command: string): Promise<string[]> =>
    (await loadInventory({ file, command })).map(({ name, rack }) => `${name} ${rack}`);
  expect(await names('printf "web1\\n# none\\nweb2 # two\\n"')).toEqual(['web1 undefined', 'web2 undefined']);
  expect(await names(`echo '["web1", {"name": "web2", "groups": ["web"]}]'`)).toEqual([
    'web1 undefined',
    'web2 a',
  ]);
  await expect(names('true')).rejects.toThrow('it named no host');
  await expect(names('echo no such zone >&2; exit 1')).rejects.toThrow('no such zone');
  await expect(names(`echo '[{"name": "a", "rakc": 1}]'`)).rejects.toThrow(/host 1: .*rakc/);
  await expect(names('echo a b')).rejects.toThrow(/host 1: name expected letters/);
  await expect(loadInventory({})).rejects.toThrow('--hosts');
});

test('hosts are chosen by name, group, tag and rack; a selector that names nothing is a slip', () => {
  const hosts = read(INVENTORY);
  const chosen = (only: string[], except: string[] = []): string[] =>
    selectHosts(hosts, only, except).map(({ name }) => name);
  expect(chosen([])).toEqual(['web1', 'web2', 'db1']);
  expect(chosen(['group:web'])).toEqual(['web1', 'web2']);
  expect(chosen(['db1', 'tag:canary'])).toEqual(['web1', 'db1']);
  expect(chosen([], ['rack:b'])).toEqual(['web1', 'db1']);
  expect(() => chosen(['web9'])).toThrow('"web9" is no host');
  expect(() => chosen(['db1'], ['db1'])).toThrow('no hosts');
});

import { execFile, spawnSync } from 'node:child_process';
import { mkdir, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type RunningProcess, startProcess, type TemporaryFolder, temporaryFolder } from '@rookery/testkit';
import { generateKeys } from '../../src/release/keys.ts';
import { buildProgram } from '../rollout/host-bundle.ts';
import { type Sshd, sshdAvailable, startSshd } from '../sshd.ts';
import { type Planted, plant } from '../support.ts';

const run = promisify(execFile);
export const PLUGIN: string = fileURLToPath(new URL('../../capistrano/rookery.rb', import.meta.url));

export const PAGE: string = await readFile(
  new URL('../../../../docs/capistrano.md', import.meta.url),
  'utf8',
);

/** What the page shows of a file. */
function example(name: string): string {
  const at = PAGE.indexOf(`<!-- ${name} -->\n\`\`\`ruby\n`);
  if (at === -1) throw new Error(`docs/capistrano.md shows no ${name}`);
  const from = PAGE.indexOf('```ruby\n', at) + '```ruby\n'.length;
  return PAGE.slice(from, PAGE.indexOf('```', from));
}

/** Whether Debian's Capistrano and sshd are here; with `ROOKERY_TEST_REQUIRE_CLIENTS=1`, as CI has it, they must be. */
export function capistranoAvailable(): boolean {
  if (spawnSync('cap', ['--version']).status === 0) return sshdAvailable();
  const reason = 'skipped: capistrano is not installed';
  if (process.env.ROOKERY_TEST_REQUIRE_CLIENTS === '1') throw new Error(reason);
  process.stderr.write(`${reason}\n`);
  return false;
}

/** A machine for Capistrano: an sshd, for which `deploy_to` is a folder of its own. */
export interface CapistranoHost {
  /** As errors name it. */
  readonly name: string;
  /** What is in its `deploy_to`, seen from outside. */
  at(...path: string[]): string;
  releases(): Promise<string[]>;
  /** Where `current` leads, as the name of a release. */
  current(): Promise<string>;
  text(path: string): Promise<string>;
}

export interface CapistranoWorld extends AsyncDisposable {
  /** The user's project: a git repository with a Capfile, and the key beside it. */
  readonly project: string;
  readonly hosts: readonly CapistranoHost[];
  /** The program, as a command line. */
  readonly command: string;
  /** Of all hosts. */
  readonly deployTo: string;
  plant(files: Readonly<Record<string, Planted>>): Promise<void>;
  /** Resolves to the commit. */
  commit(message: string): Promise<string>;
  git(...args: string[]): Promise<string>;
  /** Starts `cap production TASK`. */
  start(task: string, environment?: Readonly<Record<string, string>>): Promise<RunningProcess>;
  cap(
    task: string,
    environment?: Readonly<Record<string, string>>,
  ): Promise<{ readonly code: number | null; readonly output: string }>;
}

export interface CapistranoWorldOptions {
  readonly hosts: number;
  /** Lines of config/deploy.rb. */
  readonly settings?: readonly string[];
  /** Of the file system that a host fetches to, as tmpfs takes it. */
  readonly sizes?: Readonly<Record<number, string>>;
}

export async function capistranoWorld(options: CapistranoWorldOptions): Promise<CapistranoWorld> {
  const folder: TemporaryFolder = await temporaryFolder('rookery-capistrano-');
  const at = (...path: string[]): string => join(folder.path, ...path);
  const project = at('project');
  const deployTo = at('srv');
  await mkdir(deployTo);
  // Built, since `cap` starts it dozens of times: each start is a fifth of what the sources take.
  const command = `${process.execPath} ${await buildProgram(at('program'))}`;
  const daemons: Sshd[] = [];
  for (let index = 0; index < options.hosts; index++) {
    const own = at(`sshd${index}`);
    await mkdir(own);
    await mkdir(at(`host${index}`));
    const size = options.sizes?.[index];
    const mounts = [
      `mount --bind ${at(`host${index}`)} ${deployTo}`,
      // A home of its own, too: what login scripts print and do isn't under test.
      'mount -t tmpfs home ~',
      ...(size === undefined
        ? []
        : [`mkdir -p ${deployTo}/.rookery`, `mount -t tmpfs -o size=${size} small ${deployTo}/.rookery`]),
    ];
    const like = daemons[0];
    daemons.push(
      await startSshd({
        folder: own,
        mounts: mounts.join('\n'),
        ...(like === undefined ? {} : { like }),
      }),
    );
  }
  const hosts = daemons.map(({ port }, index) => hostAt(`127.0.0.1:${port}`, at(`host${index}`)));
  for (const host of hosts) {
    await mkdir(host.at('shared/config'), { recursive: true });
    await writeFile(host.at('shared/config/secrets.yml'), 'secret: 1\n');
  }
  const { privatePem, publicPem } = generateKeys();
  const [first] = daemons;
  await plant(project, {
    'release.key': privatePem,
    'release.key.pub': publicPem,
    '.gitignore': 'release.key\ntmp/\nlog/\n',
    Capfile: example('Capfile').replace(/require_relative .*/, `require ${JSON.stringify(PLUGIN)}`),
    'config/deploy.rb': [
      example('config/deploy.rb').replace('"/srv/shop"', JSON.stringify(deployTo)),
      'set :branch, ENV["BRANCH"] if ENV["BRANCH"]',
      'set :rookery_folder, ENV["FOLDER"] if ENV["FOLDER"]',
      `set :rookery_local_command, ${JSON.stringify(command)}`,
      `set :rookery_command, ENV.fetch("HOSTS_COMMAND", ${JSON.stringify(command)})`,
      ...(options.settings ?? []),
      '',
    ].join('\n'),
    'config/deploy/production.rb': [
      ...daemons.map(({ port, user }) => `server "127.0.0.1", user: "${user}", port: ${port}, roles: [:app]`),
      `set :ssh_options, keys: [${JSON.stringify(first?.keyFile)}], keys_only: true, config: false,`,
      `  verify_host_key: :always, user_known_hosts_file: ${JSON.stringify(first?.knownHostsFile)}`,
      '',
    ].join('\n'),
  });
  const git = async (...args: string[]): Promise<string> => {
    const identity = ['-c', 'user.name=Ann', '-c', 'user.email=ann@example.com'];
    return (await run('git', [...identity, ...args], { cwd: project })).stdout.trim();
  };
  await git('init', '--quiet', '--initial-branch', 'main');
  const start: CapistranoWorld['start'] = (task, environment = {}) =>
    startProcess({
      command: 'cap',
      args: ['production', task],
      cwd: project,
      env: { LC_ALL: 'C.UTF-8', USER: 'ann', ...environment },
    });
  return {
    project,
    deployTo,
    hosts,
    command,
    plant: (files) => plant(project, files),
    git,
    async commit(message) {
      await git('add', '--all');
      await git('commit', '--quiet', '--message', message);
      return git('rev-parse', 'HEAD');
    },
    start,
    async cap(task, environment) {
      await using process = await start(task, environment);
      const { code } = await process.waitForExit(120_000);
      return { code, output: process.output };
    },
    async [Symbol.asyncDispose]() {
      for (const daemon of daemons) await daemon[Symbol.asyncDispose]();
      // The mounts of a host end with the last process on it, which its sshd's end doesn't wait for.
      await rm(folder.path, { recursive: true, force: true, maxRetries: 50, retryDelay: 100 });
    },
  };
}

function hostAt(name: string, folder: string): CapistranoHost {
  const at = (...path: string[]): string => join(folder, ...path);
  return {
    name,
    at,
    releases: async () => (await readdir(at('releases'))).sort(),
    current: async () => (await readlink(at('current'))).split('/').at(-1)!,
    // `current` is absolute, and leads to where only the host sees it.
    async text(path) {
      const release = (await readlink(at('current'))).split('/').at(-1)!;
      return readFile(at('releases', release, path), 'utf8');
    },
  };
}

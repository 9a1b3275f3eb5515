import { execFile } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { waitFor } from '@rookery/testkit';
import { sshTransport } from '../../src/hosts/ssh/ssh.ts';
import type { Transport } from '../../src/hosts/transport.ts';
import { startSshd } from '../sshd.ts';
import { buildHostBundle } from './host-bundle.ts';

/** Hosts behind one sshd on loopback, and the user's configuration that leads to them. */
export interface SshHosts extends AsyncDisposable {
  readonly port: number;
  readonly folder: string;
  /** For `ssh -F`. */
  readonly config: string;
  readonly knownHosts: string;
  /** Where the hosts keep what they were sent. */
  readonly cache: string;
  readonly bundle: string;
  /** Takes every host for one that is behind this sshd. */
  readonly transport: Transport;
  /** As if it were another machine. */
  changeHostKey(): Promise<void>;
  /** From now on only somebody else is let in. */
  changeUserKey(): Promise<void>;
  stop(): Promise<void>;
  /** Of sshd. */
  log(): string;
}

export async function startSshHosts(
  folder: string,
  options: {
    /** Of sessions there. */
    readonly environment?: Readonly<Record<string, string>>;
    readonly bundle?: string;
    /** Hosts look for Node by themselves. Else they are told of this one, which is in no usual place. */
    readonly findNode?: boolean;
  } = {},
): Promise<SshHosts> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const cache = join(folder, 'cache');
  const environment = Object.entries({ XDG_CACHE_HOME: cache, ...options.environment });
  const sshd = await startSshd({
    folder,
    settings: [`SetEnv ${environment.map(([name, value]) => `"${name}=${value}"`).join(' ')}`],
  });
  const { port, user, keyFile, knownHostsFile, process: server } = sshd;
  const config = join(folder, 'ssh_config');
  const lines = [
    'Host *',
    `User ${user}`,
    `IdentityFile ${keyFile}`,
    'IdentitiesOnly yes',
    `UserKnownHostsFile ${knownHostsFile}`,
    'GlobalKnownHostsFile /dev/null',
  ];
  await writeFile(config, `${lines.join('\n')}\n`);
  const bundle = options.bundle ?? (await buildHostBundle(join(folder, 'bundle')));
  const ssh = sshTransport({ config, bundle });
  const place = {
    ...(options.findNode === true ? {} : { node: process.execPath }),
    transport: 'ssh',
    address: '127.0.0.1',
    port,
  } as const;
  return {
    port,
    folder,
    config,
    knownHosts: knownHostsFile,
    cache: join(cache, 'rookery-deploy'),
    bundle,
    transport: {
      name: 'ssh',
      open: (host, opening) =>
        ssh.open({ ...host, ...place, ...(host.node === undefined ? {} : { node: host.node }) }, opening),
    },
    async changeHostKey() {
      await rm(sshd.hostKeyFile);
      await makeKey(sshd.hostKeyFile);
      const starts = (): number => server.stderr.split('Server listening').length;
      const before = starts();
      server.kill('SIGHUP');
      await waitFor(() => starts() > before, { what: 'sshd to start anew' });
    },
    async changeUserKey() {
      await makeKey(join(folder, 'other_key'));
      await writeFile(join(folder, 'authorized_keys'), await readFile(join(folder, 'other_key.pub')));
    },
    log: () => server.stderr,
    stop: async () => sshd[Symbol.asyncDispose](),
    [Symbol.asyncDispose]: () => sshd[Symbol.asyncDispose](),
  };
}

async function makeKey(path: string): Promise<void> {
  await promisify(execFile)('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', path]);
}

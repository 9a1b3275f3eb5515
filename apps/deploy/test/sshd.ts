import { execFile, spawnSync } from 'node:child_process';
import { chmod, copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort, type RunningProcess, startProcess } from '@rookery/testkit';

const run = promisify(execFile);

/** Debian's openssh-server on loopback: no service of the system, its own keys and settings, for the user of the test. */
export interface Sshd extends AsyncDisposable {
  readonly port: number;
  readonly user: string;
  /** Of the client. */
  readonly keyFile: string;
  readonly knownHostsFile: string;
  readonly hostKeyFile: string;
  readonly process: RunningProcess;
}

export interface SshdOptions {
  /** Where its files go; must be there. */
  readonly folder: string;
  /** More lines of sshd_config(5). */
  readonly settings?: readonly string[];
  /**
   * Shell commands that make the machine what the host is to be, in a mount namespace of its own, before sshd starts:
   * what they mount is seen by nobody else. Needs root.
   */
  readonly mounts?: string;
  /** Another sshd whose client key is let in here, too, and whose known hosts this one is added to. */
  readonly like?: Sshd;
}

const SSHD = '/usr/sbin/sshd';

/** Whether sshd is here; with `ROOKERY_TEST_REQUIRE_CLIENTS=1`, as CI has it, it must be. */
export function sshdAvailable(): boolean {
  if (spawnSync(SSHD, ['-?']).error === undefined && process.getuid?.() === 0) return true;
  const reason = 'skipped: openssh-server is not installed, or the test is not run by root';
  if (process.env.ROOKERY_TEST_REQUIRE_CLIENTS === '1') throw new Error(reason);
  process.stderr.write(`${reason}\n`);
  return false;
}

export async function startSshd(options: SshdOptions): Promise<Sshd> {
  const { folder, settings = [], mounts, like } = options;
  const at = (name: string): string => join(folder, name);
  const port = await freePort();
  const knownHostsFile = like?.knownHostsFile ?? at('known_hosts');
  const keyFile = like?.keyFile ?? at('client_key');
  if (like === undefined) await makeKey(keyFile);
  await makeKey(at('host_key'));
  await copyFile(`${keyFile}.pub`, at('authorized_keys'));
  const { stdout: hostKey } = await run('ssh-keygen', ['-y', '-f', at('host_key')]);
  await writeFile(knownHostsFile, `[127.0.0.1]:${port} ${hostKey.trim()}\n`, { flag: 'a' });
  // Compiled in: sshd's unprivileged half is shut up in it.
  await mkdir('/run/sshd', { recursive: true, mode: 0o755 });
  const config = [
    'ListenAddress 127.0.0.1',
    `Port ${port}`,
    `HostKey ${at('host_key')}`,
    `AuthorizedKeysFile ${at('authorized_keys')}`,
    'PermitRootLogin prohibit-password',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'UsePAM no',
    'PidFile none',
    // The folders above the keys are /tmp's.
    'StrictModes no',
    // A hundred connections at once are what a push opens.
    'MaxStartups 200',
    'Subsystem sftp internal-sftp',
    ...settings,
  ];
  await writeFile(at('sshd_config'), `${config.join('\n')}\n`);
  const command = [SSHD, '-D', '-e', '-f', at('sshd_config')];
  const inside =
    mounts === undefined
      ? command
      : ['unshare', '--mount', 'sh', '-ec', `${mounts}\nexec "$@"`, 'sh', ...command];
  const [program, ...args] = inside;
  const process = await startProcess({
    command: program!,
    args,
    readyPattern: /Server listening on 127\.0\.0\.1 port/,
  });
  return {
    port,
    user: 'root',
    keyFile,
    knownHostsFile,
    hostKeyFile: at('host_key'),
    process,
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  };
}

/** ECDSA in PEM: what OpenSSH and Ruby's net-ssh both read, without a package more. */
async function makeKey(path: string): Promise<void> {
  await run('ssh-keygen', ['-q', '-t', 'ecdsa', '-m', 'PEM', '-N', '', '-C', 'test', '-f', path]);
  await chmod(path, 0o600);
}

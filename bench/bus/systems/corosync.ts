import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Hosts } from '@rookery/testkit';
import { compileClient, stopAll, whyMissingFiles } from '../programs.ts';
import type { RunningSystem, System } from '../system.ts';

export const corosyncUdp: System = corosync('udp', 'UDP multicast');
export const corosyncKnet: System = corosync('knet', 'its default transport knet, without encryption');

function corosync(transport: 'udp' | 'knet', told: string): System {
  return {
    name: `corosync-${transport}`,
    remark: `Corosync CPG over ${told}; at its default real-time priority; client in C; it has no safe delivery`,
    services: ['agreed'],
    totalOrder: true,
    whyMissing: () =>
      whyMissingFiles({
        '/usr/sbin/corosync': 'corosync',
        '/usr/include/corosync/cpg.h': 'libcpg-dev',
        '/usr/bin/gcc': 'gcc libc6-dev',
      }),
    start: (hosts, folder) => start(transport, hosts, folder),
  };
}

async function start(transport: string, hosts: Hosts, folder: string): Promise<RunningSystem> {
  const program = compileClient('cpg', 'cpg', folder);
  const configuration = join(folder, 'corosync.conf');
  await writeFile(configuration, configure(transport, hosts));
  const servers = await Promise.all(
    hosts.all.map(async (host, index) => {
      const state = join(folder, `h${index + 1}`);
      await mkdir(state);
      // Its lock file and its state have fixed paths, so each gets folders of its own there. What it shares with its
      // clients are files with random names and sockets of the network namespace.
      const script = [
        'mount -t tmpfs tmpfs /run',
        'mount --bind "$0" /var/lib/corosync',
        'exec corosync -f -c "$1"',
      ].join(' && ');
      return host.run('unshare', ['--mount', 'sh', '-c', script, state, configuration], {
        readyPattern: new RegExp(`Sync members\\[${hosts.all.length}\\]`),
      });
    }),
  );
  return {
    servers,
    client: () => ({ program }),
    [Symbol.asyncDispose]: () => stopAll(servers),
  };
}

function configure(transport: string, hosts: Hosts): string {
  const nodes = hosts.all.map(
    ({ address }, index) =>
      `  node {\n    nodeid: ${index + 1}\n    name: h${index + 1}\n    ring0_addr: ${address}\n  }`,
  );
  return `totem {
  version: 2
  cluster_name: bench
  transport: ${transport}
  crypto_cipher: none
  crypto_hash: none
}
nodelist {
${nodes.join('\n')}
}
logging {
  to_stderr: yes
  to_syslog: no
  to_logfile: no
}
`;
}

import { spawnSync } from 'node:child_process';

/** Null while it hasn't been asked: a process is told once. */
let whyNot: string | undefined | null = null;

/**
 * Whether this machine can make hosts, for `describe.skipIf(!hostsAvailable())`. When it can't, the reason goes to
 * stderr; with `ROOKERY_TEST_REQUIRE_CLIENTS=1`, as CI has it, the reason is thrown and the test file fails.
 */
export function hostsAvailable(): boolean {
  if (whyNot === null) {
    whyNot = whyNoHosts();
    if (whyNot !== undefined) process.stderr.write(`no hosts in network namespaces: ${whyNot}\n`);
  }
  if (whyNot !== undefined && process.env.ROOKERY_TEST_REQUIRE_CLIENTS === '1') throw new Error(whyNot);
  return whyNot === undefined;
}

function whyNoHosts(): string | undefined {
  if (process.platform !== 'linux') return 'network namespaces are of Linux';
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  return (
    whyFails('iproute2', 'ip', ['-V']) ??
    whyFails('iproute2', 'tc', ['-V']) ??
    whyFails('nftables', 'nft', ['--version']) ??
    // Root of a container may not make namespaces, nor veth pairs, nor rules of nft in them.
    whyFails('util-linux', 'unshare', [
      ...['--net', 'sh', '-ec'],
      [
        'ip link add bridge0 type bridge mcast_snooping 0',
        'ip link add veth0 type veth peer name veth1',
        'ip link set veth0 master bridge0',
        'nft add table netdev rookery',
      ].join('; '),
    ])
  );
}

function whyFails(debianPackage: string, name: string, args: readonly string[]): string | undefined {
  const { error, status, stderr } = spawnSync(name, args, { encoding: 'utf8' });
  if (error !== undefined) return `${error.message}; Debian's package ${debianPackage} has ${name}`;
  return status === 0 ? undefined : `"${[name, ...args].join(' ')}" fails: ${stderr.trim()}`;
}

import { hostsAvailable } from './available.ts';
import { command } from './command.ts';
import { type Cabling, device, type Host, hostOn, linkIs } from './host.ts';
import { addNamespaces, newPrefix, removeLeftovers, removeNamespaces } from './namespaces.ts';

export interface HostsOptions {
  /** Default 3; up to 254. */
  readonly count?: number;
  /** Bytes of the largest packet. Default 1500. */
  readonly mtu?: number;
}

export interface Hosts extends AsyncDisposable {
  readonly all: readonly Host[];
  /** Counted from 0. */
  host(index: number): Host;
  /** Kills what runs on the hosts and removes them. */
  dispose(): Promise<void>;
}

/**
 * Hosts on one switch, each in a network namespace: real sockets, real loss. Needs root: see `hostsAvailable`.
 * The addresses are 10.77.0.1 and fd00:77::1 onwards; multicast reaches every host.
 * @example
 * await using hosts = await createHosts({ count: 2 });
 * await using server = await hosts.host(0).run('node', ['server.js'], { readyPattern: /ready/ });
 * await hosts.host(1).loss({ percent: 5, from: hosts.host(0) });
 */
export async function createHosts({ count = 3, mtu = 1500 }: HostsOptions = {}): Promise<Hosts> {
  if (!(Number.isInteger(count) && count >= 1 && count <= 254)) throw new RangeError(`${count} hosts`);
  if (!hostsAvailable()) throw new Error('this machine can make no hosts: the reason is on stderr');
  await removeLeftovers();
  const prefix = newPrefix();
  const bridge = `${prefix}-bridge`;
  const cablings = Array.from({ length: count }, (_, index): Cabling => {
    const number = index + 1;
    return {
      name: `${prefix}-h${number}`,
      address: `10.77.0.${number}`,
      address6: `fd00:77::${number.toString(16)}`,
      mtu,
      bridge,
      port: `h${number}`,
    };
  });
  let gone = false;
  const dispose = (): Promise<void> => {
    gone = true;
    return removeNamespaces([...cablings.map(({ name }) => name), bridge]);
  };
  try {
    await addNamespaces([bridge, ...cablings.map(({ name }) => name)]);
    await Promise.all(cablings.map(skipAddressDetection));
    await plug(cablings, bridge, mtu);
    await Promise.all(cablings.map(configure));
    await Promise.all(
      cablings.map(async ({ name, port }) => {
        await linkIs(bridge, port, 'up');
        await linkIs(name, device, 'up');
      }),
    );
  } catch (error) {
    await dispose();
    throw error;
  }
  const all = cablings.map((cabling) => hostOn(cabling, () => gone));
  return {
    all,
    host(index) {
      const host = all[index];
      if (host === undefined) throw new RangeError(`there is no host ${index}, only ${count}`);
      return host;
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

/** An IPv6 address can't be used in its first second otherwise, while the host asks whether it is taken. */
async function skipAddressDetection({ name }: Cabling): Promise<void> {
  const settings = ['all', 'default'].map((of) => `echo 0 > /proc/sys/net/ipv6/conf/${of}/accept_dad`);
  await command('ip', ['netns', 'exec', name, 'sh', '-ec', settings.join('; ')]);
}

async function plug(cablings: readonly Cabling[], bridge: string, mtu: number): Promise<void> {
  const lines = [`link add bridge0 mtu ${mtu} type bridge mcast_snooping 0`, 'link set bridge0 up'];
  for (const { name, port } of cablings) {
    lines.push(`link add ${port} mtu ${mtu} type veth peer name ${device} mtu ${mtu} netns ${name}`);
    lines.push(`link set ${port} master bridge0 up`);
  }
  await command('ip', ['-n', bridge, '-batch', '-'], `${lines.join('\n')}\n`);
}

async function configure({ name, address, address6 }: Cabling): Promise<void> {
  const lines = [
    'link set lo up',
    `address add ${address}/24 dev ${device}`,
    `address add ${address6}/64 dev ${device} nodad`,
    `link set ${device} up`,
    // For senders that don't name a device.
    `route add 224.0.0.0/4 dev ${device}`,
  ];
  await command('ip', ['-n', name, '-batch', '-'], `${lines.join('\n')}\n`);
}

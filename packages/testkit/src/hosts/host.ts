import { type RunningProcess, type StartOptions, startProcess } from '../process.ts';
import { waitFor } from '../wait.ts';
import { command } from './command.ts';

export interface HostLoss {
  /** 0 to 100, of the packets that arrive; 100 is a cut in this direction. */
  readonly percent: number;
  /** Only what this host sends; default: what any host sends. */
  readonly from?: Host;
  /** Only these packets; default: all of IPv4 and IPv6. Who has which address can always be asked. */
  readonly protocol?: 'udp';
}

/** A machine as far as its network goes: files and processes are shared with all others. */
export interface Host {
  /** Of its network namespace. */
  readonly name: string;
  readonly address: string;
  readonly address6: string;
  /** Starts a program on this host; `pid` and signals are the program's own. */
  run(
    program: string,
    args?: readonly string[],
    options?: Omit<StartOptions, 'command' | 'args'>,
  ): Promise<RunningProcess>;
  /** Pulls the cable out or plugs it in; resolves when the host has noticed. */
  link(state: 'up' | 'down'): Promise<void>;
  /** Drops packets that arrive here, at random. A second call for the same `from` replaces the first. */
  loss(loss: HostLoss): Promise<void>;
  clearLoss(): Promise<void>;
  /** Bounds what it sends, and what it is sent, to so much each; `Infinity` lifts the bound. */
  limitRate(limit: { readonly bitsPerSecond: number }): Promise<void>;
}

export interface Cabling {
  readonly name: string;
  readonly address: string;
  readonly address6: string;
  readonly mtu: number;
  /** The bridge's namespace, and the name there of this host's port. */
  readonly bridge: string;
  readonly port: string;
}

/** Every host's own. */
export const device = 'eth0';

/** `isGone`: whether the host's disposal has begun; what would start after it would outlive it. */
export function hostOn(cabling: Cabling, isGone: () => boolean): Host {
  const { name, address, address6, mtu, bridge, port } = cabling;
  const losses = new Map<Host | undefined, HostLoss>();
  let limits = 0;

  // At the device and not at the socket: a fragment can be lost.
  const applyLosses = (): Promise<string> =>
    command(
      'ip',
      ['netns', 'exec', name, 'nft', '-f', '-'],
      [
        'table netdev rookery',
        'delete table netdev rookery',
        'table netdev rookery {',
        'chain arriving {',
        `type filter hook ingress device ${device} priority 0`,
        // Without its neighbours' addresses a host can't send either: a cut would go both ways.
        'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept',
        ...[...losses.values()].flatMap(rules),
        '}',
        '}',
        '',
      ].join('\n'),
    );

  return {
    name,
    address,
    address6,
    async run(program, args = [], options = {}) {
      if (isGone()) throw new Error(`${name} is gone, it can't run ${program}`);
      return startProcess({ ...options, command: 'ip', args: ['netns', 'exec', name, program, ...args] });
    },
    async link(state) {
      // The far end of the cable: the host keeps its addresses and routes.
      await command('ip', ['-n', bridge, 'link', 'set', port, state]);
      await Promise.all([linkIs(bridge, port, state), linkIs(name, device, state)]);
    },
    async loss(loss) {
      if (!(loss.percent >= 0 && loss.percent <= 100)) throw new RangeError(`loss of ${loss.percent} %`);
      losses.set(loss.from, loss);
      await applyLosses();
    },
    async clearLoss() {
      losses.clear();
      await applyLosses();
    },
    async limitRate({ bitsPerSecond }) {
      const ends = [
        [name, device],
        [bridge, port],
      ] as const;
      limits++;
      for (const [namespace, end] of ends) {
        await shape(namespace, end, { handle: `${limits}:`, bitsPerSecond, mtu });
      }
    },
  };
}

/** Waits for one end of a cable to be seen as plugged in or pulled out. */
export async function linkIs(namespace: string, end: string, state: 'up' | 'down'): Promise<void> {
  await waitFor(
    async () => {
      const shown = await command('ip', ['-n', namespace, '-o', 'link', 'show', end]);
      return shown.includes(` state ${state.toUpperCase()} `);
    },
    { what: `${end} of ${namespace} to be ${state}` },
  );
}

function rules({ percent, from, protocol }: HostLoss): string[] {
  const what = protocol === undefined ? '' : `meta l4proto ${protocol}`;
  const chance = percent === 100 ? '' : `numgen random mod 100000 < ${Math.round(percent * 1000)}`;
  if (from === undefined) return [`meta protocol { ip, ip6 } ${what} ${chance} drop`];
  return [
    `ip saddr ${from.address} ${what} ${chance} drop`,
    `ip6 saddr ${from.address6} ${what} ${chance} drop`,
  ];
}

/**
 * A queue of 50 ms before packets are dropped, as in a small switch. Each has a handle of its own, so that it takes the
 * place of the one before, whose packets are lost: `tbf` that is only changed waits for ever when a packet is under way
 * that the smaller bucket can't hold.
 */
async function shape(
  namespace: string,
  end: string,
  limit: { readonly handle: string; readonly bitsPerSecond: number; readonly mtu: number },
): Promise<void> {
  const { handle, bitsPerSecond, mtu } = limit;
  const replace = ['-n', namespace, 'qdisc', 'replace', 'dev', end, 'root'];
  if (bitsPerSecond === Infinity) {
    await command('tc', [...replace, 'noqueue']);
    return;
  }
  // The bucket holds 10 ms, the longest tick of Linux' clock, and some packets at least.
  const burst = Math.max(Math.ceil(bitsPerSecond / 8 / 100), 4 * (mtu + 14));
  const bucket = ['rate', `${Math.round(bitsPerSecond)}bit`, 'burst', `${burst}`, 'latency', '50ms'];
  await command('tc', [...replace, 'handle', handle, 'tbf', ...bucket]);
}

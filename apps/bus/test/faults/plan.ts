/** Which faults strike when: all of it follows from the seed. */
import type { Random } from '@rookery/testkit';

/** Hosts are counted from 0. */
export type Fault =
  | { readonly kind: 'link'; readonly host: number }
  /** SIGSTOP. */
  | { readonly kind: 'stop'; readonly host: number }
  | { readonly kind: 'kill'; readonly host: number }
  /** Nothing that one sends arrives at the other. */
  | { readonly kind: 'one way'; readonly from: number; readonly to: number }
  | { readonly kind: 'deaf'; readonly host: number }
  /** Nothing that it sends arrives anywhere. */
  | { readonly kind: 'mute'; readonly host: number }
  | { readonly kind: 'isolated'; readonly host: number }
  | { readonly kind: 'lossy'; readonly percent: number };

export interface Strike {
  /** Since the last one of this sequence was over. */
  readonly afterMs: number;
  readonly fault: Fault;
  readonly forMs: number;
}

/** Three sequences at the same time: to links, to processes, to packets. */
export function planFaults(random: Random, hosts: number, forMs: number): readonly (readonly Strike[])[] {
  return [linkFault, processFault, packetFault].map((draw) =>
    sequence(random, forMs, () => draw(random, hosts)),
  );
}

function sequence(random: Random, forMs: number, draw: () => Fault): Strike[] {
  const strikes: Strike[] = [];
  for (let atMs = 0; ; ) {
    const afterMs = random.between(100, 3000);
    // Short ones go unnoticed, or strike in the middle of a ring's forming; long ones are noticed by all.
    const lastsMs = random.chance(0.4) ? random.between(20, 300) : random.between(300, 2500);
    atMs += afterMs + lastsMs;
    if (atMs > forMs) return strikes;
    strikes.push({ afterMs, fault: draw(), forMs: lastsMs });
  }
}

function linkFault(random: Random, hosts: number): Fault {
  return { kind: 'link', host: random.below(hosts) };
}

function processFault(random: Random, hosts: number): Fault {
  return { kind: random.pick(['stop', 'kill'] as const), host: random.below(hosts) };
}

function packetFault(random: Random, hosts: number): Fault {
  const kind = random.weighted({ 'one way': 2, deaf: 1, mute: 1, isolated: 2, lossy: 2 });
  const host = random.below(hosts);
  if (kind === 'one way') return { kind, from: host, to: (host + random.between(1, hosts - 1)) % hosts };
  if (kind === 'lossy') return { kind, percent: random.between(1, 15) };
  return { kind, host };
}

import { Random } from '@rookery/testkit';

// How the time of a transfer grows with the number of hosts: a model of the swarm, not the swarm. In a turn each host
// gives one piece to one neighbour and takes one from one; links are all equal. Run this file to print the curve.

const NEIGHBOURS = 9;

/** Turns until every host has every piece; one copy over one link takes as many as there are pieces. */
export function turnsToAll(hosts: number, pieces: number, seed: number): number {
  const random = new Random(seed);
  // Host 0 is the origin.
  const near: Set<number>[] = Array.from({ length: hosts + 1 }, () => new Set());
  for (let host = 1; host <= hosts; host++) {
    // Who comes later dials, as the tracker deals it out: to some of those that are there.
    for (let i = 0; i < Math.min(host, Math.ceil(NEIGHBOURS / 2)); i++) {
      const other = random.below(host);
      near[host]!.add(other);
      near[other]!.add(host);
    }
  }
  const neighbours = near.map((set) => [...set]);
  const has = Array.from({ length: hosts + 1 }, (_, host) => new Uint8Array(pieces).fill(host === 0 ? 1 : 0));
  const missing = new Int32Array(hosts + 1).fill(pieces);
  missing[0] = 0;
  const copies = new Int32Array(pieces).fill(1);
  const order = Array.from({ length: hosts + 1 }, (_, host) => host);
  let incomplete = hosts;
  let turns = 0;
  while (incomplete > 0) {
    turns++;
    const taken = new Uint8Array(hosts + 1);
    const came: { readonly host: number; readonly piece: number }[] = [];
    for (const giver of random.shuffle(order)) {
      const asked = neighbours[giver]!;
      const first = random.below(asked.length);
      for (let i = 0; i < asked.length; i++) {
        const taker = asked[(first + i) % asked.length]!;
        if (taken[taker] === 1 || missing[taker] === 0) continue;
        const piece = rarest(has[giver]!, has[taker]!, copies, random);
        if (piece === -1) continue;
        taken[taker] = 1;
        came.push({ host: taker, piece });
        break;
      }
    }
    // What came in a turn can be given on in the next.
    for (const { host, piece } of came) {
      has[host]![piece] = 1;
      copies[piece]!++;
      if (--missing[host]! === 0) incomplete--;
    }
  }
  return turns;
}

/** Of the pieces that one has and the other lacks, the one with the fewest copies. */
function rarest(has: Uint8Array, lacks: Uint8Array, copies: Int32Array, random: Random): number {
  const first = random.below(has.length);
  let best = -1;
  for (let i = 0; i < has.length; i++) {
    const piece = (first + i) % has.length;
    if (has[piece] === 0 || lacks[piece] === 1) continue;
    if (best === -1 || copies[piece]! < copies[best]!) best = piece;
  }
  return best;
}

if (import.meta.main) {
  // 3,000 copies of 100 MB leave one server at 1 Gbit/s in 40 minutes.
  const pieces = 200;
  const bytes = 100e6;
  const bytesPerSecond = 125e6;
  const oneCopySeconds = bytes / bytesPerSecond;
  console.log('100 MB, every link 1 Gbit/s both ways; a model: no start, no disk, no hash');
  console.log('hosts    one server      swarm    of one copy');
  for (const hosts of [1, 10, 100, 300, 1_000, 3_000, 10_000]) {
    const seconds = (turnsToAll(hosts, pieces, 1) / pieces) * oneCopySeconds;
    const server = hosts * oneCopySeconds;
    console.log(
      `${String(hosts).padStart(5)} ${server.toFixed(1).padStart(10)} s ${seconds.toFixed(2).padStart(10)} s ${(seconds / oneCopySeconds).toFixed(2).padStart(10)}`,
    );
  }
}

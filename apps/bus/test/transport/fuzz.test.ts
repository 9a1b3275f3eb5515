/**
 * Whatever comes to the ring's socket: nothing throws, and nothing but what a proven peer sealed, once, gets through.
 *
 * `ROOKERY_TEST_FUZZ_RUNS` sets how many datagrams (default 100,000), `ROOKERY_TEST_SEED` replays a failure.
 */
import {
  ENVELOPE_HEADER_BYTES,
  type EnvelopeKind,
  encodeProof,
  encodeQuestion,
  SealCode,
} from '@rookery/protocol/bus';
import { Random } from '@rookery/testkit';
import { expect, it } from 'vitest';
import { createSeals } from '../../src/transport/seal.ts';
import { known, SimulatedHosts } from './simulated.ts';

const RUNS = Number(process.env.ROOKERY_TEST_FUZZ_RUNS ?? 100_000);
const SEED = Number(process.env.ROOKERY_TEST_SEED ?? Date.now() % 0x7fff_ffff);

/** Changes at least one byte, or the length. */
function mutate(datagram: Buffer, random: Random): Buffer {
  switch (random.below(4)) {
    case 0:
      return datagram.subarray(0, random.below(datagram.length));
    case 1:
      return Buffer.concat([datagram, random.bytes(1 + random.below(40))]);
    default: {
      const mutated = Buffer.from(datagram);
      // Mostly in the header, whose fields decide which way a datagram goes.
      const end = random.chance(0.6) ? ENVELOPE_HEADER_BYTES : datagram.length;
      const at = random.below(end);
      mutated[at]! ^= 1 + random.below(255);
      return mutated;
    }
  }
}

it.each([
  ['HMAC', SealCode.hmac],
  ['AES-GCM', SealCode.gcm],
])(
  `${RUNS / 2} random, altered and repeated datagrams (ROOKERY_TEST_SEED=${SEED}), with %s`,
  async (_name, code) => {
    const random = new Random(SEED);
    const encrypt = code === SealCode.gcm;
    const hosts = new SimulatedHosts(SEED);
    const a = hosts.start(1, 11, { encrypt });
    const b = hosts.start(2, 12, { encrypt, seeds: [1] });
    await hosts.clock.advance(10);
    for (let i = 0; i < 50; i++) b.exchange.multicast(random.bytes(random.below(200)));
    await hosts.clock.advance(10);
    expect(a.heard).toHaveLength(50);

    // Also what was never sent to a: so that only the seal, and not its count, can be why it is refused.
    hosts.network.drops = () => true;
    for (let i = 0; i < 50; i++) b.exchange.multicast(random.bytes(random.below(200)));
    const unsent = hosts.recorded.slice(-50).map(({ datagram }) => datagram);
    const sent = hosts.recorded.slice(0, -50).map(({ datagram }) => datagram);
    const forged = createSeals(Buffer.from('another secret, as long as that'), encrypt).sealer(
      Buffer.alloc(16, 9),
    );
    const proof = encodeProof({ nonce: Buffer.alloc(16), id: 12, name: 'd12', ageMs: 0 });
    const bodies = [Buffer.from('packet'), encodeQuestion(Buffer.alloc(16)), proof, Buffer.alloc(19, 1)];

    for (let run = 0; run < RUNS / 2; run++) {
      let datagram: Buffer;
      const sort = random.below(10);
      if (sort === 0) datagram = random.bytes(random.below(300));
      else if (sort === 1) {
        datagram = random.bytes(ENVELOPE_HEADER_BYTES + random.below(200));
        datagram.set([1, random.below(4), random.below(5), 0]);
        datagram.set([0, 0], 26);
      } else if (sort === 2) {
        const kind = random.below(4);
        datagram = forged(kind as EnvelopeKind, run + 1, bodies[kind]!);
      } else if (sort === 3) datagram = random.pick(sent);
      else datagram = mutate(random.pick(random.chance(0.5) ? unsent : sent), random);
      hosts.inject(a, datagram, random.pick([2, 66, 67]));
      if (run % 100 === 0) await hosts.clock.advance(1);
    }
    expect(a.heard).toHaveLength(50);
    expect(known(a)).toEqual({ 12: 2 });
    const { malformed, badSeal, otherSeal, replayed } = a.exchange.stats;
    if (RUNS >= 1000)
      for (const count of [malformed, badSeal, otherSeal, replayed]) expect(count).toBeGreaterThan(10);
    // The true ones still get through: no forgery has used up their places.
    for (const datagram of unsent) hosts.inject(a, datagram, 2);
    expect(a.heard).toHaveLength(100);
  },
  60_000 + RUNS,
);

it(
  `${RUNS} datagrams without a seal never throw and keep the directory within its bounds (ROOKERY_TEST_SEED=${SEED})`,
  async () => {
    const random = new Random(SEED);
    const hosts = new SimulatedHosts(SEED);
    const a = hosts.start(1, 11, { secret: undefined });
    for (let run = 0; run < RUNS; run++) {
      const datagram = random.bytes(ENVELOPE_HEADER_BYTES + random.below(200));
      datagram.set([1, 0, random.below(4), 0]);
      datagram.set([0, 0], 26);
      if (random.chance(0.3)) datagram.fill(random.below(4), 4, 20);
      const lengths = [89, 91, 28 + 19];
      const given = random.chance(0.5) ? datagram : datagram.subarray(0, 28 + random.pick(lengths));
      hosts.inject(a, given, random.below(200));
      if (run % 100 === 0) await hosts.clock.advance(1);
    }
    // Nobody has seen a nonce, so nobody can prove anything.
    expect([a.heard, known(a)]).toEqual([[], {}]);
    expect(a.exchange.stats.asked).toBeGreaterThan(10);
    expect(a.exchange.stats.answered).toBeGreaterThan(0);
  },
  60_000 + RUNS,
);

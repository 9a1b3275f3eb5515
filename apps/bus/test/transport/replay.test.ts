/** What somebody can do who records, repeats, alters and forges datagrams, but doesn't know the secret: nothing. */
import { EnvelopeKind, encodeProof, kindOf } from '@rookery/protocol/bus';
import { describe, expect, it } from 'vitest';
import { createSeals } from '../../src/transport/seal.ts';
import { known, type Member, SECRET, SimulatedHosts } from './simulated.ts';

const ATTACKER = 66;

describe.each([
  ['HMAC', { encrypt: false }],
  ['AES-GCM', { encrypt: true }],
])('with %s', (_name, options) => {
  /** Two daemons that have talked, and what they said. */
  async function talked(): Promise<{ hosts: SimulatedHosts; a: Member; b: Member; recording: Buffer[] }> {
    const hosts = new SimulatedHosts();
    const a = hosts.start(1, 11, options);
    const b = hosts.start(2, 12, { ...options, seeds: [1] });
    await hosts.clock.advance(10);
    for (let i = 0; i < 100; i++) b.exchange.multicast(Buffer.from(`b ${i}`));
    b.exchange.unicast(11, Buffer.from('b for a'));
    await hosts.clock.advance(10);
    expect(a.heard).toHaveLength(101);
    return { hosts, a, b, recording: hosts.recorded.map(({ datagram }) => Buffer.from(datagram)) };
  }

  it('datagrams of this life pass once', async () => {
    const { hosts, a, recording } = await talked();
    for (const datagram of recording) hosts.inject(a, datagram, 2);
    for (const datagram of recording) hosts.inject(a, datagram, ATTACKER);
    await hosts.clock.advance(100);
    expect(a.heard).toHaveLength(101);
    expect(a.exchange.stats.replayed).toBeGreaterThanOrEqual(202);
    expect(known(a)).toEqual({ 12: 2 });
  });

  it('datagrams of an earlier life of the sender prove nothing, before and after it is back', async () => {
    const { hosts, a, b, recording } = await talked();
    hosts.stop(b);
    for (const datagram of recording) hosts.inject(a, datagram, ATTACKER);
    hosts.start(2, 12, { ...options, seeds: [1] });
    await hosts.clock.advance(100);
    for (const datagram of recording) hosts.inject(a, datagram, ATTACKER);
    await hosts.clock.advance(5000);
    expect(a.heard).toHaveLength(101);
    expect(known(a)).toEqual({ 12: 2 });
  });

  it('datagrams of this life of the sender, played to a receiver that has just started, do not pass', async () => {
    const { hosts, a, recording } = await talked();
    hosts.stop(a);
    const again = hosts.start(1, 11, options);
    for (const datagram of recording) hosts.inject(again, datagram, 2);
    await hosts.clock.advance(100);
    // By now the sender has proven itself, because the recording made us ask.
    expect(known(again)).toEqual({ 12: 2 });
    for (const datagram of recording) hosts.inject(again, datagram, 2);
    await hosts.clock.advance(100);
    expect(again.heard).toEqual([]);
  });

  it('who sees the question can answer neither with what was recorded nor with what it makes up', async () => {
    const { hosts, a, b, recording } = await talked();
    hosts.stop(b);
    const before = hosts.recorded.length;
    for (const datagram of recording) hosts.inject(a, datagram, ATTACKER);
    const other = createSeals(Buffer.from('another secret, as long as that'), options.encrypt);
    // Of a life that a has forgotten, so that it asks.
    const stranger = createSeals(SECRET, options.encrypt).sealer(Buffer.alloc(16, 7));
    hosts.inject(a, stranger(EnvelopeKind.packet, 1, Buffer.from('a recorded stranger')), ATTACKER);
    const questions = hosts.recorded
      .slice(before)
      .filter(({ datagram }) => kindOf(datagram) === EnvelopeKind.whoAreYou);
    expect(questions.length).toBeGreaterThan(0);
    for (const { datagram } of questions) {
      const nonce = datagram.subarray(28, 44);
      const body = encodeProof({ nonce, id: 12, name: 'd12', ageMs: 0 });
      hosts.inject(a, other.sealer(Buffer.alloc(16, 9))(EnvelopeKind.thisIsMe, 5, body), ATTACKER);
      // Its own question, as it came.
      hosts.inject(a, datagram, ATTACKER);
      for (const old of recording.filter((each) => kindOf(each) === EnvelopeKind.thisIsMe)) {
        const patched = Buffer.from(old);
        nonce.copy(patched, 28);
        hosts.inject(a, patched, ATTACKER);
      }
    }
    expect(a.exchange.stats.badSeal).toBeGreaterThan(0);
    expect(a.events.filter(({ kind }) => kind === 'met')).toHaveLength(1);
    expect(known(a)).toEqual({ 12: 2 });
    expect(a.heard).toHaveLength(101);
  });

  it('any byte that is altered is noticed', async () => {
    const { hosts, a, b } = await talked();
    hosts.network.drops = () => true;
    b.exchange.multicast(Buffer.from('altered'));
    const { datagram } = hosts.recorded.at(-1)!;
    for (let at = 0; at < datagram.length; at++) {
      const altered = Buffer.from(datagram);
      altered[at]! ^= 1 << (at % 8);
      hosts.inject(a, altered, 2);
    }
    expect(a.heard).toHaveLength(101);
    // And none of them has used up the true one's place.
    hosts.inject(a, datagram, 2);
    expect(a.heard.at(-1)).toBe('altered');
  });

  it('those with another secret, or another kind of seal, do not get to know each other', async () => {
    const hosts = new SimulatedHosts();
    const a = hosts.start(1, 11, options);
    const wrong = hosts.start(2, 12, {
      ...options,
      secret: Buffer.from('another secret of the test'),
      seeds: [1],
    });
    const unlike = hosts.start(3, 13, { encrypt: !options.encrypt, seeds: [1] });
    const bare = hosts.start(4, 14, { secret: undefined, seeds: [1] });
    await hosts.clock.advance(5000);
    for (const member of [a, wrong, unlike, bare]) expect(known(member)).toEqual({});
    expect(a.exchange.stats.badSeal).toBeGreaterThan(5);
    expect(a.exchange.stats.otherSeal).toBeGreaterThan(10);
    expect(a.sent).toEqual([]);
  });

  it('a seal adds what it says it adds', async () => {
    const { a, b } = await talked();
    b.exchange.multicast(Buffer.alloc(100));
    expect(b.sent.at(-1)!.datagram.length).toBe(100 + a.exchange.overheadBytes);
  });

  it('nobody gets an answer that is longer than the question', async () => {
    const { hosts } = await talked();
    const lengths = (kind: EnvelopeKind): number[] =>
      hosts.recorded
        .filter(({ datagram }) => kindOf(datagram) === kind)
        .map(({ datagram }) => datagram.length);
    const shortest = Math.min(...lengths(EnvelopeKind.whoAreYou));
    expect(Math.max(...lengths(EnvelopeKind.thisIsMe))).toBeLessThanOrEqual(shortest);
  });
});

it('without a secret forged counters silence two daemons for each other until they have asked again, within two seconds', async () => {
  const open = { secret: undefined };
  const hosts = new SimulatedHosts();
  const a = hosts.start(1, 11, open);
  const b = hosts.start(2, 12, { ...open, seeds: [1] });
  await hosts.clock.advance(10);
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    from.exchange.multicast(Buffer.from('to be forged'));
    const forged = Buffer.from(hosts.recorded.at(-1)!.datagram);
    forged.fill(0xff, 20, 25);
    hosts.inject(to, forged, ATTACKER);
  }
  for (let ms = 0; ms < 2000; ms += 100) {
    a.exchange.multicast(Buffer.from(`at ${ms}`));
    b.exchange.multicast(Buffer.from(`at ${ms}`));
    await hosts.clock.advance(100);
  }
  for (const { heard } of [a, b]) {
    expect(heard).not.toContain('at 0');
    expect(heard).toContain('at 1900');
  }
  expect([known(a), known(b)]).toEqual([{ 12: 2 }, { 11: 1 }]);
});

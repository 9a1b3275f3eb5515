/** Transports on the real sockets of this machine. */
import { ServiceError } from '@rookery/service';
import { freeUdpPort, waitFor } from '@rookery/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import { createTransport, type TransportOptions } from '../../src/transport/transport.ts';
import { seed, startDaemon, stopAll, untilHeard, untilKnown } from './daemons.ts';
import { hasIpv6, hasMulticast } from './sockets.ts';

afterEach(stopAll);

const MULTICAST = await hasMulticast();
const IPV6 = await hasIpv6();

describe.each([
  ['no secret', { secret: undefined }],
  ['a secret', {}],
  ['a secret and encryption', { encrypt: true }],
])('two daemons with %s', (_what, options) => {
  it('talk in both directions when only one has the other as a peer', async () => {
    const a = await startDaemon(1, options);
    const b = await startDaemon(2, { ...options, peers: seed(a) });
    await Promise.all([untilKnown(a, 2), untilKnown(b, 1)]);
    a.transport.multicast(Buffer.from('to all'));
    a.transport.unicast(2, Buffer.from('to b'));
    b.transport.unicast(1, Buffer.from('to a'));
    await Promise.all([untilHeard(b, 'to all'), untilHeard(b, 'to b'), untilHeard(a, 'to a')]);
    expect(b.heard).toEqual(['to all', 'to b']);
    expect(a.transport.peers).toMatchObject([{ id: 2, name: 'd2', address: `127.0.0.1:${b.port}` }]);
  });
});

it('a datagram of 65,000 bytes comes whole', async () => {
  const a = await startDaemon(1);
  const b = await startDaemon(2, { peers: seed(a) });
  await untilKnown(b, 1);
  b.transport.unicast(1, Buffer.alloc(65_000, 'x'));
  await waitFor(() => a.heard[0]?.length === 65_000, { what: 'the large datagram' });
});

it('a new daemon finds all by one that lives, though its other peers are dead', async () => {
  const dead = { host: '127.0.0.1', port: await freeUdpPort() };
  const a = await startDaemon(1, { peers: [dead] });
  const b = await startDaemon(2, { peers: [dead, ...seed(a)] });
  await untilKnown(b, 1);
  const c = await startDaemon(3, { peers: [dead, { host: 'localhost', port: b.port }] });
  await Promise.all([untilKnown(a, 2, 3), untilKnown(b, 1, 3), untilKnown(c, 1, 2)]);
  c.transport.multicast(Buffer.from('here I am'));
  await Promise.all([untilHeard(a, 'here I am'), untilHeard(b, 'here I am')]);
});

it('a daemon that is started again at another port is reached there', async () => {
  const a = await startDaemon(1);
  const b = await startDaemon(2, { peers: seed(a) });
  await untilKnown(a, 2);
  await b.transport.stop();
  const again = await startDaemon(2, { peers: seed(a) });
  await waitFor(() => a.transport.peers[0]?.address === `127.0.0.1:${again.port}`, {
    what: 'the new address',
  });
  a.transport.unicast(2, Buffer.from('hello again'));
  await untilHeard(again, 'hello again');
});

it.skipIf(!MULTICAST)(
  'daemons of one machine hear each other by a group (skipped without multicast on lo)',
  async () => {
    const multicast = { host: '239.77.1.1', port: await freeUdpPort() };
    const daemons = await Promise.all([1, 2, 3].map((id) => startDaemon(id, { multicast })));
    const [a, b, c] = daemons as [(typeof daemons)[0], (typeof daemons)[0], (typeof daemons)[0]];
    await Promise.all([untilKnown(a, 2, 3), untilKnown(b, 1, 3), untilKnown(c, 1, 2)]);
    a.transport.multicast(Buffer.from('to the group'));
    b.transport.unicast(3, Buffer.from('only for c'));
    await Promise.all([
      untilHeard(b, 'to the group'),
      untilHeard(c, 'to the group'),
      untilHeard(c, 'only for c'),
    ]);
    expect([a.heard, b.heard]).toEqual([[], ['to the group']]);
    expect(a.transport.stats.own).toBeGreaterThan(0);
  },
);

describe.skipIf(!IPV6)('over IPv6 (skipped without ::1)', () => {
  it('two daemons talk', async () => {
    const a = await startDaemon(1, { address: { host: '::1', port: 0 } });
    const peers = [{ host: '0:0:0:0:0:0:0:1', port: a.port }];
    const b = await startDaemon(2, { address: { host: '::1', port: 0 }, peers });
    await Promise.all([untilKnown(a, 2), untilKnown(b, 1)]);
    a.transport.unicast(2, Buffer.from('six'));
    await untilHeard(b, 'six');
    expect(a.transport.peers[0]?.address).toBe(`[::1]:${b.port}`);
    expect(a.transport.peers).toHaveLength(1);
  });

  it('one bound to :: talks with peers of both families, and tells them of each other where that means something', async () => {
    const both = await startDaemon(1, { address: { host: '::', port: 0 } });
    const four = await startDaemon(2, { peers: seed(both) });
    const six = await startDaemon(3, {
      address: { host: '::1', port: 0 },
      peers: [{ host: '::1', port: both.port }],
    });
    const otherFour = await startDaemon(4, { peers: seed(both) });
    await Promise.all([
      untilKnown(both, 2, 3, 4),
      untilKnown(four, 1, 4),
      untilKnown(six, 1),
      untilKnown(otherFour, 1, 2),
    ]);
    expect(new Set(both.transport.peers.map(({ address }) => address))).toEqual(
      new Set([`127.0.0.1:${four.port}`, `[::1]:${six.port}`, `127.0.0.1:${otherFour.port}`]),
    );
    both.transport.multicast(Buffer.from('to both'));
    await Promise.all([untilHeard(four, 'to both'), untilHeard(six, 'to both')]);
    expect(both.transport.stats.sendErrors).toBe(0);
  });
});

it('a daemon with another secret is not let in, and told of once, not at each datagram', async () => {
  const a = await startDaemon(1);
  const wrong = await startDaemon(2, { secret: Buffer.from('another secret of the test'), peers: seed(a) });
  const bare = await startDaemon(3, { secret: undefined, peers: seed(a) });
  await waitFor(() => a.transport.stats.badSeal >= 4 && a.transport.stats.otherSeal >= 4, {
    what: 'some questions that a refuses',
  });
  for (const { transport } of [a, wrong, bare]) expect(transport.peers).toEqual([]);
  expect(a.transport.stats.sent).toBe(0);
  const told = a.logged.filter((line) => line.includes('"warn"') && line.includes('seal'));
  expect(told.map((line) => JSON.parse(line).address).sort()).toEqual(
    [wrong, bare].map(({ port }) => `127.0.0.1:${port}`).sort(),
  );
});

it('two daemons with one id both learn of it, and which of them was there first', async () => {
  const a = await startDaemon(7);
  const started = performance.now();
  // 100 ms are within what a round trip may hide, and a busy machine adds to it.
  await waitFor(() => performance.now() > started + 1000, { what: 'an age that can be told apart' });
  const b = await startDaemon(7, { name: 'other', peers: seed(a) });
  await waitFor(() => a.conflicts.length > 0 && b.conflicts.length > 0, { what: 'both to be told' });
  expect(a.conflicts).toEqual([{ name: 'other', address: `127.0.0.1:${b.port}`, startedFirst: false }]);
  expect(b.conflicts).toEqual([{ name: 'd7', address: `127.0.0.1:${a.port}`, startedFirst: true }]);
  b.transport.multicast(Buffer.from('not heard'));
  expect(a.transport.peers).toEqual([]);
});

it('what is sent to where nothing can be sent is counted and told once, and never throws', async () => {
  // A socket of the loopback can't reach another network.
  const a = await startDaemon(1, { peers: [{ host: '192.0.2.77', port: 9 }] });
  await waitFor(() => a.transport.stats.sendErrors >= 3, { what: 'errors of the system' });
  expect(a.logged.filter((line) => line.includes('could not be sent'))).toHaveLength(1);
  a.transport.multicast(Buffer.from('nobody'));
  a.transport.unicast(99, Buffer.from('nobody'));
  expect(a.transport.stats.unknownMember).toBe(1);
});

it('smaller buffers than wanted are said in the log', async () => {
  const a = await startDaemon(1, { receiveBufferBytes: 2 ** 30 });
  expect(a.logged.some((line) => line.includes('net.core.rmem_max'))).toBe(true);
});

describe('what can not be is refused, with a code and what to do', () => {
  const attempt = async (options: Partial<TransportOptions>): Promise<unknown> => {
    try {
      await startDaemon(1, options);
      return undefined;
    } catch (error) {
      return error;
    }
  };
  const any = { host: '0.0.0.0', port: 0 };

  it.each<[string, string, Partial<TransportOptions>]>([
    ['an open address without a secret', 'TRANSPORT_UNPROTECTED', { address: any, secret: undefined }],
    [
      'a group over an open interface without a secret',
      'TRANSPORT_UNPROTECTED',
      { secret: undefined, multicast: { host: '239.77.1.1', port: 4803, interface: 'eth0' } },
    ],
    ['encryption without a secret', 'TRANSPORT_SECRET', { secret: undefined, encrypt: true }],
    ['a short secret', 'TRANSPORT_SECRET', { secret: Buffer.from('short') }],
    [
      'a group and peers',
      'TRANSPORT_ADDRESSES',
      { multicast: { host: '239.77.1.1', port: 4803 }, peers: [{ host: '127.0.0.1', port: 1 }] },
    ],
    ['a group that is none', 'TRANSPORT_ADDRESSES', { multicast: { host: '10.0.0.1', port: 4803 } }],
    ['a group of the other family', 'TRANSPORT_ADDRESSES', { multicast: { host: 'ff02::1234', port: 4803 } }],
    [
      'an interface that is not there',
      'TRANSPORT_MULTICAST',
      { multicast: { host: '239.77.1.1', port: 4803, interface: 'nowhere0' } },
    ],
  ])('%s', async (_what, code, options) => {
    const error = await attempt(options);
    expect(error).toMatchObject({ code });
    expect((error as Error).message).toMatch(/^[^\n]+\.$/);
  });

  it('a port that is taken', async () => {
    const a = await startDaemon(1);
    const error = await attempt({ address: { host: '127.0.0.1', port: a.port } });
    expect(error).toBeInstanceOf(ServiceError);
    expect(error).toMatchObject({ code: 'LISTEN_FAILED' });
  });

  it('a name that is too long to be told', () => {
    const options = {
      id: 1,
      name: 'n'.repeat(65),
      address: { host: '127.0.0.1', port: 0 },
    } as TransportOptions;
    expect(() => createTransport(options)).toThrow(RangeError);
  });
});

it('an open address without a secret is allowed to who asks for it', async () => {
  const options = { secret: undefined, allowUnauthenticated: true, address: { host: '0.0.0.0', port: 0 } };
  const a = await startDaemon(1, options);
  const b = await startDaemon(2, { ...options, peers: seed(a) });
  await Promise.all([untilKnown(a, 2), untilKnown(b, 1)]);
});

it('after stop nothing is sent, and nothing throws', async () => {
  const a = await startDaemon(1);
  const b = await startDaemon(2, { peers: seed(a) });
  await untilKnown(b, 1);
  await b.transport.stop();
  const { sent } = b.transport.stats;
  b.transport.multicast(Buffer.from('late'));
  b.transport.unicast(1, Buffer.from('late'));
  expect(b.transport.stats.sent).toBe(sent);
  expect(b.transport.address).toBeUndefined();
  await b.transport.stop();
});

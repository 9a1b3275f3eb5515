/** How daemons find each other, restart, move, and what two with one name do; in simulated time. */
import { expect, it } from 'vitest';
import { FORGET_MS, QUIET_MS } from '../../src/transport/contacts.ts';
import { ASK_SELDOM_MS, GONE_MS, SILENT_MS } from '../../src/transport/directory.ts';
import { GROUP, hostAddress, known, type Member, SimulatedHosts } from './simulated.ts';

it('two of which one knows the other are in talk within two milliseconds', async () => {
  const hosts = new SimulatedHosts();
  const a = hosts.start(1, 11);
  const b = hosts.start(2, 12, { seeds: [1] });
  await hosts.clock.advance(2);
  expect(known(a)).toEqual({ 12: 2 });
  expect(known(b)).toEqual({ 11: 1 });
});

it('a seed that starts later is found within half a second', async () => {
  const hosts = new SimulatedHosts();
  const b = hosts.start(2, 12, { seeds: [1] });
  await hosts.clock.advance(20_000);
  const a = hosts.start(1, 11);
  await hosts.clock.advance(601);
  expect([known(a), known(b)]).toEqual([{ 12: 2 }, { 11: 1 }]);
});

it.each([
  ['20 ms', 0, 20],
  ['two seconds though a fifth of the datagrams is lost', 0.2, 2000],
])('sixteen find each other by one live peer within %s', async (_what, lossChance, withinMs) => {
  const hosts = new SimulatedHosts();
  hosts.network.conditions = { ...hosts.network.conditions, lossChance };
  const members: Member[] = [];
  for (let host = 1; host <= 16; host++) members.push(hosts.start(host, host, { seeds: [99, 1] }));
  await hosts.clock.advance(withinMs);
  const all = Object.fromEntries(members.map(({ id, host }) => [id, host]));
  for (const member of members) expect({ [member.id]: member.host, ...known(member) }).toEqual(all);
});

it('when that peer has gone, the others keep each other, also over a cut of half an hour', async () => {
  const hosts = new SimulatedHosts();
  const a = hosts.start(1, 11);
  const b = hosts.start(2, 12, { seeds: [1] });
  const c = hosts.start(3, 13, { seeds: [1] });
  await hosts.clock.advance(100);
  hosts.stop(a);
  hosts.network.partition([[2], [3]]);
  await hosts.clock.advance(FORGET_MS / 2);
  expect([known(b), known(c)]).toEqual([{}, {}]);
  hosts.network.heal();
  await hosts.clock.advance(5001);
  expect([known(b), known(c)]).toEqual([{ 13: 3 }, { 12: 2 }]);
});

it('a group is asked once, and everybody answers', async () => {
  const hosts = new SimulatedHosts();
  const a = hosts.start(1, 11, { group: GROUP });
  await hosts.clock.advance(10);
  const b = hosts.start(2, 12, { group: GROUP });
  const c = hosts.start(3, 13, { group: GROUP });
  await hosts.clock.advance(5);
  expect([known(a), known(b), known(c)]).toEqual([
    { 12: 2, 13: 3 },
    { 11: 1, 13: 3 },
    { 11: 1, 12: 2 },
  ]);
  const before = c.sent.filter(({ to }) => to.key === GROUP.key).length;
  await hosts.clock.advance(10_000);
  expect(c.sent.filter(({ to }) => to.key === GROUP.key).length).toBe(before);
  a.exchange.multicast(Buffer.from('to all'));
  await hosts.clock.advance(1);
  expect([b.heard, c.heard]).toEqual([['to all'], ['to all']]);
  expect(a.sent.at(-1)?.to).toBe(GROUP);
});

it('who says nothing for a second is asked whether it lives, and gets copies until it stops answering', async () => {
  const hosts = new SimulatedHosts();
  const a = hosts.start(1, 11);
  const b = hosts.start(2, 12, { seeds: [1] });
  await hosts.clock.advance(30_000);
  expect(hosts.recorded.length).toBeLessThan(2 * 11 * 30);
  for (const { heardMs } of a.exchange.holders) {
    expect(hosts.clock.elapsedMs - heardMs).toBeLessThan(QUIET_MS + 200);
  }
  hosts.stop(b);
  const copies = (): number => {
    const before = a.sent.length;
    a.exchange.multicast(Buffer.from('anybody?'));
    return a.sent.length - before;
  };
  expect(copies()).toBe(1);
  await hosts.clock.advance(SILENT_MS + 200);
  expect(copies()).toBe(0);
  await hosts.clock.advance(GONE_MS);
  expect(known(a)).toEqual({});
});

it('a daemon that starts anew is taken for its former self at once, wherever it is', async () => {
  const hosts = new SimulatedHosts();
  const a = hosts.start(1, 11);
  const b = hosts.start(2, 12, { seeds: [1] });
  await hosts.clock.advance(1000);
  hosts.stop(b);
  const again = hosts.start(3, 12, { seeds: [1] });
  await hosts.clock.advance(2);
  expect(known(a)).toEqual({ 12: 3 });
  a.exchange.unicast(12, Buffer.from('still you?'));
  await hosts.clock.advance(1);
  expect(again.heard).toEqual(['still you?']);
});

it('a daemon whose address changes is heard all the while, and found where it is within two seconds', async () => {
  const hosts = new SimulatedHosts();
  const a = hosts.start(1, 11);
  const b = hosts.start(2, 12, { seeds: [1] });
  await hosts.clock.advance(1000);
  // Host 7 translates: all that b sends comes from there, and what goes there reaches b.
  hosts.network.setReachable(2, 1, false);
  hosts.network.detach(2);
  hosts.network.attach(7, (bytes, from) => hosts.inject(b, bytes as Buffer, from));
  const before = b.sent.length;
  const relay = (): void => {
    for (const { datagram } of b.sent.splice(before)) hosts.inject(a, datagram, 7);
    hosts.clock.schedule(relay, 1);
  };
  relay();
  b.exchange.multicast(Buffer.from('moved'));
  await hosts.clock.advance(2 * ASK_SELDOM_MS);
  expect(a.heard).toContain('moved');
  expect(known(a)).toEqual({ 12: 7 });
});

it('a relay that passes questions and answers on does not become the address of somebody who is heard where it is', async () => {
  const hosts = new SimulatedHosts();
  const a = hosts.start(1, 11);
  const b = hosts.start(2, 12, { seeds: [1] });
  await hosts.clock.advance(1000);
  hosts.network.attach(66, (bytes, from) => hosts.inject(from === 1 ? b : a, bytes as Buffer, 66));
  for (let ms = 0; ms < 10_000; ms += 10) {
    b.exchange.multicast(Buffer.from('b'));
    // The attacker is faster with what b says, half of the time.
    if (ms % 20 === 0) hosts.inject(a, b.sent.at(-1)!.datagram, 66);
    await hosts.clock.advance(10);
  }
  expect(b.exchange.stats.answered).toBeGreaterThan(5);
  expect(known(a)).toEqual({ 12: 2 });
});

it('two with our id and another are told of it once, and which of them started first', async () => {
  const hosts = new SimulatedHosts();
  const first = hosts.start(1, 11);
  await hosts.clock.advance(5000);
  const second = hosts.start(2, 11, { seeds: [1] });
  await hosts.clock.advance(5000);
  const conflicts = (member: Member): unknown[] => member.events.filter(({ kind }) => kind === 'conflict');
  expect(conflicts(first)).toMatchObject([{ name: 'd11', address: hostAddress(2), startedFirst: false }]);
  expect(conflicts(second)).toMatchObject([{ name: 'd11', address: hostAddress(1), startedFirst: true }]);
  second.exchange.multicast(Buffer.from('not heard'));
  await hosts.clock.advance(1);
  expect([first.heard, known(first), known(second)]).toEqual([[], {}, {}]);
});

it('two with one id: a third stays with the one that started first, tells both, and goes to the other when it is gone', async () => {
  const hosts = new SimulatedHosts();
  const third = hosts.start(3, 13);
  const first = hosts.start(1, 11, { seeds: [3] });
  await hosts.clock.advance(5000);
  hosts.network.setReachable(1, 2, false);
  hosts.network.setReachable(2, 1, false);
  const second = hosts.start(2, 11, { seeds: [3] });
  let changes = 0;
  let holder = 0;
  for (let ms = 0; ms < 10_000; ms += 10) {
    for (const each of [first, second]) each.exchange.multicast(Buffer.from(`from ${each.host}`));
    await hosts.clock.advance(10);
    if (known(third)[11] !== holder) changes++;
    holder = known(third)[11] ?? 0;
  }
  expect(holder).toBe(1);
  expect(changes).toBeLessThanOrEqual(3);
  expect(third.events.some(({ kind }) => kind === 'rivals')).toBe(true);
  hosts.network.heal();
  await hosts.clock.advance(6000);
  expect(second.events).toContainEqual(expect.objectContaining({ kind: 'conflict', startedFirst: true }));
  hosts.stop(first);
  for (let ms = 0; ms < 3000; ms += 10) {
    second.exchange.multicast(Buffer.from('from 2'));
    await hosts.clock.advance(10);
  }
  expect(known(third)).toEqual({ 11: 2 });
});

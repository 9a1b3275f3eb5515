import { expect, test } from 'vitest';
import { clientKeyOf, createClients } from './clients.ts';

const none = { maxClientConnections: 0, maxClientRequestsPerSecond: 0, maxClientBytesPerSecond: 0 };

test('a client has as many connections as it may, and one more when one ends', () => {
  const clients = createClients({ ...none, maxClientConnections: 2 });
  const first = clients.enter('a', 0)!;
  clients.enter('a', 0);
  expect(clients.enter('a', 0)).toBeUndefined();
  expect(clients.enter('b', 0)).toBeDefined();
  clients.leave(first, 0);
  expect(clients.enter('a', 0)).toBeDefined();
  expect(clients.refused).toBe(1);
});

test('who comes again at once finds his debt, and after a second none is remembered', () => {
  const clients = createClients({ ...none, maxClientRequestsPerSecond: 10 });
  const first = clients.enter('a', 0)!;
  first.requests!.spend(10);
  clients.leave(first, 0);
  expect(clients.size).toBe(1);
  expect(clients.enter('a', 1)!.requests!.waitMs(1)).toBe(0);
  clients.enter('b', 1)!.requests!.spend(25);
  clients.leave(clients.enter('b', 1)!, 1);
  const b = clients.enter('b', 2)!;
  expect(b.requests!.waitMs(2)).toBeGreaterThan(1400);
});

test('however many come and go, no more than ten thousand are remembered', () => {
  const clients = createClients({ ...none, maxClientRequestsPerSecond: 10 });
  for (let at = 0; at < 30_000; at += 1) {
    const client = clients.enter(`client ${at}`, 0)!;
    client.requests!.spend(10);
    clients.leave(client, 0);
  }
  expect(clients.size).toBe(10_000);
  for (const key of ['a', 'b']) clients.leave(clients.enter(key, 2000)!, 2000);
  expect(clients.size).toBe(0);
});

test('a limit that is changed holds for who is connected', () => {
  const clients = createClients(none);
  const client = clients.enter('a', 0)!;
  expect(client.requests).toBeUndefined();
  clients.change({ ...none, maxClientRequestsPerSecond: 1 }, 0);
  client.requests!.spend(2);
  expect(client.requests!.waitMs(0)).toBe(1001);
  clients.change(none, 0);
  expect(client.requests).toBeUndefined();
});

test.each([
  [undefined, 'local'],
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
])('%s is the client %s', (address, key) => {
  expect(clientKeyOf(address)).toBe(key);
});

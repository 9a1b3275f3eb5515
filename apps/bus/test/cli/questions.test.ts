import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Bus, connect } from '../../src/client/index.ts';
import { type DaemonProcess, startRing } from '../daemon-process.ts';
import { jsonLines, runBus } from './bus-command.ts';

let daemons: DaemonProcess[];
let daemon: DaemonProcess;
const buses: Bus[] = [];

beforeAll(async () => {
  daemons = await startRing(2);
  daemon = daemons[0]!;
  for (const [name, groups, at] of [
    ['alice', ['news', 'chat'], 0],
    ['bob', ['news'], 1],
  ] as const) {
    const bus = await connect(daemons[at]!.webSocketUrl, { name });
    for (const group of groups) await bus.join(group);
    buses.push(bus);
  }
});
afterAll(async () => {
  for (const bus of buses) await bus.close();
  for (const each of daemons) expect(await each.stop()).toBe(0);
});

test('groups lists all groups of the network, members who is in one', async () => {
  const env = { ROOKERY_BUS_URL: daemon.webSocketUrl };
  expect(await runBus(['groups'], { env })).toEqual({
    ...{ code: 0, stderr: '' },
    stdout: 'group  members\nchat         1\nnews         2\n',
  });
  const groups = await runBus(['groups', '--json'], { env });
  expect(jsonLines(groups.stdout)).toEqual([
    { group: 'chat', members: 1 },
    { group: 'news', members: 2 },
  ]);
  expect((await runBus(['members', 'news'], { env })).stdout.split('\n').sort()).toEqual([
    ...['', '#alice#d1', '#bob#d2'],
  ]);
  const members = await runBus(['members', 'chat', '--json'], { env });
  expect(jsonLines(members.stdout)).toEqual([
    { group: 'chat', member: '#alice#d1', name: 'alice', daemon: 'd1' },
  ]);
  expect(await runBus(['members', 'nobody'], { env })).toEqual({ code: 0, stdout: '', stderr: '' });
});

test('status tells of the ring, the groups, the sessions here and their rates', async () => {
  const bus = buses[0]!;
  let sending = true;
  const stream = (async () => {
    while (sending) await bus.multicast('elsewhere', 'x');
  })();
  const env = { ROOKERY_BUS_ADMIN_URL: daemon.adminUrl };
  const json = await runBus(['status', '--json'], { env });
  const people = await runBus(['status', '--admin-url', daemon.adminUrl]);
  sending = false;
  await stream;
  expect(json.code).toBe(0);
  const [status] = jsonLines(json.stdout);
  expect(status).toMatchObject({
    daemon: 'd1',
    ring: { state: 'operational', members: [{}, {}] },
    sessions: [{ name: '#alice#d1', wire: 'websocket', connected: true, groups: 2, dropped_total: 0 }],
  });
  expect(status!.messages_received_per_second).toBeGreaterThan(0);
  expect(people.stdout).toMatch(/^d1: the ring is operational, 2 daemons\n/);
  expect(people.stdout).toMatch(/^d2 +127\.0\.0\.1:\d+ +\d+ ms ago$/m);
  expect(people.stdout).toMatch(/^#alice#d1 +websocket +2 /m);
});

test('status of a daemon that is not there says so', async () => {
  const ran = await runBus(['status', '--admin-url', 'http://127.0.0.1:1']);
  expect(ran).toMatchObject({ code: 1, stdout: '' });
  expect(ran.stderr).toMatch(/^rookery-bus: http:\/\/127\.0\.0\.1:1 does not answer .*\n$/);
});

import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { RunningProcess } from '../process.ts';
import { waitFor } from '../wait.ts';
import { hostsAvailable } from './available.ts';
import { command } from './command.ts';
import type { Host } from './host.ts';
import { createHosts, type Hosts } from './hosts.ts';

const multicast = '239.192.77.7';
const port = 4077;

describe.skipIf(!hostsAvailable())('hosts', () => {
  let hosts: Hosts;
  let one: Host;
  let two: Host;
  let three: Host;

  beforeEach(async () => {
    hosts = await createHosts({ count: 3 });
    [one, two, three] = [hosts.host(0), hosts.host(1), hosts.host(2)];
  });
  afterEach(() => hosts.dispose());

  test('reach each other over IPv4 and IPv6, and themselves', async () => {
    expect(await pings(one, two.address)).toBe(true);
    expect(await pings(two, three.address6)).toBe(true);
    expect(await pings(three, '127.0.0.1')).toBe(true);
  });

  test('talk TCP', async () => {
    const server = await runNode(
      two,
      `require('net').createServer((socket) => socket.end('hello from two')).listen(${port}, () => console.log('ready'))`,
      /ready/,
    );
    const client = await runNode(
      one,
      `require('net').connect(${port}, '${two.address}').pipe(process.stdout)`,
      /hello from two/,
    );
    expect(await client.waitForExit()).toEqual({ code: 0, signal: null });
    expect(server.exit).toBeUndefined();
  });

  test('talk UDP, and large datagrams arrive in fragments', async () => {
    const receiver = await receive(two);
    await send(one, two.address, { size: 8192 });
    await waitFor(() => receiver.stdout.includes(`8192 from ${one.address}`), { what: 'the datagram' });
  });

  test('receive multicast on all others, IPv4 and IPv6', async () => {
    for (const group of [multicast, 'ff02::7777']) {
      const receivers = await Promise.all([two, three].map((host) => receive(host, group)));
      await send(one, group.includes(':') ? `${group}%eth0` : group);
      for (const receiver of receivers) {
        await waitFor(() => receiver.stdout.includes('100 from '), { what: `a datagram to ${group}` });
        receiver.kill('SIGKILL');
        await receiver.waitForExit();
      }
    }
  });

  test('are cut off by their link, and only they', async () => {
    await two.link('down');
    expect(await pings(one, two.address)).toBe(false);
    expect(await pings(two, one.address6)).toBe(false);
    expect(await pings(one, three.address)).toBe(true);
    await two.link('up');
    // Who has the address is asked once a second.
    await waitFor(() => pings(one, two.address), { what: 'IPv4 to be back' });
    await waitFor(() => pings(two, one.address6), { what: 'IPv6 to be back' });
  });

  test('lose packets in one direction, of one sender', async () => {
    await two.loss({ percent: 100, from: one });
    const [atOne, atTwo] = await Promise.all([receive(one), receive(two)]);
    await send(one, two.address, { size: 101 });
    await send(one, two.address6, { size: 102 });
    await send(two, one.address, { size: 103 });
    await send(three, two.address, { size: 104 });
    await waitFor(() => atOne.stdout.includes(`103 from ${two.address}`), { what: 'the way back' });
    await waitFor(() => atTwo.stdout.includes(`104 from ${three.address}`), { what: "the third's datagram" });
    expect(atTwo.stdout).not.toMatch(/10[12] from/);

    await two.clearLoss();
    await send(one, two.address, { size: 105 });
    await waitFor(() => atTwo.stdout.includes(`105 from ${one.address}`), { what: 'what is no longer lost' });
  });

  test('that lose all they are sent still send, and may lose UDP only', async () => {
    await two.loss({ percent: 100 });
    const atOne = await receive(one);
    for (const address of [one.address, one.address6]) await send(two, address);
    await waitFor(() => atOne.stdout.split(' from ').length === 3, { what: 'both datagrams' });
    expect(await pings(one, two.address)).toBe(false);

    await two.loss({ percent: 100, protocol: 'udp' });
    expect(await pings(one, two.address)).toBe(true);
    const atTwo = await receive(two);
    await send(one, two.address);
    await send(one, two.address6);
    expect(await pings(one, two.address6)).toBe(true);
    expect(atTwo.stdout).not.toContain(' from ');
  });

  test('lose about 5 % when told so', async () => {
    await two.loss({ percent: 5, from: one });
    const receiver = await receive(two);
    const count = 5000;
    await send(one, two.address, { count });
    await send(three, two.address, { size: 333 });
    await waitFor(() => receiver.stdout.includes('333 from'), { what: 'the last datagram' });
    const lost = count - (receiver.stdout.match(/100 from/g)?.length ?? 0);
    // 5 % are 250; five standard deviations are 77.
    expect(lost).toBeGreaterThan(170);
    expect(lost).toBeLessThan(330);
  });

  test('send packets up to the MTU', async () => {
    expect(await pings(one, two.address, ['-M', 'do', '-s', '1472'])).toBe(true);
    expect(await pings(one, two.address, ['-M', 'do', '-s', '1473'])).toBe(false);
    await using jumbo = await createHosts({ count: 2, mtu: 9000 });
    expect(await pings(jumbo.host(0), jumbo.host(1).address, ['-M', 'do', '-s', '8972'])).toBe(true);
  });

  test('send and receive no faster than their limit', async () => {
    const megabits = 40;
    const bytes = 1_500_000;
    /** By the receiver's clock, and from when the sender began: who is kept from reading at first reads faster then. */
    const transfer = async (from: Host, to: Host): Promise<{ received: number; all: number }> => {
      await using server = await runNode(
        to,
        `require('net').createServer((socket) => {
           let received = 0;
           const start = Date.now();
           socket.on('data', (chunk) => { received += chunk.length; });
           socket.on('end', () => console.log('done', received, start, Date.now()));
         }).listen(${port}, () => console.log('ready'))`,
        /ready/,
      );
      const sender = await runNode(
        from,
        `const socket = require('net').connect(${port}, '${to.address}', () => {
           console.log('began', Date.now());
           socket.end(Buffer.alloc(${bytes}));
         })`,
        /began (\d+)/,
      );
      const [, got, start, end] = await waitFor(
        () => server.stdout.match(/done (\d+) (\d+) (\d+)/) ?? false,
        {
          what: 'the bytes',
        },
      );
      expect(Number(got)).toBe(bytes);
      const rate = (from: string | undefined): number =>
        (bytes * 8) / 1000 / Math.max(1, Number(end) - Number(from));
      return { received: rate(start), all: rate(sender.ready?.[1]) };
    };
    /** The best of some: a busy machine may keep programs from sending and reading. */
    const best = async (from: Host, to: Host, wanted: number): Promise<void> => {
      let rate = 0;
      for (let attempt = 1; attempt <= 6 && rate <= wanted; attempt++) {
        rate = Math.max(rate, (await transfer(from, to)).received);
      }
      expect(rate).toBeGreaterThan(wanted);
    };
    await one.limitRate({ bitsPerSecond: megabits * 1e6 });
    for (const [from, to] of [
      [one, two],
      [two, one],
    ] as const) {
      // The bucket is full at the start.
      expect((await transfer(from, to)).all).toBeLessThan(megabits * 1.2);
      await best(from, to, megabits * 0.5);
    }
    await one.limitRate({ bitsPerSecond: Infinity });
    await best(one, two, megabits * 2);
  });

  test('go on when their limit is lowered while they send', async () => {
    const bytes = 400_000;
    await one.limitRate({ bitsPerSecond: 100e6 });
    await using server = await runNode(
      two,
      `let received = 0;
       require('net').createServer((socket) => socket.on('data', (chunk) => console.log('got', received += chunk.length)))
         .listen(${port}, () => console.log('ready'))`,
      /ready/,
    );
    const received = (): number => Number(server.stdout.match(/got (\d+)\n$/)?.[1] ?? 0);
    await using _ = await runNode(
      one,
      `const socket = require('net').connect(${port}, '${two.address}', () => console.log('began'));
       const more = () => { while (socket.write(Buffer.alloc(65536))); };
       socket.on('connect', more).on('drain', more)`,
      /began/,
    );
    await waitFor(() => received() > bytes, { what: 'the first bytes' });
    // Its queue holds packets of up to 64 KiB now, as the kernel cuts them late.
    await one.limitRate({ bitsPerSecond: 2e6 });
    const before = received();
    await waitFor(() => received() > before + bytes, { what: 'bytes at the lower limit' });
  });

  test('run programs that signals reach: stopped they are silent, continued they go on', async () => {
    const ticking = await runNode(one, `setInterval(() => console.log('tick'), 5)`, /tick/);
    ticking.kill('SIGSTOP');
    await waitFor(() => stateOf(ticking.pid) === 'T', { what: 'the program to stop' });
    ticking.kill('SIGCONT');
    const before = ticking.stdout.length;
    await waitFor(() => ticking.stdout.length > before, { what: 'the next tick' });
    ticking.kill('SIGTERM');
    expect(await ticking.waitForExit()).toEqual({ code: null, signal: 'SIGTERM' });
  });

  test('are gone after their disposal, with what ran on them', async () => {
    const parent = await runNode(
      one,
      `const child = require('child_process').spawn('sleep', ['1000'], { detached: true });
       console.log('child ' + child.pid); setInterval(() => {}, 1000)`,
      /child (\d+)/,
    );
    const child = Number(parent.ready?.[1]);
    await hosts.dispose();
    expect(await parent.waitForExit()).toEqual({ code: null, signal: 'SIGKILL' });
    // Its parent is dead too: whether someone has reaped it is not ours to say.
    expect(stateOf(child)).toMatch(/gone|Z/);
    expect(await command('ip', ['netns', 'list'])).not.toContain(one.name);
    await expect(one.run('true')).rejects.toThrow('is gone');
  });

  test('of a killed process are removed by the next one', async () => {
    const ended = await runNode(one, '');
    await ended.waitForExit();
    const leftover = `rookery-${ended.pid}-abcdef-h1`;
    await command('ip', ['netns', 'add', leftover]);
    await using _ = await createHosts({ count: 1 });
    const listed = await command('ip', ['netns', 'list']);
    expect(listed).not.toContain(leftover);
    expect(listed).toContain(one.name);
  });
});

async function pings(from: Host, address: string, options: readonly string[] = []): Promise<boolean> {
  const ping = await from.run('ping', ['-c', '1', '-W', '0.3', ...options, address]);
  return (await ping.waitForExit()).code === 0;
}

function runNode(host: Host, script: string, readyPattern?: RegExp): Promise<RunningProcess> {
  return host.run(process.execPath, ['-e', script], readyPattern === undefined ? {} : { readyPattern });
}

/** Prints a line per datagram: its size and who sent it. Those of one byte are questions, which it answers. */
function receive(host: Host, group = ''): Promise<RunningProcess> {
  return runNode(
    host,
    `const socket = require('dgram').createSocket({ type: 'udp6', ipv6Only: true, recvBufferSize: 4_000_000 });
     const v4 = require('dgram').createSocket({ type: 'udp4', recvBufferSize: 4_000_000 });
     const told = (data, { address, port }) => {
       console.log(data.length + ' from ' + address);
       if (data.length === 1) v4.send(data, port, address);
     };
     socket.on('message', told).bind(${port}, () =>
       v4.on('message', told).bind(${port}, () => {
         const group = '${group}';
         if (group.includes(':')) socket.addMembership(group, '::%eth0');
         else if (group) v4.addMembership(group);
         console.log('ready');
       }));`,
    /ready/,
  );
}

async function send(from: Host, to: string, { size = 100, count = 1 } = {}): Promise<void> {
  const sender = await runNode(
    from,
    `const socket = require('dgram').createSocket('udp${to.includes(':') ? 6 : 4}');
     const data = Buffer.alloc(${size});
     let left = ${count};
     // In small groups, of which each has been read before the next: this is no test of the receiver's buffer.
     let group = 0;
     let asking;
     const ask = () => socket.send(Buffer.of(group), ${port}, '${to}');
     const some = () => {
       for (let i = 0; i < 100 && left > 0; i++, left--) socket.send(data, ${port}, '${to}');
       if (${count} === 1) return socket.send(Buffer.alloc(0), 9, '${to}', () => socket.close());
       ask();
       // It may have been lost.
       asking = setInterval(ask, 20);
     };
     socket.on('message', (answer) => {
       if (answer[0] !== group) return;
       clearInterval(asking);
       group++;
       if (left > 0) some();
       else socket.close();
     });
     some();`,
  );
  expect(await sender.waitForExit()).toEqual({ code: 0, signal: null });
}

/** R runs, S sleeps, T is stopped, Z has ended: proc_pid_stat(5). */
function stateOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.charAt(0) ?? '';
  } catch {
    return 'gone';
  }
}

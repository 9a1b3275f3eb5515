/**
 * Whether one client can slow the others: fifty well-behaved ones put and get, one after the other's answer, alone and
 * beside a bad one (a process of its own), in turns. Prints for each kind of bad the medians of the rate beside it, as a
 * part of the rate alone; of the time to an answer, alone and beside; of the processor time of the bad one; and the
 * server's memory. The first is no client at all, and the second one that only uses a processor: what the rate falls by
 * with them is the machine.
 *
 *     node --conditions=@rookery/source bench/queue-fairness.ts [rounds] [clients]
 *
 * On two cores, and where others work as well, with `chrt -r 10` before it: then the server and the load come first,
 * and the bad one, which is put back, gets what they leave.
 */
import { fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '@rookery/testkit';
import { type Measurement, measure, median, memory } from './queue/measure.ts';
import { compileLoad } from './queue/programs.ts';
import { startRookery } from './queue/systems/rookery.ts';

const isBad = process.argv[2] === '--bad';
const rounds = isBad ? 0 : Number(process.argv[2] ?? 5);
const clients = isBad ? 0 : Number(process.argv[3] ?? 50);
const seconds = 0.5;
const settleMs = 200;
const port = Number(process.argv[4]);

function open(): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => resolve(socket));
    socket.once('error', reject);
  });
}

/** Begins to behave badly, until it is killed. */
type Bad = () => Promise<void>;

/** Writes for ever, as fast as it is read. */
async function flood(bytes: Buffer, reads: boolean): Promise<void> {
  const socket = await open();
  socket.on('error', () => undefined);
  if (reads) socket.resume();
  else socket.pause();
  const more = (): void => {
    while (!socket.destroyed && socket.write(bytes)) {
      // Until it is full.
    }
  };
  socket.on('drain', more);
  more();
}

const bad: Readonly<Record<string, Bad>> = {
  'is not there': async () => undefined,
  'only uses a processor': async () => {
    setImmediate(() => {
      for (;;) {
        // As it says.
      }
    });
  },
  'sends garbage without end': () => flood(Buffer.from('nonsense\r\n'.repeat(6000)), true),
  'never reads its replies': () => flood(Buffer.from('stats\r\n'.repeat(1000)), false),
  'pipelines puts and gets without end': () =>
    flood(Buffer.from(`set bad 0 0 10\r\n0123456789\r\nget bad\r\n`.repeat(1500)), true),
  'puts a kilobyte each without end': () =>
    flood(Buffer.from(`set bad 0 0 1000\r\n${'x'.repeat(1000)}\r\nget bad\r\n`.repeat(50)), true),
  'puts megabytes without end': () =>
    flood(Buffer.from(`set bad 0 0 4000000\r\n${'x'.repeat(4_000_000)}\r\nget bad\r\n`), true),
  'holds a thousand waits': async () => {
    const sockets = await Promise.all(Array.from({ length: 1000 }, open));
    for (const socket of sockets) socket.write('get nothing/t=600000\r\n');
  },
  'sends a hundred halves of large bodies': async () => {
    const sockets = await Promise.all(Array.from({ length: 100 }, open));
    for (const socket of sockets) {
      socket.on('error', () => undefined);
      socket.write('set bad 0 0 16000000\r\n');
      socket.write(Buffer.alloc(8_000_000));
    }
  },
};

if (isBad) {
  await bad[process.argv[3]!]!();
  process.send?.('begun');
  // Until it is killed.
  await new Promise(() => setInterval(() => undefined, 1000));
}

await using folder = await temporaryFolder('rookery-fairness-');
const load = compileLoad(folder.path);
await using running = await startRookery({ folder: folder.path, flags: ['--sync', '1000'] });

function good(): Promise<Measurement> {
  return measure(load, running.server, {
    ...{ protocol: 'memcache', port: running.port, queue: 'good', connections: clients },
    ...{ depth: 1, bodyBytes: 100, work: 'turns', seconds, count: 0 },
  });
}

async function cpuSeconds(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

await good();
console.log('beside a client that …: rate; p50 µs alone, beside; p99; CPU of the bad one; MB of the server');
for (const what of Object.keys(bad)) {
  const rates: number[] = [];
  const p50s: [number, number][] = [];
  const p99s: [number, number][] = [];
  const cpus: number[] = [];
  let most = 0;
  for (let round = 0; round < rounds; round += 1) {
    const before = await good();
    const child = fork(fileURLToPath(import.meta.url), ['--bad', what, String(running.port)]);
    await once(child, 'message');
    spawnSync('chrt', ['--all-tasks', '--other', '--pid', '0', String(child.pid)]);
    await delay(settleMs);
    const used = await cpuSeconds(child.pid!);
    const beside = await good();
    cpus.push(((await cpuSeconds(child.pid!)) - used) / seconds);
    most = Math.max(most, (await memory(running.server)).now);
    child.kill('SIGKILL');
    await once(child, 'exit');
    await delay(settleMs);
    const after = await good();
    rates.push((2 * beside.perSecond) / (before.perSecond + after.perSecond));
    p50s.push([before.p50Us, beside.p50Us]);
    p99s.push([before.p99Us, beside.p99Us]);
  }
  const pair = (of: readonly [number, number][]): string =>
    [0, 1].map((at) => median(of.map((both) => both[at]!)).toFixed(0)).join(', ');
  console.log(
    `${what}: ${median(rates).toFixed(2)}; ${pair(p50s)}; ${pair(p99s)}; ${median(cpus).toFixed(2)}; ${Math.round(most)}`,
  );
}

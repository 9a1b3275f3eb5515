/**
 * Whether one client can slow the others: well-behaved clients put and get, one after the other's answer, alone and
 * beside a bad one (a process of its own), in turns. Prints the medians of two ratios, and the server's memory: of the
 * rate, which also falls because the bad one's process wants a processor; and of the answers per second of the server's
 * own processor time, which tells what the bad one took of it, idle time included.
 *
 *     node --conditions=@rookery/source bench/queue-fairness.ts [rounds] [clients]
 */
import { fork, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const isBad = process.argv[2] === '--bad';
const rounds = isBad ? 0 : Number(process.argv[2] ?? 5);
const clients = isBad ? 0 : Number(process.argv[3] ?? 50);
const roundMs = 1000;
const settleMs = 200;

let port = isBad ? Number(process.argv[4]) : 0;

function open(): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => resolve(socket));
    socket.once('error', reject);
  });
}

/** Begins to behave badly; ends it with what it returns. */
type Bad = () => Promise<() => void>;

/** Writes for ever, as fast as it is read. */
async function flood(bytes: Buffer, reads: boolean): Promise<() => void> {
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
  return () => void socket.destroy();
}

const bad: Readonly<Record<string, Bad>> = {
  'sends garbage without end': () => flood(Buffer.from('nonsense\r\n'.repeat(6000)), true),
  'never reads its replies': () => flood(Buffer.from('stats\r\n'.repeat(1000)), false),
  'pipelines puts and gets without end': () =>
    flood(Buffer.from(`set bad 0 0 10\r\n0123456789\r\nget bad\r\n`.repeat(1500)), true),
  'holds a thousand waits': async () => {
    const sockets = await Promise.all(Array.from({ length: 1000 }, open));
    for (const socket of sockets) socket.write('get nothing/t=600000\r\n');
    return () => {
      for (const socket of sockets) socket.destroy();
    };
  },
  'sends a hundred halves of large bodies': async () => {
    const sockets = await Promise.all(Array.from({ length: 100 }, open));
    for (const socket of sockets) {
      socket.on('error', () => undefined);
      socket.write('set bad 0 0 16000000\r\n');
      socket.write(Buffer.alloc(8_000_000));
    }
    return () => {
      for (const socket of sockets) socket.destroy();
    };
  },
};

if (isBad) {
  await bad[process.argv[3]!]!();
  process.send?.('begun');
  // Until it is killed.
  await new Promise(() => setInterval(() => undefined, 1000));
}

const folder = await mkdtemp(join(tmpdir(), 'rookery-fairness-'));
const cli = fileURLToPath(new URL('../apps/queue/src/cli.ts', import.meta.url));
const program = `const { main } = await import(${JSON.stringify(cli)}); await main(['', '', ...process.argv.slice(1)])`;
const flags = [
  'serve',
  '--port',
  '0',
  '--admin-port',
  '0',
  '--data',
  folder,
  '--sync',
  '1000',
  '--log-format',
  'json',
];
const server = spawn(process.execPath, ['--conditions=@rookery/source', '--eval', program, '--', ...flags], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const listening = await new Promise<number>((resolve, reject) => {
  let said = '';
  server.on('exit', () => reject(new Error('the server ended')));
  server.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
    const found = /^.*"msg":"listening on .*$/m.exec(said);
    if (found !== null) resolve((JSON.parse(found[0]) as { port: number }).port);
  });
});

port = listening;

function memoryMB(): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))![1]) / 1024;
}

let answers = 0;
const put = Buffer.from(`set good 0 0 100\r\n${'x'.repeat(100)}\r\n`);
const get = Buffer.from('get good\r\n');
for (let at = 0; at < clients; at += 1) {
  const socket = await open();
  let putting = true;
  socket.on('data', (chunk: Buffer) => {
    if (chunk.at(-1) !== 10) return;
    answers += 1;
    putting = !putting;
    socket.write(putting ? put : get);
  });
  socket.write(put);
}

function serverSeconds(): number {
  const fields = readFileSync(`/proc/${server.pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function rate(): Promise<{ readonly perSecond: number; readonly perServerSecond: number }> {
  await delay(settleMs);
  const before = answers;
  const begun = performance.now();
  const used = serverSeconds();
  await delay(roundMs);
  const done = answers - before;
  return {
    perSecond: (done / (performance.now() - begun)) * 1000,
    perServerSecond: done / (serverSeconds() - used),
  };
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

try {
  await rate();
  for (const what of Object.keys(bad)) {
    const rates: number[] = [];
    const costs: number[] = [];
    let most = 0;
    for (let round = 0; round < rounds; round += 1) {
      const before = await rate();
      const child = fork(fileURLToPath(import.meta.url), ['--bad', what, String(port)]);
      await new Promise((resolve) => child.once('message', resolve));
      const beside = await rate();
      most = Math.max(most, memoryMB());
      child.kill('SIGKILL');
      await new Promise((resolve) => child.once('exit', resolve));
      const after = await rate();
      rates.push((2 * beside.perSecond) / (before.perSecond + after.perSecond));
      costs.push((2 * beside.perServerSecond) / (before.perServerSecond + after.perServerSecond));
    }
    console.log(
      `${what}: rate ${median(rates).toFixed(2)}, per second of the server’s processor ${median(costs).toFixed(2)}, ${Math.round(most)} MB`,
    );
  }
} finally {
  server.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
}
process.exit();

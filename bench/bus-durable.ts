/**
 * What durable groups reach: a late joiner that reads a million kept events while three publishers go on, and one that
 * asks for the last value of 100,000 keys. One daemon as a process of its own; publishers and listener in this one.
 *
 *     npm exec -- node --conditions=@rookery/source bench/bus-durable.ts [EVENTS] [KEYS]
 *
 * And how soon a daemon is there again that keeps so many: stopped, and killed at the worst moment, when the most has
 * come since its last checkpoint.
 *
 *     npm exec -- node --conditions=@rookery/source bench/bus-durable.ts open [EVENTS]
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Bus, connect } from '../apps/bus/src/client/index.ts';

const OPENING = process.argv[2] === 'open';
const EVENTS = OPENING ? Number(process.argv[3] ?? 10_000_000) : Number(process.argv[2] ?? 1_000_000);
const KEYS = Number(process.argv[3] ?? 100_000);
const BYTES = 200;
/** Of each of three publishers, while the listener reads. */
const RATE = 500;

const folder = await mkdtemp(join(tmpdir(), 'bus-durable-'));
const port = await freePort();
const url = `ws://127.0.0.1:${port}`;
const config = join(folder, 'bus.toml');
const settings = [
  '[durable.events]',
  ...(OPENING ? ['retention_bytes = 0', 'retention_ms = 0'] : []),
  '[durable.view]',
  'last_value = true',
];
await writeFile(config, settings.join('\n'));
let daemon = start();
try {
  if (OPENING) await opening();
  else await reading();
} finally {
  await stop('SIGTERM');
  await rm(folder, { recursive: true });
}

function start(): ChildProcess {
  return spawn(
    process.execPath,
    [
      '--conditions=@rookery/source',
      '--input-type=module-typescript',
      '--eval',
      `const { main } = await import(${JSON.stringify(new URL('../apps/bus/src/cli.ts', import.meta.url))}); await main(['', '', ...process.argv.slice(1)])`,
      '--',
      'daemon',
      `--config=${config}`,
      `--data=${join(folder, 'data')}`,
      `--ws=127.0.0.1:${port}`,
      '--listen=127.0.0.1:0',
      '--admin-port=0',
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
}

async function stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (daemon.exitCode !== null || daemon.signalCode !== null) return;
  daemon.kill(signal);
  await new Promise((resolve) => daemon.once('exit', resolve));
}

function connected(): Promise<Bus> {
  return connect(url, { settings: { connectAttempts: 10_000, retryMs: 20, retryMaxMs: 20 } });
}

async function reading(): Promise<void> {
  const bus = await connected();
  const events = await timed(() => fill(bus, 'events', EVENTS, () => ''));
  console.log(
    `${EVENTS} events of ${BYTES} bytes were kept in ${seconds(events)}, ${rate(EVENTS, events)} a second`,
  );
  await replay(url);
  const view = await timed(() => fill(bus, 'view', KEYS, (n) => `key ${n}`));
  console.log(`${KEYS} keys were kept in ${seconds(view)}`);
  await lastValues(url);
  await bus.close();
}

async function opening(): Promise<void> {
  const bus = await connected();
  const took = await timed(() => fill(bus, 'events', EVENTS, () => ''));
  console.log(`${EVENTS} events of ${BYTES} bytes were kept in ${seconds(took)}`);
  await bus.close();
  await stop('SIGTERM');
  for (let run = 0; run < 3; run++) {
    await again('stopped', EVENTS + 1);
    // Nothing came: its checkpoint is as it was.
    await stop('SIGKILL');
  }
  daemon = start();
  const more = Math.floor(EVENTS / 32) - 1000;
  const publisher = await connected();
  await fill(publisher, 'events', more, () => '');
  await publisher.close();
  for (let run = 0; run < 3; run++) {
    await stop('SIGKILL');
    await again(`killed with ${more} messages since its checkpoint`, EVENTS + 1 + more + 1);
  }
}

/** From the start of the process until a client has the last message that was kept. */
async function again(how: string, sequence: number): Promise<void> {
  const began = performance.now();
  daemon = start();
  const bus = await connected();
  const subscription = await bus.subscribe('events', { from: { last: 1 } });
  const { value: event } = await subscription.next();
  const ms = performance.now() - began;
  if (event?.kind !== 'message' || event.sequence !== sequence)
    throw new Error(`it should have begun with ${sequence}: ${JSON.stringify(event)}`);
  console.log(
    `${how}: ready in ${seconds(ms)}, ${seconds(daemonCpu())} of processor time; memory ${mib(memory())}`,
  );
  await bus.close();
}

async function fill(bus: Bus, group: string, count: number, keyOf: (n: number) => string): Promise<void> {
  const data = new Uint8Array(BYTES).fill(120);
  for (let n = 0; n < count; n++) if (!bus.send(group, data, { key: keyOf(n) })) await bus.drained();
  await bus.multicast(group, data, { key: keyOf(0) });
}

/** Reads all, checks that nothing is missing or doubled, until some seconds of what is live have come. */
async function replay(url: string): Promise<void> {
  const publishers = await Promise.all([0, 1, 2].map(() => connect(url, { membership: false })));
  let publishing = true;
  const sent = publishers.map(async (publisher) => {
    let count = 0;
    const data = new Uint8Array(BYTES);
    for (; publishing; ) {
      for (let n = 0; n < RATE / 50; n++, count++)
        if (!publisher.send('events', data)) await publisher.drained();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await publisher.multicast('events', data);
    return count + 1;
  });
  const before = memory();
  let most = before;
  const watching = setInterval(() => {
    most = Math.max(most, memory());
  }, 50);
  const listener = await connect(url, { membership: false });
  const began = performance.now();
  const cpu = daemonCpu();
  const subscription = await listener.subscribe('events', { from: 'start' });
  let next = 1;
  let caughtUpMs = 0;
  let total = Number.POSITIVE_INFINITY;
  let doubled = 0;
  for (let ended = false; !ended; ) {
    const { value: event } = await subscription.next();
    if (event === undefined) throw new Error('the subscription ended');
    if (event.kind === 'missed') throw new Error('something was missed');
    if (event.kind === 'caught_up') {
      caughtUpMs = performance.now() - began;
      const cpuMs = daemonCpu() - cpu;
      console.log(
        `a late joiner had read ${next - 1} in ${seconds(caughtUpMs)}, ${rate(next - 1, caughtUpMs)} a second; ` +
          `the daemon took ${((cpuMs * 1000) / next).toFixed(2)} us of processor time for each`,
      );
      setTimeout(async () => {
        publishing = false;
        total = EVENTS + 2 + (await Promise.all(sent)).reduce((sum, count) => sum + count, 0);
        await listener.multicast('events', 'the end', { key: 'end' });
      }, 2000);
      continue;
    }
    if (event.sequence !== next) doubled++;
    next = event.sequence + 1;
    ended = event.key === 'end';
  }
  clearInterval(watching);
  console.log(
    `${next - 1} of ${total} in all, with those that three publishers sent meanwhile; ${doubled} missing or doubled`,
  );
  console.log(`memory of the daemon: ${mib(before)} before, ${mib(most)} at most meanwhile`);
  await Promise.all([listener, ...publishers].map((one) => one.close()));
}

async function lastValues(url: string): Promise<void> {
  for (let run = 1; run <= 3; run++) {
    const bus = await connect(url, { membership: false });
    const began = performance.now();
    const view = await bus.subscribe('view', { lastValue: true });
    let values = 0;
    for await (const event of view) {
      if (event.kind === 'message') values++;
      else break;
    }
    console.log(`a joiner had the last values of ${values} keys in ${seconds(performance.now() - began)}`);
    await bus.close();
  }
}

async function timed(work: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

function memory(): number {
  const status = readFileSync(`/proc/${daemon.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)![1]) * 1024;
}

/** Of the daemon, ms. */
function daemonCpu(): number {
  const fields = readFileSync(`/proc/${daemon.pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port: free } = server.address() as { port: number };
      server.close(() => resolve(free));
    });
  });
}

function rate(count: number, ms: number): string {
  return Math.round((count * 1000) / ms).toLocaleString('en-US');
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}

function mib(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}

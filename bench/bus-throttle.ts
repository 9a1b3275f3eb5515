/**
 * What a listener at a hundredth of the speed does to everybody else, under each policy, and as a reader of a kept
 * group. Two daemons, a publisher and a listener at each, and the slow listener at the first, all processes of their
 * own. Turns without and with the slow listener follow each other; a pair of turns gives a ratio, and told are the
 * medians. Under `slow` a turn is from the moment in which the held up publishers go on to the next such moment. At the end the slow one reads on at its full speed, and what it was given and was told of is counted.
 *
 *     npm exec -- node --conditions=@rookery/source bench/bus-throttle.ts [PAIRS] [RATE] [POLICY]
 *
 * RATE: messages a second of each publisher; 0, the default, is as fast as they are confirmed.
 */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '../apps/bus/src/client/node.ts';

const BYTES = 200;
const KEYS = 1000;
const WARM_MS = 3000;
/** Until the slow one's outbox is full. */
const LEAD_MS = 1500;
const TURN_MS = 2000;
/** Under `slow` publishers stop and go on; without a message for so long they have stopped. */
const STOPPED_MS = 500;
/** A pair takes half a minute there. */
const SLOW_PAIRS = 2;
/** Under `slow`, from going on to going on: three quarters of an outbox, at a hundredth of the speed. */
const CYCLE_MS_MAX = 120_000;
/** So small that it is full within the lead; and at a rate, that it is taken within a turn. */
const OUTBOX_BYTES = { full: 4 * 1024 * 1024, rate: 1024 * 1024 };
const CONDITIONS = '--conditions=@rookery/source';

const [role = '', ...rest] = process.argv.slice(2);
if (role === 'publisher') await publish(rest[0]!, rest[1]!, Number(rest[2]));
else if (role === 'listener' || role === 'slow') await listen(rest[0]!, rest[1]!, rest[2] === 'kept');
else await main(Number(role || 3), Number(rest[0] ?? 0), rest[1]);

// ---- A process that publishes, and one that listens. Both answer {count} to each message that asks for it.

async function publish(url: string, group: string, perSecond: number): Promise<void> {
  const bus = await connect(url, { membership: false });
  const data = new Uint8Array(BYTES);
  let count = 0;
  let going = false;
  process.on('message', async (asked: { going?: boolean }) => {
    const before = going;
    going = asked.going ?? going;
    if (!going && bus.unconfirmedBytes > 0) await bus.multicast('other', data);
    process.send!({ count });
    if (going && !before) void run();
  });
  process.send!({ count });
  async function run(): Promise<void> {
    const began = performance.now();
    const from = count;
    while (going) {
      const due = perSecond === 0 ? from + Infinity : from + ((performance.now() - began) / 1000) * perSecond;
      let more = true;
      for (let left = 200; left > 0 && more && count < due; left--) {
        more = bus.send(group, data, { key: `k${count++ % KEYS}` });
      }
      if (!more) await bus.drained();
      else if (count >= due) await sleep(2);
      else await new Promise(setImmediate);
    }
  }
}

async function listen(url: string, group: string, isKept: boolean): Promise<void> {
  const bus = await connect(url, { membership: false });
  const said = { count: 0, dropped: 0, lost: 0, missed: 0, gaps: 0 };
  /** Messages a second that it takes. */
  let perSecond = Number.POSITIVE_INFINITY;
  let since = performance.now();
  let taken = 0;
  process.on('message', async (asked: { perSecond?: number; leave?: boolean }) => {
    if (asked.leave === true) {
      await bus.close();
      process.exit();
    }
    if (asked.perSecond !== undefined) {
      perSecond = asked.perSecond === 0 ? Number.POSITIVE_INFINITY : asked.perSecond;
      since = performance.now();
      taken = 0;
    }
    process.send!(said);
  });
  const events = isKept ? await bus.subscribe(group, { from: 'start' }) : await bus.join(group);
  process.send!(said);
  let sequence = 0;
  for (;;) {
    const { value: event } = await events.next();
    if (event === undefined) return;
    if (event.kind === 'dropped') said.dropped += event.count;
    else if (event.kind === 'lost') said.lost++;
    else if (event.kind === 'missed') said.missed += event.count;
    else if (event.kind === 'message') {
      said.count++;
      taken++;
      if ('sequence' in event && isKept) {
        if (event.sequence !== sequence + 1 && sequence > 0) said.gaps++;
        sequence = event.sequence;
      }
      if (perSecond === Number.POSITIVE_INFINITY) {
        if (said.count % 1000 === 0) await new Promise(setImmediate);
        continue;
      }
      const aheadMs = (taken / perSecond) * 1000 - (performance.now() - since);
      if (aheadMs > 5) await sleep(Math.min(aheadMs, 200));
    }
  }
}

// ---- The one that measures

interface Said {
  readonly count: number;
  readonly dropped: number;
  readonly lost: number;
  readonly missed: number;
  readonly gaps: number;
}

interface Daemon {
  readonly process: ChildProcess;
  readonly url: string;
  readonly admin: string;
}

async function main(pairs: number, perSecond: number, only?: string): Promise<void> {
  console.log(
    `${pairs} pairs of turns of ${TURN_MS / 1000} s, ${BYTES} bytes, ${perSecond === 0 ? 'as fast as confirmed' : `${perSecond} a second of each publisher`}`,
  );
  for (const policy of ['disconnect', 'drop-oldest', 'newest-per-key', 'slow', 'kept']) {
    if (only === undefined || only === policy) await measure(policy, pairs, perSecond);
  }
}

async function measure(policy: string, pairs: number, perSecond: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'bus-throttle-'));
  const daemons = await startRing(folder, policy, perSecond);
  const [first] = daemons as [Daemon, Daemon];
  const children: ChildProcess[] = [];
  const start = async (role: string, daemon: Daemon, ...more: string[]): Promise<ChildProcess> => {
    const child = fork(import.meta.filename, [role, daemon.url, 'feed', ...more], { execArgv: [CONDITIONS] });
    children.push(child);
    await once(child, 'message');
    return child;
  };
  try {
    const publishers: ChildProcess[] = [];
    const listeners: ChildProcess[] = [];
    for (const daemon of daemons) listeners.push(await start('listener', daemon, 'live'));
    for (const daemon of daemons) publishers.push(await start('publisher', daemon, String(perSecond)));
    await Promise.all(publishers.map((one) => ask(one, { going: true })));
    await sleep(WARM_MS);
    const turn = async (during: () => Promise<unknown>): Promise<{ sent: number; heard: number }> => {
      const began = performance.now();
      const before = await counts([...publishers, ...listeners]);
      await during();
      const after = await counts([...publishers, ...listeners]);
      const rates = after.map(
        (count, index) => ((count - before[index]!) * 1000) / (performance.now() - began),
      );
      return { sent: rates[0]! + rates[1]!, heard: (rates[2]! + rates[3]!) / 2 };
    };
    /** Until the publishers have been held up and go on. */
    const released = async (): Promise<void> => {
      const deadline = performance.now() + CYCLE_MS_MAX;
      let last = -1;
      for (let stoppedSince = performance.now(); performance.now() < deadline; await sleep(20)) {
        const now = performance.now();
        const sent = (await counts(publishers)).reduce((sum, count) => sum + count, 0);
        if (sent === last) continue;
        if (last >= 0 && now - stoppedSince >= STOPPED_MS) return;
        last = sent;
        stoppedSince = now;
      }
      throw new Error(
        `the publishers were not held up and let go on within ${CYCLE_MS_MAX / 1000} s: this machine is too busy`,
      );
    };
    const ratios: { sent: number; heard: number }[] = [];
    const bases: number[] = [];
    const follows: number[] = [];
    const memory = { without: 0, with: 0 };
    let outbox = 0;
    for (let pair = 0; pair < (policy === 'slow' ? Math.min(pairs, SLOW_PAIRS) : pairs); pair++) {
      const without = await turn(() => sleep(TURN_MS));
      bases.push(without.sent);
      memory.without = Math.max(memory.without, rss(first));
      const slow = await start('slow', first, policy);
      const slowRate = without.sent / 100;
      await ask(slow, { perSecond: slowRate });
      const watching = setInterval(async () => {
        memory.with = Math.max(memory.with, rss(first));
        outbox = Math.max(outbox, await metric(first, 'outbox_bytes').catch(() => 0));
      }, 100);
      try {
        const isHeldUp = policy === 'slow';
        await (isHeldUp ? released() : sleep(LEAD_MS));
        const had = await ask(slow, {});
        const began = performance.now();
        const with_ = await turn(isHeldUp ? released : () => sleep(TURN_MS));
        const has = await ask(slow, {});
        ratios.push({ sent: with_.sent / without.sent, heard: with_.heard / without.heard });
        follows.push(with_.sent / (((has.count - had.count) * 1000) / (performance.now() - began)));
      } finally {
        clearInterval(watching);
      }
      await leave(slow);
      // What it held up goes on.
      await sleep(300);
    }
    const [sent, heard] = [median(ratios.map((one) => one.sent)), median(ratios.map((one) => one.heard))];
    const percent = (ratio: number): string => `${(ratio * 100).toFixed(1)} %`;
    console.log(
      `${policy}: ${Math.round(median(bases))} a second without; with the slow one publishers at ${percent(sent)} of it, other listeners at ${percent(heard)}`,
    );
    if (policy === 'slow')
      console.log(`  publishers at ${median(follows).toFixed(2)} times the rate of the slow one`);
    console.log(
      `  daemon: ${mib(memory.without)} without, at most ${mib(memory.with)} with; outboxes at most ${mib(outbox)}; ended for being slow: ${await metric(first, 'sessions_ended_total', 'too_slow')}`,
    );
    await account(policy);
    async function account(name: string): Promise<void> {
      const kept = name === 'kept';
      await Promise.all(publishers.map((one) => ask(one, { going: false })));
      const before = (await counts(publishers)).reduce((sum, count) => sum + count, 0);
      const slow = await start('slow', first, name);
      await ask(slow, { perSecond: median(bases) / 100 });
      await Promise.all(publishers.map((one) => ask(one, { going: true })));
      await sleep(LEAD_MS + TURN_MS);
      await Promise.all(publishers.map((one) => ask(one, { going: false })));
      const total = (await counts(publishers)).reduce((sum, count) => sum + count, 0);
      await ask(slow, { perSecond: 0 });
      const expected = kept ? total : total - before;
      const isTold = ({ count, dropped, missed, lost }: Said): boolean =>
        lost > 0 || count + dropped + missed >= expected;
      let said = await ask(slow, {});
      for (let left = 600; left > 0 && !isTold(said); left--) {
        await sleep(100);
        said = await ask(slow, {});
      }
      console.log(
        `  it was sent ${expected}: given ${said.count}, told of ${said.dropped} dropped, ${said.missed} missed and ${said.lost} lost sessions, ${expected - said.count - said.dropped - said.missed} untold${kept ? `, gaps ${said.gaps}` : ''}; the daemon counts ${await metric(first, 'dropped_total')} dropped in all`,
      );
      await leave(slow);
    }
  } finally {
    for (const child of children) await end(child);
    for (const { process: daemon } of daemons) {
      daemon.kill();
      if (daemon.exitCode === null) await once(daemon, 'exit');
    }
    await rm(folder, { recursive: true });
  }
}

async function startRing(folder: string, policy: string, perSecond: number): Promise<Daemon[]> {
  const rings = [await freePort('udp'), await freePort('udp')];
  const daemons: Daemon[] = [];
  for (const [index, ring] of rings.entries()) {
    const config = join(folder, `${index}.toml`);
    const [port, admin] = [await freePort(), await freePort()];
    await writeFile(
      config,
      policy === 'kept'
        ? index === 0
          ? 'keep = ["feed"]\n'
          : ''
        : `[group_defaults]\nslow_policy = "${policy}"\n`,
    );
    const daemon = spawn(
      process.execPath,
      [
        ...[CONDITIONS, '--input-type=module-typescript', '--eval'],
        `const { main } = await import(${JSON.stringify(new URL('../apps/bus/src/cli.ts', import.meta.url))}); await main(['', '', ...process.argv.slice(1)])`,
        ...[
          '--',
          'daemon',
          `--config=${config}`,
          `--name=d${index}`,
          `--data=${join(folder, String(index))}`,
        ],
        ...[`--ws=127.0.0.1:${port}`, `--listen=127.0.0.1:${await freePort()}`, `--admin-port=${admin}`],
        ...[`--ring=127.0.0.1:${ring}`, `--peers=127.0.0.1:${rings[1 - index]}`],
        ...[
          `--outbox-bytes=${perSecond === 0 ? OUTBOX_BYTES.full : OUTBOX_BYTES.rate}`,
          '--token-loss-ms=4000',
          '--log-level=warn',
        ],
      ],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    daemons.push({ process: daemon, url: `ws://127.0.0.1:${port}`, admin: `http://127.0.0.1:${admin}` });
  }
  for (const daemon of daemons) {
    while ((await metric(daemon, 'ring_members').catch(() => 0)) < 2) {
      if (daemon.process.exitCode !== null) throw new Error('a daemon did not start');
      await sleep(50);
    }
  }
  return daemons;
}

async function ask(child: ChildProcess, what: object): Promise<Said> {
  child.send(what);
  const [said] = await once(child, 'message');
  return said as Said;
}

async function counts(children: readonly ChildProcess[]): Promise<number[]> {
  return (await Promise.all(children.map((child) => ask(child, {})))).map(({ count }) => count);
}

/** A session that is only cut stays for a while, a member and slow. */
async function leave(child: ChildProcess): Promise<void> {
  child.send({ leave: true });
  await once(child, 'exit');
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

async function metric(daemon: Daemon, name: string, label?: string): Promise<number> {
  const text = await (await fetch(`${daemon.admin}/metrics`)).text();
  const line = text
    .split('\n')
    .find(
      (one) => one.startsWith(`rookery_bus_${name}`) && (label === undefined || one.includes(`"${label}"`)),
    );
  return Number(line?.split(' ').at(-1) ?? 0);
}

function rss(daemon: Daemon): number {
  const status = readFileSync(`/proc/${daemon.process.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)![1]) * 1024;
}

function mib(bytes: number): string {
  return `${Math.round(bytes / 1024 / 1024)} MiB`;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}

async function freePort(kind: 'tcp' | 'udp' = 'tcp'): Promise<number> {
  if (kind === 'udp') {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const { port } = socket.address();
    socket.close();
    return port;
  }
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}

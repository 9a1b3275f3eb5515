/** A ring of three real daemons under a storm: what must hold meanwhile, and afterwards. */
import { connect, type Socket } from 'node:net';
import { type Random, waitFor } from '@rookery/testkit';
import { expect } from 'vitest';
import { type DaemonProcess, errorLines, startRing } from '../daemon-process.ts';
import { startCalmPair } from './calm-pair.ts';

const MIB = 1024 * 1024;
/**
 * A daemon that gets no processor for 280 ms is lost, and on a machine that runs other tests too that happens: what is
 * to be seen here is whether a storm loses one.
 */
export const PATIENCE: readonly string[] = ['--token-loss-ms', '4000', '--consensus-ms', '1000'];
/** Above what a daemon has after its start: its heap may grow to four times of what lives before it is collected. */
const GROWTH_BYTES = 512 * MIB;

export interface StormReport {
  readonly seconds: number;
  readonly messages: number;
  readonly slowestMs: number;
  readonly growthMib: number;
  readonly refused: Readonly<Record<string, number>>;
}

/** Storms at the first daemon, whose clients and neighbours must notice nothing. */
export async function weather(
  flags: readonly string[],
  storm: (target: DaemonProcess, ring: readonly DaemonProcess[]) => Promise<void>,
): Promise<StormReport> {
  const ring = await startRing(3, {
    flags: ['--handshake-timeout-ms', '1000', '--resume-ms', '500', ...PATIENCE, ...flags],
  });
  const [one, two] = ring as [DaemonProcess, DaemonProcess, DaemonProcess];
  try {
    const descriptors = await one.openDescriptors();
    const before = await one.rssBytes();
    const pair = await startCalmPair(one, two);
    const began = performance.now();
    await storm(one, ring);
    const seconds = (performance.now() - began) / 1000;
    const talk = await pair.stop();
    expect(talk.messages).toBeGreaterThan(0);
    for (const daemon of ring) {
      expect(daemon.process.exit, daemon.process.output.slice(-5000)).toBeUndefined();
      expect(errorLines(daemon)).toEqual([]);
      expect((await fetch(`${daemon.adminUrl}/readyz`)).status).toBe(200);
      expect((await daemon.admin<{ members: unknown[] }>('/ring')).members).toHaveLength(3);
    }
    await waitFor(async () => (await one.openDescriptors()) <= descriptors + 3, {
      what: 'descriptors to be released',
      everyMs: 100,
    });
    await waitFor(async () => (await one.admin<{ sessions: unknown[] }>('/sessions')).sessions.length === 0, {
      what: 'all sessions to end',
      everyMs: 100,
    });
    const growth = (await one.rssBytes()) - before;
    expect(growth).toBeLessThan(GROWTH_BYTES);
    const refused = await refusals(one);
    const report = { seconds, ...talk, growthMib: Math.round(growth / MIB), refused };
    if (process.env.ROOKERY_TEST_FUZZ_RUNS !== undefined) console.log(JSON.stringify(report));
    return report;
  } finally {
    await Promise.all(ring.map((daemon) => daemon[Symbol.asyncDispose]()));
  }
}

async function refusals(daemon: DaemonProcess): Promise<Record<string, number>> {
  const text = await (await fetch(`${daemon.adminUrl}/metrics`)).text();
  const found: Record<string, number> = {};
  for (const [, labels, value] of text.matchAll(/^\w*(?:input|datagrams)_refused_total\{(.*)\} (\d+)$/gm)) {
    const reason = [...labels!.matchAll(/(?:wire|reason)="([^"]*)"/g)].map(([, one]) => one).join(' ');
    if (Number(value) > 0) found[reason] = Number(value);
  }
  return found;
}

/** Runs so many at a time until `next` has none left. */
async function inParallel(width: number, next: () => (() => Promise<void>) | undefined): Promise<void> {
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (let one = next(); one !== undefined; one = next()) await one();
    }),
  );
}

export interface Life {
  readonly frames: readonly Buffer[];
  readonly ends: 'silent' | 'end' | 'reset';
}

/** So many frames in lives of connections, beside 300 silent ones. Gives how many lives there were. */
export async function stormOfConnections<L extends Life>(
  port: number,
  runs: number,
  life: (left: number) => L,
  live: (socket: Socket, life: L, closed: Promise<void>) => Promise<void>,
  silence: (index: number) => string = () => '',
): Promise<number> {
  const silent = Array.from({ length: 300 }, (_, index) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.on('error', () => undefined);
    socket.write(silence(index));
    return socket;
  });
  let left = runs;
  let lives = 0;
  await inParallel(24, () => {
    if (left <= 0) return undefined;
    return async () => {
      lives++;
      const one = life(left);
      left -= Math.max(1, one.frames.length);
      const socket = connect({ port, host: '127.0.0.1' });
      const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
      socket.on('error', () => undefined);
      await Promise.race([new Promise((resolve) => socket.once('connect', resolve)), closed]);
      await live(socket, one, closed);
    };
  });
  for (const socket of silent) socket.destroy();
  return lives;
}

/** Writes in pieces that have nothing to do with the frames, and ends as the life does. */
export async function pour(
  socket: Socket,
  bytes: Buffer,
  ends: Life['ends'],
  closed: Promise<void>,
  random: Random,
): Promise<void> {
  socket.resume();
  for (let at = 0; at < bytes.length && !socket.destroyed; ) {
    const to = at + random.between(1, 20_000);
    socket.write(bytes.subarray(at, to));
    at = to;
  }
  if (ends === 'end') socket.end();
  else if (ends === 'reset') socket.end(() => socket.resetAndDestroy());
  // Who stays open after half a frame is ours to close.
  const timer = setTimeout(() => socket.destroy(), random.pick([50, 500, 1500]));
  await closed;
  clearTimeout(timer);
}

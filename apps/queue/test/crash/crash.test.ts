import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type QueueProcess, startQueue } from '../queue-process.ts';
import { connectText, type TextClient } from '../text-client.ts';
import { createLedger, type Ledger } from './ledger.ts';

// The server is killed under load again and again, at random moments, with writers and readers on several queues.
// ROOKERY_TEST_CRASH_CYCLES=200 for the long run.

const cycles = Number(process.env.ROOKERY_TEST_CRASH_CYCLES ?? 20);
const reliableQueues = ['orders', 'mail', 'audit'];
const plainQueue = 'plain';
const writersPerQueue = 3;
const pipelined = 8;

const backlogMax = 1000;

/** What survives SIGKILL may not depend on when the device is synced. */
const syncModes = ['always', '50', 'never'];

let directory: string;
let server: QueueProcess | undefined;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rookery-crash-'));
});

afterEach(async () => {
  await server?.kill();
  await rm(directory, { recursive: true, force: true });
});

/** Puts until the connection dies, several puts in flight. */
async function write(client: TextClient, queue: string, ledger: Ledger, writer: number): Promise<void> {
  const padding = 'x'.repeat((writer * 97) % 400);
  async function one(): Promise<void> {
    for (;;) {
      // Readers acknowledge one by one: a backlog without bound would only make the end longer.
      while (ledger.counts.stored - ledger.counts.closed > backlogMax) {
        if (await client.ended(5)) return;
      }
      const body = ledger.put(writer);
      const padded = `${body} ${padding}`;
      if ((await client.line(`set ${queue} 0 0 ${padded.length}\r\n${padded}\r\n`)) === 'STORED')
        ledger.stored(body);
    }
  }
  await Promise.allSettled(Array.from({ length: pipelined }, one));
}

const bodyOf = (padded: string): string => padded.slice(0, padded.indexOf(' '));

/** Reads reliably until the connection dies, or until the queue is empty. */
async function readReliably(
  client: TextClient,
  queue: string,
  ledger: Ledger,
  untilEmpty: boolean,
): Promise<void> {
  let open: string | undefined;
  for (;;) {
    if (open !== undefined) ledger.closing(open);
    const values = await client.values(`get ${queue}/close/open${untilEmpty ? '' : '/t=50'}\r\n`);
    if (open !== undefined) ledger.closed(open);
    open = values[0] === undefined ? undefined : bodyOf(values[0].body);
    if (open !== undefined) ledger.received(open);
    else if (untilEmpty) return;
  }
}

async function readPlainly(client: TextClient, ledger: Ledger, untilEmpty: boolean): Promise<void> {
  for (;;) {
    const values = await client.values(`get ${plainQueue}${untilEmpty ? '' : '/t=50'}\r\n`);
    for (const { body } of values) {
      ledger.received(bodyOf(body));
      // A plain get closes what it takes.
      ledger.closed(bodyOf(body));
    }
    if (values.length === 0 && untilEmpty) return;
  }
}

test(`nothing acknowledged is lost, repeated or reordered over ${cycles} kills under load`, {
  timeout: 60_000 + cycles * 5_000,
}, async () => {
  const ledgers = new Map<string, Ledger>();
  for (const queue of reliableQueues) ledgers.set(queue, createLedger(queue));
  const plainLedger = createLedger(plainQueue);
  const violations = (): string[] =>
    [...ledgers.values(), plainLedger].flatMap((ledger) => [...ledger.violations]);

  for (let cycle = 0; cycle < cycles; cycle += 1) {
    server = await startQueue({
      dataDirectory: directory,
      // Small files, so that sealing, reclaim and snapshots are in the middle of their work at some kills.
      flags: [
        '--sync',
        syncModes[cycle % syncModes.length]!,
        '--segment-bytes',
        '256KiB',
        '--max-body-bytes',
        '64KiB',
      ],
    });
    const { port } = server;
    const work: Promise<void>[] = [];
    for (const [queue, ledger] of ledgers) {
      for (let writer = 0; writer < writersPerQueue; writer += 1) {
        work.push(connectText(port).then((client) => write(client, queue, ledger, writer)));
      }
      work.push(connectText(port).then((client) => readReliably(client, queue, ledger, false)));
    }
    work.push(connectText(port).then((client) => write(client, plainQueue, plainLedger, 0)));
    work.push(connectText(port).then((client) => readPlainly(client, plainLedger, false)));
    const settled = Promise.allSettled(work);
    await new Promise((resolve) => setTimeout(resolve, 20 + Math.random() * 400));
    await server.kill();
    await settled;
    for (const ledger of [...ledgers.values(), plainLedger]) ledger.killed();
    expect(violations(), `cycle ${cycle}`).toEqual([]);
  }

  server = await startQueue({ dataDirectory: directory, flags: ['--max-body-bytes', '64KiB'] });
  for (const [queue, ledger] of ledgers) {
    await readReliably(await connectText(server.port), queue, ledger, true);
    expect(ledger.missing(), `${queue}: acknowledged and gone`).toEqual([]);
    expect(ledger.counts.stored, `${queue}: messages put`).toBeGreaterThan(cycles);
    expect(ledger.counts.closed, `${queue}: messages closed`).toBeGreaterThan(cycles);
  }
  await readPlainly(await connectText(server.port), plainLedger, true);
  // One plain get at a time was on its way at each kill.
  expect(plainLedger.missing().length, `${plainQueue}: acknowledged and gone`).toBeLessThanOrEqual(cycles);
  expect(violations()).toEqual([]);
  expect(await server.stop()).toBe(0);
  const total = [...ledgers.values()].reduce((sum, ledger) => sum + ledger.counts.stored, 0);
  console.info(`${cycles} kills, ${total} messages acknowledged, none lost, repeated or reordered`);
});

import { temporaryFolder } from '@rookery/testkit';
import { expect, test } from 'vitest';
import { type QueueProcess, startQueue } from '../queue-process.ts';
import { connectText, type TextClient } from '../text-client.ts';

// Killed again and again while messages with delays, priorities and ids are put, given back, delayed anew, buried and
// redriven. A put without an answer is put again with its id. In the end each message was there exactly once.

const cycles = Number(process.env.ROOKERY_TEST_CRASH_CYCLES ?? 6);
const syncModes = ['always', '50', 'never'];

/** What the clients know. */
class Ledger {
  /** Put, and no answer yet. */
  readonly unanswered = new Map<string, string>();
  readonly stored = new Set<string>();
  /** A close is on its way, or answered. */
  readonly closing = new Set<string>();
  readonly closed = new Set<string>();
  readonly violations: string[] = [];
  #next = 1;

  next(): string {
    const body = String(this.#next);
    this.#next += 1;
    const number = Number(body);
    const delay = number % 3 === 0 ? `/delay=${(number % 7) * 20 + 1}` : '';
    this.unanswered.set(
      body,
      `set tasks/priority=${number % 10}${delay}/id=task-${body} 0 0 ${body.length}\r\n${body}\r\n`,
    );
    return body;
  }

  received(body: string): void {
    if (!this.stored.has(body) && !this.unanswered.has(body)) this.violations.push(`${body} was never put`);
    if (this.closed.has(body)) this.violations.push(`${body} came again after its close`);
  }

  /** Throws the first few: an assertion on a long list would tell only its length. */
  hold(when: string): void {
    if (this.violations.length > 0) throw new Error(`${when}: ${this.violations.slice(0, 10).join('; ')}`);
  }
}

async function write(client: TextClient, ledger: Ledger): Promise<void> {
  for (;;) {
    // Twice: the second is a duplicate.
    const body = ledger.next();
    const put = ledger.unanswered.get(body)!;
    const [first, second] = await Promise.all([client.line(put), client.line(put)]);
    if (first !== 'STORED' || second !== 'STORED') ledger.violations.push(`${body}: ${first} ${second}`);
    ledger.unanswered.delete(body);
    ledger.stored.add(body);
    // Readers do one thing at a time.
    while (ledger.stored.size - ledger.closed.size > 300) if (await client.ended(5)) return;
  }
}

async function read(client: TextClient, ledger: Ledger): Promise<void> {
  for (let turn = 0; ; turn += 1) {
    const [message] = await client.values('get tasks/open/t=20\r\n');
    if (message === undefined) continue;
    const { body } = message;
    ledger.received(body);
    if (turn % 4 === 1) await client.values('get tasks/abort\r\n');
    else if (turn % 4 === 2) await client.values('get tasks/abort/delay=30\r\n');
    else if (turn % 16 === 3) await client.values('get tasks/bury\r\n');
    else await close(client, ledger, 'tasks', body);
    if (turn % 50 === 49) await client.line('redrive dead 10\r\n').catch(() => undefined);
  }
}

async function close(client: TextClient, ledger: Ledger, queue: string, body: string): Promise<void> {
  ledger.closing.add(body);
  await client.values(`get ${queue}/close\r\n`);
  ledger.closed.add(body);
}

async function drain(client: TextClient, ledger: Ledger, queue: string, waitMs: number): Promise<void> {
  for (;;) {
    const [message] = await client.values(`get ${queue}/open/t=${waitMs}\r\n`);
    if (message === undefined) return;
    ledger.received(message.body);
    if (ledger.closing.has(message.body) && ledger.closed.has(message.body)) return;
    await close(client, ledger, queue, message.body);
  }
}

test(
  `each message is there exactly once over ${cycles} kills`,
  {
    timeout: 60_000 + cycles * 10_000,
  },
  () => run(cycles),
);

test('a server that forgets some of the closes when it is killed is found out', {
  timeout: 120_000,
}, async () => {
  const sabotage = new URL('./forget-closes.ts', import.meta.url);
  await expect(run(4, { NODE_OPTIONS: `--import=${sabotage}` })).rejects.toThrow(
    'came again after its close',
  );
});

async function run(cycles: number, env: Readonly<Record<string, string>> = {}): Promise<void> {
  await using folder = await temporaryFolder();
  const ledger = new Ledger();
  let server: QueueProcess | undefined;
  const start = async (sync: string): Promise<TextClient> => {
    server = await startQueue({
      dataDirectory: folder.path,
      flags: ['--sync', sync, '--segment-bytes', '256KiB', '--max-body-bytes', '64KiB'],
      env,
    });
    const client = await connectText(server.port);
    // What had no answer when the server was killed is put again: it may be there already, and is not stored twice.
    for (const [body, put] of [...ledger.unanswered]) {
      expect(await client.line(put)).toBe('STORED');
      ledger.unanswered.delete(body);
      ledger.stored.add(body);
    }
    return client;
  };
  try {
    for (let cycle = 0; cycle < cycles; cycle += 1) {
      const client = await start(syncModes[cycle % syncModes.length]!);
      if (cycle === 0) {
        const settings = 'max_deliveries=3 dead_letter_queue=dead deduplication_window_items=100000';
        await client.values(`settings tasks ${settings}\r\n`);
      }
      const { port } = server!;
      const work = [write, write, read, read].map(async (act) => act(await connectText(port), ledger));
      const settled = Promise.allSettled(work);
      await new Promise((resolve) => setTimeout(resolve, 50 + Math.random() * 400));
      await server!.kill();
      await settled;
      ledger.hold(`cycle ${cycle}`);
    }
    const client = await start('always');
    // Delays are 140 ms at most, and those of what is given back 30.
    await drain(client, ledger, 'tasks', 1000);
    await drain(client, ledger, 'dead', 0);
    ledger.hold('at the end');
    expect([...ledger.stored].filter((body) => !ledger.closing.has(body))).toEqual([]);
    expect(ledger.closed.size).toBeGreaterThan(cycles * 5);
    expect(await server!.stop()).toBe(0);
    console.info(`${cycles} kills, ${ledger.stored.size} messages, each there once`);
  } finally {
    await server?.kill();
  }
}

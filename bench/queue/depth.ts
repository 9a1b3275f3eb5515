/**
 * What a long queue costs, and what many queues cost: memory, speed, and the time of a restart.
 * `npm exec -- node --conditions=@rookery/source bench/queue/depth.ts [--messages 5000000] [--queues 10000] [--docs FILE]`
 */
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { parseArgs } from 'node:util';
import { temporaryFolder } from '@rookery/testkit';
import { measure, median, memory } from './measure.ts';
import { compileLoad } from './programs.ts';
import { replaceBetweenMarkers } from './report.ts';
import type { RunningSystem } from './system.ts';
import { startRookery } from './systems/rookery.ts';

const { values: options } = parseArgs({
  options: {
    messages: { type: 'string', default: '5000000' },
    queues: { type: 'string', default: '10000' },
    seconds: { type: 'string', default: '2' },
    repetitions: { type: 'string', default: '3' },
    docs: { type: 'string' },
  },
});
const messages = Number(options.messages);
const queues = Number(options.queues);
const seconds = Number(options.seconds);
const repetitions = Number(options.repetitions);

await using folder = await temporaryFolder('rookery-bench-');
const load = compileLoad(folder.path);

interface Figures {
  readonly what: string;
  /** MB more than before the messages came. */
  readonly addedMegabytes: number;
  /** Operations a second with them there, and before they came. */
  readonly rates: readonly { readonly depth: number; readonly full: number; readonly empty: number }[];
  /** From the start of the program until it answers; of that, the opening of the log is part. */
  readonly readySeconds: { readonly stopped: number; readonly killed: number };
  readonly restartedMegabytes: number;
}

const rows = [
  await run(`${messages.toLocaleString('en')} messages of 100 bytes in one queue`, 'deep', (running) =>
    fill(running, 'deep', messages),
  ),
  await run(`${queues.toLocaleString('en')} queues with a message each`, 'beside', (running) =>
    putOneEach(running.port, queues),
  ),
];
const text = table(rows);
console.log(text);
if (options.docs !== undefined) {
  const document = await readFile(options.docs, 'utf8');
  await writeFile(options.docs, replaceBetweenMarkers(document, text, 'depth'));
}

/** `queue`: the one that rates are measured on. */
async function run(
  what: string,
  queue: string,
  bring: (running: RunningSystem) => Promise<void>,
): Promise<Figures> {
  await using own = await temporaryFolder('rookery-depth-');
  const start = async (): Promise<[RunningSystem, number]> => {
    const from = performance.now();
    const running = await startRookery({ folder: own.path, flags: ['--sync', '1000'] });
    return [running, (performance.now() - from) / 1000];
  };
  const [first] = await start();
  for (const depth of [1, 32]) await turns(first, queue, depth);
  const empty = [await rate(first, queue, 1), await rate(first, queue, 32)];
  const before = (await memory(first.server)).now;
  await bring(first);
  const after = (await memory(first.server)).now;
  const full = [await rate(first, queue, 1), await rate(first, queue, 32)];
  await first[Symbol.asyncDispose]();
  const [second, stopped] = await start();
  const restartedMegabytes = (await memory(second.server)).now;
  second.server.kill('SIGKILL');
  await second.server.waitForExit();
  const [third, killed] = await start();
  await third[Symbol.asyncDispose]();
  return {
    what,
    addedMegabytes: after - before,
    rates: [1, 32].map((depth, at) => ({ depth, full: full[at]!, empty: empty[at]! })),
    readySeconds: { stopped, killed },
    restartedMegabytes,
  };
}

/** Each connection puts and gets in turns: the queue stays as long as it is. */
async function turns(running: RunningSystem, queue: string, depth: number): Promise<number> {
  const { perSecond } = await measure(load, running.server, {
    ...{ protocol: 'memcache', port: running.port, queue, connections: 50, depth, bodyBytes: 100 },
    ...{ work: 'turns', seconds, count: 0 },
  });
  return perSecond;
}

async function rate(running: RunningSystem, queue: string, depth: number): Promise<number> {
  const rates: number[] = [];
  for (let count = 0; count < repetitions; count++) rates.push(await turns(running, queue, depth));
  return median(rates);
}

async function fill(running: RunningSystem, queue: string, count: number): Promise<void> {
  await measure(load, running.server, {
    ...{ protocol: 'memcache', port: running.port, queue, connections: 50, depth: 32, bodyBytes: 100 },
    ...{ work: 'put', seconds: 0, count },
  });
}

async function putOneEach(port: number, count: number): Promise<void> {
  const body = 'x'.repeat(100);
  const socket = connect(port, '127.0.0.1');
  let answers = '';
  socket.setEncoding('latin1').on('data', (some: string) => {
    answers += some;
  });
  for (let at = 0; at < count; at++) socket.write(`set each-${at} 0 0 100\r\n${body}\r\n`);
  while (answers.length < count * 'STORED\r\n'.length) await once(socket, 'data');
  socket.destroy();
  if (answers !== 'STORED\r\n'.repeat(count)) throw new Error('a put was refused');
}

function table(figures: readonly Figures[]): string {
  const lines = [
    `${new Date().toISOString().slice(0, 10)}, Node ${process.versions.node}, --sync 1000. Rates are of puts and gets in turns over 50 connections, medians of`,
    `${repetitions} times ${seconds} s, on an empty queue before and with all of it there after. Ready counts from the start of the program;`,
    'most of that is loading it.',
    '',
    '| what waits | memory added, MB | unpipelined, /s (empty) | kept | 32 deep, /s (empty) | kept | ready after a stop, s | after SIGKILL, s | memory then, MB |',
    '|---|--:|--:|--:|--:|--:|--:|--:|--:|',
  ];
  for (const { what, addedMegabytes, rates, readySeconds, restartedMegabytes } of figures) {
    const cells = rates.flatMap(({ full, empty }) => [
      `${whole(full)} (${whole(empty)})`,
      `${Math.round((100 * full) / empty)} %`,
    ]);
    const { stopped, killed } = readySeconds;
    const after = [stopped.toFixed(2), killed.toFixed(2), whole(restartedMegabytes)];
    lines.push(`| ${[what, whole(addedMegabytes), ...cells, ...after].join(' | ')} |`);
  }
  return lines.join('\n');
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en');
}

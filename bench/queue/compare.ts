/**
 * Queue servers side by side in one run: `npm exec -- node --conditions=@rookery/source bench/queue/compare.ts
 * [--standard] [--systems a,b] [--json FILE] [--docs FILE]`. What else can be said is at `options`. The tables go to
 * stdout, and into FILE between its markers.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { temporaryFolder } from '@rookery/testkit';
import { type Measurement, measure, memory } from './measure.ts';
import { compileLoad } from './programs.ts';
import { markdown, type Result, type Run, replaceBetweenMarkers, type Work } from './report.ts';
import type { RunningSystem, System } from './system.ts';
import { jetStream } from './systems/nats.ts';
import { beanstalkd, beanstalkdAlways, memcached, redis, redisAlways } from './systems/peers.ts';
import { rookery, rookeryAlways, rookeryBefore } from './systems/rookery.ts';

const { values: options } = parseArgs({
  options: {
    systems: { type: 'string' },
    /** Five repetitions of 1.5 s: what the tables of the docs are made with, in less than 12 minutes. */
    standard: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '1' },
    repetitions: { type: 'string', default: '3' },
    depths: { type: 'string', default: '1,32' },
    works: { type: 'string', default: 'put,get,turns,reliable' },
    connections: { type: 'string', default: '50' },
    bytes: { type: 'string', default: '100' },
    /** A built package of another version, measured as before-1000 and before-always. */
    before: { type: 'string' },
    json: { type: 'string' },
    docs: { type: 'string' },
  },
});
const known: readonly System[] = [
  rookery,
  rookeryAlways,
  ...(options.before === undefined
    ? []
    : [rookeryBefore(options.before, '1000'), rookeryBefore(options.before, 'always')]),
  memcached,
  beanstalkd,
  beanstalkdAlways,
  redis,
  redisAlways,
  jetStream,
];
const seconds = options.standard ? 1.5 : Number(options.seconds);
const repetitions = options.standard ? 5 : Number(options.repetitions);
const connections = Number(options.connections);
const bodyBytes = Number(options.bytes);
const depths = options.depths.split(',').map(Number);
const works = options.works.split(',') as Work[];
/** V8 compiles what it runs often, and it needs some 100,000 operations of each kind for that. */
const warmupSeconds = 1;

const names = options.systems?.split(',') ?? known.map(({ name }) => name);
const systems = names.map((name) => {
  const system = known.find((one) => one.name === name);
  if (system === undefined) fail(`there is no system ${name}: ${known.map((one) => one.name).join(', ')}`);
  const missing = system.whyMissing();
  if (missing !== undefined) fail(`${name}: ${missing}; or name others with --systems`);
  return system;
});

await using folder = await temporaryFolder('rookery-bench-');
const load = compileLoad(folder.path);
const results: Result[] = [];
/** Made so far, by server. */
const queues = new WeakMap<RunningSystem, Set<string>>();
const peaks: { system: string; megabytes: number }[] = [];
for (let repetition = 1; repetition <= repetitions; repetition++) {
  for (const system of systems) await repeat(system, repetition);
}

const run: Run = {
  date: new Date().toISOString().slice(0, 10),
  machine: `${cpus().length} × ${cpus()[0]?.model.trim()}, Linux ${release()}, Node ${process.versions.node}`,
  ...{ seconds, repetitions, connections, bodyBytes, depths },
  systems: systems.map(({ name, remark }) => ({ name, remark })),
  ...{ results, peaks },
};
const text = markdown(run);
console.log(text);
if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(run, null, 1)}\n`);
if (options.docs !== undefined) {
  await writeFile(options.docs, replaceBetweenMarkers(await readFile(options.docs, 'utf8'), text));
}

/** A fresh server, warmed up, then every depth and work. */
async function repeat(system: System, repetition: number): Promise<void> {
  const own = join(folder.path, `${system.name}-${repetition}`);
  await mkdir(own);
  await using running = await system.start(own);
  for (const depth of depths) {
    await one(system, running, 'turns', depth, { seconds: warmupSeconds });
    let stored = 0;
    for (const work of works) {
      if (work === 'reliable' && system.reliableProtocol === undefined) continue;
      // Gets take what the puts have left; reliable ones are given as much anew.
      if (work === 'reliable') stored = (await one(system, running, 'put', depth, { seconds })).operations;
      const limit = work === 'get' || work === 'reliable' ? { count: stored } : { seconds };
      const about = { system: system.name, work, depth, repetition };
      try {
        const measurement = await one(system, running, work, depth, limit);
        if (work === 'put') stored = measurement.operations;
        results.push({ ...about, measurement, problem: null });
        tell(about, measurement);
      } catch (error) {
        results.push({ ...about, measurement: null, problem: String(error) });
        console.error(`${repetition} ${system.name} ${work} ${depth}: ${error}`);
        return;
      }
    }
  }
  peaks.push({ system: system.name, megabytes: (await memory(running.server)).peak });
}

async function one(
  system: System,
  running: RunningSystem,
  work: Work,
  depth: number,
  limit: { readonly seconds?: number; readonly count?: number },
): Promise<Measurement> {
  // What the turns leave behind, and what a reliable read holds when its connection goes, stays among its own.
  const queue = work === 'turns' ? `turns${depth}` : `q${depth}`;
  let made = queues.get(running);
  if (made === undefined) {
    made = new Set();
    queues.set(running, made);
  }
  if (!made.has(queue)) await running.createQueue?.(queue);
  made.add(queue);
  return measure(load, running.server, {
    protocol: work === 'reliable' ? system.reliableProtocol! : system.protocol,
    ...{ port: running.port, queue, connections, depth, bodyBytes },
    work: work === 'reliable' ? 'get' : work,
    ...{ seconds: 0, count: 0, ...limit },
  });
}

function tell(about: Omit<Result, 'measurement' | 'problem'>, outcome: Measurement): void {
  const { repetition, system, work, depth } = about;
  const { perSecond, p50Us, p99Us, serverUs, serverCpu, loadCpu } = outcome;
  console.error(
    `${repetition} ${system} ${work} ${depth}: ${perSecond.toFixed(0)}/s, p50 ${p50Us.toFixed(0)} p99 ${p99Us.toFixed(0)} µs, ` +
      `${serverUs.toFixed(2)} µs of CPU each, CPU ${serverCpu.toFixed(2)} + ${loadCpu.toFixed(2)}`,
  );
}

function fail(problem: string): never {
  console.error(problem);
  process.exit(1);
}

/**
 * Group communication systems side by side in one run, on three hosts in network namespaces (needs root):
 * `npm exec -- node --conditions=@rookery/source bench/bus/compare.ts [--systems a,b] [--json FILE] [--docs FILE]`.
 * What else can be said is at `options`. The table goes to stdout, and into FILE between its markers.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createHosts, type Hosts, hostsAvailable, temporaryFolder } from '@rookery/testkit';
import { type Load, type Measurement, measure } from './measure.ts';
import { markdown, type Result, type Run, replaceBetweenMarkers } from './report.ts';
import type { RunningSystem, Service, System } from './system.ts';
import { corosyncKnet, corosyncUdp } from './systems/corosync.ts';
import { natsCore, natsJetStream } from './systems/nats.ts';
import { rookery, rookeryLarge, rookerySecret, rookerySpread } from './systems/rookery.ts';

const known: readonly System[] = [
  rookery,
  rookerySpread,
  rookerySecret,
  rookeryLarge,
  corosyncUdp,
  corosyncKnet,
  natsCore,
  natsJetStream,
];

const { values: options } = parseArgs({
  options: {
    systems: { type: 'string', default: known.map(({ name }) => name).join(',') },
    sizes: { type: 'string', default: '100,1350,8192' },
    services: { type: 'string', default: 'agreed,safe' },
    /** Own messages on their way per sender: every one is tried, the best counts. */
    windows: { type: 'string', default: '64,256,1024' },
    seconds: { type: 'string', default: '3' },
    repetitions: { type: 'string', default: '3' },
    against: { type: 'string', default: corosyncUdp.name },
    json: { type: 'string' },
    docs: { type: 'string' },
  },
});
const sizes = numbers(options.sizes);
const services = options.services.split(',').map((name) => {
  const service = (['agreed', 'safe'] as const).find((one) => one === name);
  if (service === undefined) fail(`there is no service ${name}: agreed, safe`);
  return service;
});
const windows = numbers(options.windows);
const measureMs = Number(options.seconds) * 1000;
const repetitions = Number(options.repetitions);
/** Clients in Node are started for each measurement: for two seconds V8 compiles, on the cores that are measured. */
const warmupMs = 3000;
/** Who was kept from the processor for longer than any collection: its tail says nothing of the system. */
const HELD_UP_MS = 20;

const systems = options.systems.split(',').map((name) => {
  const system = known.find((one) => one.name === name);
  if (system === undefined) fail(`there is no system ${name}: ${known.map((one) => one.name).join(', ')}`);
  const missing = system.whyMissing();
  if (missing !== undefined) fail(`${name}: ${missing}; or name others with --systems`);
  return system;
});
if (!hostsAvailable()) process.exit(1);

const results: Result[] = [];
const hosts = await createHosts({ count: 3 });
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => hosts.dispose().finally(() => process.exit(1)));
}
try {
  for (let repetition = 1; repetition <= repetitions; repetition++) {
    for (const system of systems) await repeat(system, repetition, hosts);
  }
} finally {
  await hosts.dispose();
}

const run: Run = {
  date: new Date().toISOString().slice(0, 10),
  machine: `${cpus().length} × ${cpus()[0]?.model.trim()}, Linux ${release()}, Node ${process.versions.node}`,
  seconds: measureMs / 1000,
  repetitions,
  against: options.against,
  systems: systems.map(({ name, remark, totalOrder }) => ({ name, remark, totalOrder })),
  results,
};
const text = markdown(run);
console.log(text);
if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(run, null, 1)}\n`);
if (options.docs !== undefined) {
  await writeFile(options.docs, replaceBetweenMarkers(await readFile(options.docs, 'utf8'), text));
}

/** All sizes, services and windows of one system, then its latency. */
async function repeat(system: System, repetition: number, hosts: Hosts): Promise<void> {
  await using folder = await temporaryFolder('rookery-bench-');
  let running: RunningSystem | undefined;
  let starts = 0;
  const start = async (): Promise<RunningSystem> => {
    const own = join(folder.path, `start-${++starts}`);
    await mkdir(own);
    return system.start(hosts, own);
  };
  const one = async (
    service: Service,
    kind: Result['kind'],
    load: Load,
  ): Promise<Measurement | undefined> => {
    const { size, window } = load;
    const about = { system: system.name, service, size, kind, window, repetition };
    try {
      running ??= await start();
      const measurement = await measure(hosts, running, service, load);
      const problem = problemOf(system, measurement);
      if (problem !== undefined) throw new Error(problem);
      results.push({ ...about, measurement, problem: null });
      tell(about, measurement);
      return measurement;
    } catch (error) {
      // What broke under this load need not be whole for the next one.
      await running?.[Symbol.asyncDispose]();
      running = undefined;
      results.push({ ...about, measurement: null, problem: String(error) });
      tell(about, String(error));
      return undefined;
    }
  };
  try {
    for (const size of sizes) {
      for (const service of system.services.filter((one) => services.includes(one))) {
        let best = 0;
        for (const window of windows) {
          const measured = await one(service, 'throughput', { size, window, rate: 0, warmupMs, measureMs });
          best = Math.max(best, measured?.messagesPerSecond ?? 0);
        }
        const rate = best / 10 / hosts.all.length;
        if (rate > 0) {
          await one(service, 'latency', { size, window: Math.max(...windows), rate, warmupMs, measureMs });
        }
      }
    }
  } finally {
    await running?.[Symbol.asyncDispose]();
  }
}

function problemOf(
  system: System,
  { lost, reordered, complete, sameOrder, parted }: Measurement,
): string | undefined {
  if (parted) return 'a server got no processor for so long that the others went on without it';
  if (!complete) return 'not everything came within ten seconds after the last send';
  if (lost > 0) return `${lost} messages were lost`;
  if (reordered > 0) return `${reordered} messages came out of their sender's order`;
  if (system.totalOrder && !sameOrder) return 'the receivers saw different orders';
  return undefined;
}

function tell(about: Omit<Result, 'measurement' | 'problem'>, outcome: Measurement | string): void {
  const { repetition, system, service, size, kind, window } = about;
  const head = `${repetition} ${system} ${service} ${size} B ${kind} window ${window}: `;
  if (typeof outcome === 'string') {
    console.error(head + outcome);
    return;
  }
  const { messagesPerSecond, latencyUs, serverCpu, clientCpu, heldUpMs } = outcome;
  const latency =
    latencyUs === null ? '' : `, p50 ${latencyUs.p50.toFixed(0)} p99 ${latencyUs.p99.toFixed(0)} µs`;
  const cpu = `, CPU ${serverCpu.toFixed(2)} + ${clientCpu.toFixed(2)}`;
  const heldUp = heldUpMs > HELD_UP_MS ? `, clients held up for ${heldUpMs.toFixed(0)} ms` : '';
  console.error(`${head + messagesPerSecond.toFixed(0)}/s${latency}${cpu}${heldUp}`);
}

function numbers(list: string): number[] {
  return list.split(',').map(Number);
}

function fail(problem: string): never {
  console.error(problem);
  process.exit(1);
}

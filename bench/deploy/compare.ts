/**
 * Ways to bring a folder to many machines, side by side in one run, in network namespaces (needs root):
 * `chrt -r 10 npm exec -- node --conditions=@rookery/source bench/deploy/compare.ts [--systems a,b] [--hosts 16]
 * [--size-mib 20] [--rate-mbits 10] [--standard | --quick] [--repetitions 3] [--json FILE] [--docs FILE]`.
 * A rate of 0 is the loopback without limits. `chrt` keeps other work on the machine out of the way; what runs here
 * inherits it. The table goes to stdout, and into the document between its markers.
 */
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { cpus, loadavg, release } from 'node:os';
import { parseArgs } from 'node:util';
import { hostsAvailable } from '@rookery/testkit';
import { type Measurement, measure } from './measure.ts';
import { createNetwork, type Network } from './network.ts';
import { writeTree } from './payload.ts';
import {
  idealSeconds,
  markdown,
  type Result,
  type Run,
  replaceBetweenMarkers,
  type Scenario,
  titleOf,
} from './report.ts';
import { type Machine, type System, treeName } from './system.ts';
import { aria2 } from './systems/aria2.ts';
import { libtorrent } from './systems/libtorrent.ts';
import { rookery } from './systems/rookery.ts';
import { rsync } from './systems/rsync.ts';
import { webtorrent } from './systems/webtorrent.ts';

const known: readonly System[] = [rookery, libtorrent, aria2, webtorrent, rsync];

const standard: readonly Scenario[] = [
  { machines: 16, sizeMib: 20, rateMbits: 50 },
  { machines: 16, sizeMib: 20, rateMbits: 10 },
  { machines: 16, sizeMib: 5, rateMbits: 10 },
  { machines: 40, sizeMib: 5, rateMbits: 10 },
  { machines: 1, sizeMib: 200, rateMbits: null },
  { machines: 8, sizeMib: 200, rateMbits: null },
];

/** What the program is judged by, in less than twenty minutes; rsync is left out, and webtorrent where it takes minutes. */
const quick: readonly (Scenario & { readonly systems: readonly string[] })[] = [
  { machines: 1, sizeMib: 200, rateMbits: null, systems: ['rookery', 'libtorrent', 'aria2', 'webtorrent'] },
  { machines: 8, sizeMib: 200, rateMbits: null, systems: ['rookery', 'libtorrent', 'aria2', 'webtorrent'] },
  { machines: 16, sizeMib: 20, rateMbits: 50, systems: ['rookery', 'libtorrent', 'aria2', 'webtorrent'] },
  { machines: 16, sizeMib: 5, rateMbits: 10, systems: ['rookery', 'libtorrent', 'aria2'] },
  { machines: 40, sizeMib: 5, rateMbits: 10, systems: ['rookery', 'libtorrent', 'aria2', 'webtorrent'] },
];

/** In memory: the disk is the same for all and is not what is compared. */
const WORK = '/dev/shm/rookery-bench-';

/** The first of the ports; each machine has two, and its own in case all are on one host. */
const FIRST_PORT = 7000;

/** More than the origin would need for all, one after the other, isn't waited for. */
const ONE_SERVER_SECONDS = 120;

/** On top of what one server would take for all, one after the other. */
const PATIENCE_SECONDS = 60;

const { values: options } = parseArgs({
  options: {
    systems: { type: 'string', default: known.map(({ name }) => name).join(',') },
    hosts: { type: 'string', default: '16' },
    'size-mib': { type: 'string', default: '20' },
    'rate-mbits': { type: 'string', default: '10' },
    /** The six scenarios above instead of one of one's own. */
    standard: { type: 'boolean', default: false },
    /** Five of them, with the systems that each is about. */
    quick: { type: 'boolean', default: false },
    /** 3, and 2 with --quick. */
    repetitions: { type: 'string' },
    json: { type: 'string' },
    docs: { type: 'string' },
  },
});
const repetitions = Number(options.repetitions ?? (options.quick ? 2 : 3));
const own: Scenario = {
  machines: Number(options.hosts),
  sizeMib: Number(options['size-mib']),
  rateMbits: Number(options['rate-mbits']) || null,
};
const scenarios: readonly (Scenario & { readonly systems?: readonly string[] })[] = options.quick
  ? quick
  : options.standard
    ? standard
    : [own];

const systems = options.systems.split(',').map((name) => {
  const system = known.find((one) => one.name === name);
  if (system === undefined) fail(`there is no system ${name}: ${known.map((one) => one.name).join(', ')}`);
  const missing = system.whyMissing();
  if (missing !== undefined) fail(`${name}: ${missing}; or name others with --systems`);
  return system;
});
if (!hostsAvailable()) process.exit(1);

const work = await mkdtemp(WORK);
let network: Network | undefined;
const results: Result[] = [];
const checked: Run['scenarios'][number][] = [];
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => cleanUp().finally(() => process.exit(1)));
}
try {
  for (const scenario of scenarios) await play(scenario);
} finally {
  await cleanUp();
}

const run: Run = {
  date: new Date().toISOString().slice(0, 10),
  machine: `${cpus().length} × ${cpus()[0]?.model.trim()}, Linux ${release()}, Node ${process.versions.node}`,
  scheduling: scheduling(),
  systems: systems.map(({ name, remark }) => ({ name, remark })),
  scenarios: checked,
  results,
};
const text = markdown(run);
console.log(text);
if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(run, null, 1)}\n`);
if (options.docs !== undefined) {
  await writeFile(options.docs, replaceBetweenMarkers(await readFile(options.docs, 'utf8'), text));
}

/** All repetitions of all systems in one network. */
async function play({
  systems: names,
  ...scenario
}: Scenario & { readonly systems?: readonly string[] }): Promise<void> {
  const { machines, sizeMib, rateMbits } = scenario;
  const source = `${work}/source/${treeName}`;
  await writeTree(source, sizeMib * 1024 * 1024);
  network =
    rateMbits === null
      ? await createNetwork(1, Infinity)
      : await createNetwork(machines + 1, rateMbits * 1e6);
  const { hosts, reached } = network;
  checked.push({ ...scenario, reached });
  console.error(`${titleOf(scenario)}: plain TCP reaches ${reached.map((part) => part.toFixed(3))}`);
  for (let repetition = 1; repetition <= repetitions; repetition++) {
    for (const system of systems) {
      if (names?.includes(system.name) === false) continue;
      if (system.once === true && repetition > 1) continue;
      const oneServer = (idealSeconds(scenario) ?? 0) * machines;
      if (system.oneServer === true && oneServer > ONE_SERVER_SECONDS) continue;
      const all = Array.from({ length: machines + 1 }, (_, index): Machine => {
        const host = hosts.host(rateMbits === null ? 0 : index);
        return { host, port: FIRST_PORT + 2 * index + 1, folder: `${work}/machine-${index}` };
      });
      const about = { scenario, system: system.name, repetition, load: loadavg()[0]! };
      try {
        for (const { folder } of all) await mkdir(folder);
        const withinMs = 1000 * (PATIENCE_SECONDS + (idealSeconds(scenario) ?? 0) * machines * 1.5);
        const scene = { tree: source, origin: all[0]!, machines: all.slice(1) };
        const measurement = await measure(system, scene, hosts, withinMs);
        results.push({ ...about, measurement, problem: null });
        tell(about, measurement);
      } catch (error) {
        results.push({ ...about, measurement: null, problem: String(error) });
        tell(about, String(error));
      } finally {
        for (const { folder } of all) await rm(folder, { recursive: true, force: true });
      }
    }
  }
  await network[Symbol.asyncDispose]();
  network = undefined;
  await rm(`${work}/source`, { recursive: true });
}

async function cleanUp(): Promise<void> {
  try {
    await network?.[Symbol.asyncDispose]();
  } finally {
    await rm(work, { recursive: true, force: true, maxRetries: 5 });
  }
}

function tell(
  { scenario, system, repetition }: Pick<Result, 'scenario' | 'system' | 'repetition'>,
  outcome: Measurement | string,
): void {
  const head = `${repetition} ${titleOf(scenario)} ${system}: `;
  if (typeof outcome === 'string') {
    console.error(head + outcome);
    return;
  }
  const { seconds, cpuPerMachine, cpuOrigin, sentByOrigin, dropsAtHosts, dropsAtSwitch } = outcome;
  const [first, middle, last] = [0, 0.5, 1].map((part) => seconds[Math.floor((seconds.length - 1) * part)]!);
  const ideal = idealSeconds(scenario);
  const over = ideal === null ? '' : ` (${(last! / ideal).toFixed(2)} × ideal)`;
  const sent =
    sentByOrigin === null ? '' : `, sent ${(sentByOrigin / scenario.sizeMib / 2 ** 20).toFixed(2)}`;
  console.error(
    `${head}${first!.toFixed(1)} ${middle!.toFixed(1)} ${last!.toFixed(1)} s${over}, ` +
      `CPU ${cpuPerMachine.toFixed(2)} + ${cpuOrigin.toFixed(2)}${sent}, drops ${dropsAtHosts} + ${dropsAtSwitch}`,
  );
}

/** Of this process, and so of all that it starts. */
function scheduling(): string {
  const told = execFileSync('chrt', ['-p', String(process.pid)], { encoding: 'utf8' });
  const [policy, priority] = told.split('\n').map((line) => line.split(': ').at(-1));
  return `scheduled as ${policy}, priority ${priority}`;
}

function fail(problem: string): never {
  console.error(problem);
  process.exit(1);
}

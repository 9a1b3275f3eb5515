import { type Measurement, median } from './measure.ts';
import type { Service } from './system.ts';

/** One measurement of the run, or why there is none. */
export interface Result {
  readonly system: string;
  readonly service: Service;
  readonly size: number;
  /** `throughput` as the window lets, `latency` at a tenth of the best rate of the same repetition. */
  readonly kind: 'throughput' | 'latency';
  readonly window: number;
  readonly repetition: number;
  readonly measurement: Measurement | null;
  readonly problem: string | null;
}

export interface Run {
  readonly date: string;
  readonly machine: string;
  readonly seconds: number;
  readonly repetitions: number;
  /** The system that the others are divided by. */
  readonly against: string;
  readonly systems: readonly {
    readonly name: string;
    readonly remark: string;
    readonly totalOrder: boolean;
  }[];
  readonly results: readonly Result[];
}

interface Row {
  readonly system: string;
  readonly service: Service;
  readonly window: number;
  /** Messages a second per receiver. */
  readonly rate: number;
  readonly throughput: readonly Measurement[];
  readonly latency: readonly Measurement[];
}

export function markdown(run: Run): string {
  const sizes = [...new Set(run.results.map(({ size }) => size))];
  const lines = [
    `${run.date}, ${run.machine}. Three hosts, each with a server and one client that sends and receives; all in one group.`,
    `Medians of ${run.repetitions} repetitions of ${run.seconds} s, the systems taking turns. Rates are per receiver, at the best of`,
    "the windows of a sender's messages on their way; latency is from send to self-delivery at a tenth of that rate;",
    'CPU is in seconds a second at the full rate, of all servers and of all clients. × is the ratio to',
    `${run.against}. In Node a sender at a rate sends in steps of a millisecond.`,
    '',
    ...run.systems.map(({ name, remark }) => `- ${name}: ${remark}`),
  ];
  for (const size of sizes) {
    lines.push('', `${size.toLocaleString('en')} bytes:`, '', ...table(run, size));
  }
  return [...lines, ...failures(run)].join('\n');
}

function table(run: Run, size: number): string[] {
  const rows = run.systems.flatMap(({ name }) =>
    (['agreed', 'safe'] as const).flatMap((service) => rowOf(run, name, service, size) ?? []),
  );
  const against = rows.find(({ system }) => system === run.against);
  const latency = (row: Row, which: 'p50' | 'p99' | 'max'): number =>
    median(row.latency.map(({ latencyUs }) => latencyUs?.[which] ?? Number.NaN));
  const ratio = (value: number, other: number | undefined): string =>
    other === undefined ? '' : (value / other).toFixed(2);
  return [
    '| system | service | messages/s | × | MB/s | p50 µs | p99 µs | × | max µs | server CPU | client CPU | window | one order |',
    '|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|',
    ...rows.map((row) => {
      const cells = [
        row.system,
        row.service,
        whole(row.rate),
        ratio(row.rate, against?.rate),
        median(row.throughput.map(({ megabytesPerSecond }) => megabytesPerSecond)).toFixed(1),
        whole(latency(row, 'p50')),
        whole(latency(row, 'p99')),
        ratio(latency(row, 'p99'), against && latency(against, 'p99')),
        whole(latency(row, 'max')),
        median(row.throughput.map(({ serverCpu }) => serverCpu)).toFixed(2),
        median(row.throughput.map(({ clientCpu }) => clientCpu)).toFixed(2),
        row.window,
        orderOf(run, row),
      ];
      return `| ${cells.join(' | ')} |`;
    }),
  ];
}

/** Of the windows that never failed the one whose median rate is the best. */
function rowOf(run: Run, system: string, service: Service, size: number): Row | undefined {
  const all = run.results.filter((r) => r.system === system && r.service === service && r.size === size);
  const throughput = Map.groupBy(
    all.filter(({ kind }) => kind === 'throughput'),
    ({ window }) => window,
  );
  const candidates = [...throughput].flatMap(([window, results]) => {
    const measured = results.flatMap(({ measurement }) => measurement ?? []);
    return measured.length === results.length
      ? [{ window, throughput: measured, rate: rateOf(measured) }]
      : [];
  });
  const best = candidates.sort((a, b) => b.rate - a.rate)[0];
  if (best === undefined) return undefined;
  const latency = all.flatMap(({ kind, measurement }) => (kind === 'latency' && measurement) || []);
  return { system, service, ...best, latency };
}

function rateOf(measurements: readonly Measurement[]): number {
  return median(measurements.map(({ messagesPerSecond }) => messagesPerSecond));
}

function failures(run: Run): string[] {
  const failed = run.results.flatMap(({ problem, ...about }) => {
    if (problem === null) return [];
    const { system, service, size, kind, window, repetition } = about;
    const [first] = problem.split('\n');
    return `- ${system}, ${service}, ${size} bytes, ${kind}, window ${window}, repetition ${repetition}: ${first}`;
  });
  return failed.length === 0 ? [] : ['', 'What failed, and is left out:', '', ...failed];
}

function orderOf(run: Run, row: Row): string {
  return run.systems.find(({ name }) => name === row.system)?.totalOrder ? 'checked' : 'not promised';
}

function whole(value: number): string {
  return Number.isNaN(value) ? '' : Math.round(value).toLocaleString('en');
}

const begin = '<!-- bench/bus: begin -->';
const end = '<!-- bench/bus: end -->';

/** Replaces what stands between the markers. */
export function replaceBetweenMarkers(document: string, text: string): string {
  const from = document.indexOf(begin);
  const to = document.indexOf(end);
  if (from < 0 || to < from) throw new Error(`the document needs a line ${begin} and after it a line ${end}`);
  return `${document.slice(0, from)}${begin}\n\n${text}\n\n${document.slice(to)}`;
}

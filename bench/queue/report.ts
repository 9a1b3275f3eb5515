import { type Measurement, median } from './measure.ts';
import { targets } from './targets.ts';

/** `turns`: each connection puts a burst, then gets as many; `reliable`: reads that are acknowledged. */
export type Work = 'put' | 'get' | 'turns' | 'reliable';

/** One measurement of the run, or why there is none. */
export interface Result {
  readonly system: string;
  readonly work: Work;
  readonly depth: number;
  readonly repetition: number;
  readonly measurement: Measurement | null;
  readonly problem: string | null;
}

export interface Run {
  readonly date: string;
  readonly machine: string;
  readonly seconds: number;
  readonly repetitions: number;
  readonly connections: number;
  readonly bodyBytes: number;
  readonly depths: readonly number[];
  readonly systems: readonly { readonly name: string; readonly remark: string }[];
  readonly results: readonly Result[];
  /** The most memory that a server held, per repetition. */
  readonly peaks: readonly { readonly system: string; readonly megabytes: number }[];
}

const titles: Record<Work, string> = {
  put: 'put',
  get: 'get what was put',
  turns: 'put and get in turns',
  reliable: 'reliable reads of what was put',
};

export function markdown(run: Run): string {
  const { date, machine, connections, bodyBytes, repetitions, seconds } = run;
  const lines = [
    `${date}, ${machine}. ${connections} connections, bodies of ${bodyBytes} bytes, the load on the same two cores.`,
    `Medians of ${repetitions} repetitions of ${seconds} s, the systems taking turns, each with a fresh server that was warmed up.`,
    'Latencies are from the sending of a burst to each of its replies. CPU is in seconds a second, of all threads of the server,',
    "and of the load; CPU µs are the server's for each operation. × is Rookery's rate divided by that row's: of rookery-always",
    'for what syncs each time, of rookery-1000 for the others.',
    '',
    ...run.systems.map(({ name, remark }) => `- ${name}: ${remark}`),
  ];
  for (const depth of run.depths) {
    for (const work of Object.keys(titles) as Work[]) {
      const rows = table(run, depth, work);
      if (rows.length === 0) continue;
      const burst = depth === 1 ? 'unpipelined' : `${depth} deep`;
      lines.push('', `${titles[work]}, ${burst}:`, '', ...rows);
    }
  }
  return [...lines, ...peakTable(run), ...targetTable(run), ...failures(run)].join('\n');
}

function table(run: Run, depth: number, work: Work): string[] {
  const rows = run.systems.flatMap(({ name }) => {
    const of = measurementsOf(run, name, work, depth);
    return of.length === 0 ? [] : [{ name, of }];
  });
  if (rows.length === 0) return [];
  return [
    '| system | operations/s | × | p50 µs | p99 µs | CPU µs | server CPU | load CPU |',
    '|---|--:|--:|--:|--:|--:|--:|--:|',
    ...rows.map(({ name, of }) => {
      const own = name.endsWith('always') || name.endsWith('-f0') ? 'rookery-always' : 'rookery-1000';
      const ratio = rateOf(run, own, work, depth) / rateOf(run, name, work, depth);
      const cells = [
        name,
        whole(mid(of, 'perSecond')),
        Number.isNaN(ratio) || name.startsWith('rookery') ? '' : ratio.toFixed(2),
        whole(mid(of, 'p50Us')),
        whole(mid(of, 'p99Us')),
        ...[mid(of, 'serverUs'), mid(of, 'serverCpu'), mid(of, 'loadCpu')].map((value) => value.toFixed(2)),
      ];
      return `| ${cells.join(' | ')} |`;
    }),
  ];
}

function peakTable(run: Run): string[] {
  return [
    '',
    'The most memory that a server held, all of the above in it:',
    '',
    '| system | MB |',
    '|---|--:|',
    ...run.systems.flatMap(({ name }) => {
      const peaks = run.peaks.filter(({ system }) => system === name).map(({ megabytes }) => megabytes);
      return peaks.length === 0 ? [] : [`| ${name} | ${whole(median(peaks))} |`];
    }),
  ];
}

function targetTable(run: Run): string[] {
  const rows = targets.flatMap(({ works, depth, own, ownWork, other, otherWork, atLeast }) =>
    works.flatMap((work) => {
      const ratio = rateOf(run, own, ownWork ?? work, depth) / rateOf(run, other, otherWork ?? work, depth);
      if (Number.isNaN(ratio)) return [];
      const what = ownWork ?? work;
      const against = otherWork === undefined ? other : `${other}, ${otherWork}`;
      const met = ratio >= atLeast ? 'yes' : '**no**';
      return [`| ${own} | ${what} | ${depth} | ${against} | ${atLeast} | ${ratio.toFixed(2)} | ${met} |`];
    }),
  );
  if (rows.length === 0) return [];
  return [
    '',
    'What was aimed at:',
    '',
    '| system | work | depth | times | at least | measured | met |',
    '|---|---|--:|---|--:|--:|---|',
    ...rows,
  ];
}

function measurementsOf(run: Run, system: string, work: Work, depth: number): Measurement[] {
  return run.results.flatMap((result) =>
    result.system === system && result.work === work && result.depth === depth
      ? (result.measurement ?? [])
      : [],
  );
}

/** NaN where nothing was measured. */
function rateOf(run: Run, system: string, work: Work, depth: number): number {
  return mid(measurementsOf(run, system, work, depth), 'perSecond');
}

function mid(of: readonly Measurement[], figure: keyof Measurement): number {
  return of.length === 0 ? Number.NaN : median(of.map((one) => one[figure]));
}

function failures(run: Run): string[] {
  const failed = run.results.flatMap(({ problem, system, work, depth, repetition }) => {
    if (problem === null) return [];
    return `- ${system}, ${work}, ${depth} deep, repetition ${repetition}: ${problem.split('\n')[0]}`;
  });
  return failed.length === 0 ? [] : ['', 'What failed, and is left out:', '', ...failed];
}

function whole(value: number): string {
  return Number.isNaN(value) ? '' : Math.round(value).toLocaleString('en');
}

/** Replaces what stands between the markers of that name. */
export function replaceBetweenMarkers(document: string, text: string, name = 'compare'): string {
  const begin = `<!-- bench/queue ${name}: begin -->`;
  const end = `<!-- bench/queue ${name}: end -->`;
  const from = document.indexOf(begin);
  const to = document.indexOf(end);
  if (from < 0 || to < from) throw new Error(`the document needs a line ${begin} and after it a line ${end}`);
  return `${document.slice(0, from)}${begin}\n\n${text}\n\n${document.slice(to)}`;
}

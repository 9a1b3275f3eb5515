import type { Measurement } from './measure.ts';

/** So many machines, so many MiB, so much each way; a rate of null is the loopback without limits. */
export interface Scenario {
  readonly machines: number;
  readonly sizeMib: number;
  readonly rateMbits: number | null;
}

/** One measurement of the run, or why there is none. */
export interface Result {
  readonly scenario: Scenario;
  readonly system: string;
  readonly repetition: number;
  /** Of the machine in the last minute, when it began. */
  readonly load: number;
  readonly measurement: Measurement | null;
  readonly problem: string | null;
}

export interface Run {
  readonly date: string;
  readonly machine: string;
  /** How the programs, and this one, are scheduled. */
  readonly scheduling: string;
  readonly systems: readonly { readonly name: string; readonly remark: string }[];
  readonly scenarios: readonly (Scenario & {
    /** What plain TCP gets, in parts of the limit. */
    readonly reached: readonly number[];
  })[];
  readonly results: readonly Result[];
}

export function idealSeconds({ sizeMib, rateMbits }: Scenario): number | null {
  return rateMbits === null ? null : (sizeMib * 1024 * 1024 * 8) / (rateMbits * 1e6);
}

export function titleOf({ machines, sizeMib, rateMbits }: Scenario): string {
  const to = `${sizeMib} MiB to ${machines}`;
  return rateMbits === null ? `${to} on the loopback` : `${to} at ${rateMbits} Mbit/s`;
}

export function markdown(run: Run): string {
  const lines = [
    `${run.date}, ${run.machine}; ${run.scheduling}.`,
    'Medians, with the best and the worst; n repetitions, the systems taking turns. Time counts from the moment at which',
    'all clients, loaded already, are let go, until each machine has the whole tree and has checked it; nobody leaves',
    'before the last is done. CPU is in seconds, of each fetching machine and of all that runs on the origin. Sent is what',
    'the origin sent, headers included, over the size. All trees are compared with the original after the clock.',
    '',
    ...run.systems.map(({ name, remark }) => `- ${name}: ${remark}.`),
  ];
  for (const scenario of run.scenarios) lines.push('', ...section(run, scenario));
  return [...lines, ...ratios(run), ...failures(run)].join('\n');
}

function section(run: Run, scenario: Run['scenarios'][number]): string[] {
  const ideal = idealSeconds(scenario);
  const { sizeMib, reached } = scenario;
  const how =
    ideal === null
      ? 'no limit'
      : `ideal ${ideal.toFixed(1)} s; plain TCP reaches ${reached.map((part) => part.toFixed(2)).join(' and ')} of the limit`;
  const rows = run.systems.flatMap(({ name }) => {
    const results = run.results.filter((r) => r.system === name && sameScenario(r.scenario, scenario));
    const measured = results.flatMap(({ measurement }) => measurement ?? []);
    if (measured.length === 0) return [];
    const last = measured.map(lastOf);
    const middle = median(measured.map(({ seconds }) => median(seconds)));
    const over = ideal === null ? (sizeMib * 1.048576) / median(last) : median(last) / ideal;
    const sent = measured.flatMap(({ sentByOrigin }) => sentByOrigin ?? []);
    const cells = [
      name,
      median(last).toFixed(1),
      `${Math.min(...last).toFixed(1)}-${Math.max(...last).toFixed(1)}`,
      ...(ideal === null ? [over.toFixed(0)] : [over.toFixed(2), (middle / ideal).toFixed(2)]),
      median(measured.map(({ cpuPerMachine }) => cpuPerMachine)).toFixed(2),
      median(measured.map(({ cpuOrigin }) => cpuOrigin)).toFixed(2),
      ...(ideal === null ? [] : [(median(sent) / sizeMib / 1024 / 1024).toFixed(2)]),
      measured.length,
      median(results.map(({ load }) => load)).toFixed(0),
    ];
    return [`| ${cells.join(' | ')} |`];
  });
  const columns =
    ideal === null
      ? ['system', 'last s', 'range', 'MB/s each', 'CPU each', 'CPU origin', 'n', 'load']
      : [
          ...['system', 'last s', 'range', 'last / ideal', 'middle / ideal'],
          ...['CPU each', 'CPU origin', 'sent / size', 'n', 'load'],
        ];
  return [
    `**${titleOf(scenario)}** (${how}):`,
    '',
    `| ${columns.join(' | ')} |`,
    `|---|${columns
      .slice(1)
      .map(() => '--:|')
      .join('')}`,
    ...rows,
  ];
}

/** What more machines cost, where the run has the same size and rate for two counts of them. */
function ratios(run: Run): string[] {
  const lines = run.scenarios.flatMap((many) =>
    run.scenarios
      .filter(
        (few) =>
          few.sizeMib === many.sizeMib && few.rateMbits === many.rateMbits && few.machines < many.machines,
      )
      .flatMap((few) => {
        const each = run.systems.flatMap(({ name }) => {
          const [a, b] = [many, few].map((scenario) => lastMedian(run, name, scenario));
          return a === undefined || b === undefined ? [] : [`${name} ${(a / b).toFixed(2)}`];
        });
        const what = `${many.machines} machines over ${few.machines}, ${titleOf(many).replace(/ to \d+/, '')}`;
        return each.length === 0 ? [] : [`- ${what}: ${each.join(', ')}.`];
      }),
  );
  return lines.length === 0 ? [] : ['', 'The last of', '', ...lines];
}

function failures(run: Run): string[] {
  const failed = run.results.flatMap(({ scenario, system, repetition, problem }) =>
    problem === null
      ? []
      : [`- ${titleOf(scenario)}, ${system}, repetition ${repetition}: ${problem.split('\n')[0]}`],
  );
  return failed.length === 0 ? [] : ['', 'What failed, and is left out:', '', ...failed];
}

function lastMedian(run: Run, system: string, scenario: Scenario): number | undefined {
  const last = run.results.flatMap((r) =>
    r.system === system && sameScenario(r.scenario, scenario) && r.measurement ? [lastOf(r.measurement)] : [],
  );
  return last.length === 0 ? undefined : median(last);
}

function sameScenario(one: Scenario, other: Scenario): boolean {
  return titleOf(one) === titleOf(other);
}

function lastOf({ seconds }: Measurement): number {
  return seconds.at(-1)!;
}

/** The middle one, or what is between the middle two. */
function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2;
}

const begin = '<!-- bench/deploy: begin -->';
const end = '<!-- bench/deploy: end -->';

/** Replaces what stands between the markers. */
export function replaceBetweenMarkers(document: string, text: string): string {
  const from = document.indexOf(begin);
  const to = document.indexOf(end);
  if (from < 0 || to < from) throw new Error(`the document needs a line ${begin} and after it a line ${end}`);
  return `${document.slice(0, from)}${begin}\n\n${text}\n\n${document.slice(to)}`;
}

import { styleText } from 'node:util';
import { approximateBytes } from '@rookery/service';
import measure from 'fast-string-truncated-width';
import { clean } from './clean.ts';
import type { Deployment, HostProgress, WaveProgress } from './deployment.ts';
import { ACTIVE, HAS_IT, RUNS_IT, STATES, type Tone } from './states.ts';

/** What a frame is drawn on. */
export interface Screen {
  readonly columns: number;
  readonly rows: number;
  readonly color: boolean;
  /** Signs beyond ASCII. */
  readonly unicode: boolean;
}

/** More are summed up, with the slowest few. */
const HOSTS_LISTED_MAX = 20;
const SLOWEST_MAX = 5;
const BAR_MAX = 40;
/** Under it a host's bar and figures are left out. */
const WIDE_COLUMNS = 60;
/** What has taken so long is worth a figure. */
const LONG_MS = 3_000;

type Piece = readonly [text: string, tone?: Tone];
type Line = readonly Piece[];

/**
 * How a push stands, as lines that fit on the screen: never more than one less than its rows, none wider than its
 * columns. A pure function of what it is given.
 */
export function renderFrame(deployment: Deployment, now: number, screen: Screen): string[] {
  if (deployment.push === undefined) return [];
  const room = Math.max(1, screen.rows - 1);
  const head = headLines(deployment, now, screen);
  const foot = footLines(deployment, screen);
  const left = room - head.length - foot.length;
  const { length: hosts } = deployment.hosts;
  const all = hosts <= HOSTS_LISTED_MAX && hosts < left;
  const body = all
    ? [[], ...hostLines(deployment.hosts, deployment, now, screen)]
    : summaryLines(deployment, now, screen, left);
  // On a screen of few rows the head counts most, then what goes wrong.
  return [...head, ...body.slice(0, Math.max(0, left)), ...foot]
    .slice(0, room)
    .map((line) => paint(line, screen));
}

function headLines(deployment: Deployment, now: number, screen: Screen): Line[] {
  const { push, hosts, done, waves } = deployment;
  const { app, version, payload_bytes: payload } = push!;
  const seconds = done?.seconds ?? (now - deployment.beganAt) / 1000;
  const elapsed = duration(seconds);
  const arrow = screen.unicode ? '→' : 'to';
  const title = `${app} ${version} ${arrow} ${plural(hosts.length, 'host')}`;
  const gap = ' '.repeat(Math.max(2, screen.columns - width(title) - elapsed.length));

  let [has, runs, bytes] = [0, 0, 0];
  let fetching = false;
  for (const { state, doneBytes } of hosts) {
    fetching ||= state === 'fetching';
    if (HAS_IT.has(state)) has++;
    if (RUNS_IT.has(state)) runs++;
    bytes += doneBytes;
  }
  const all = payload * hosts.length;
  const rate = deployment.rate(now);
  // Where there isn't room for all, what says most.
  const figures = [
    `${has} of ${hosts.length}`,
    ...(rate > 0 ? [`${size(rate)}/s`] : []),
    ...(all > 0 && fetching ? [`${size(bytes)} of ${size(all)}`] : []),
  ].reduce((said, one) => (width(said) + width(one) + 3 + 17 <= screen.columns ? `${said}   ${one}` : said));
  const running = `${runs} of ${hosts.length}`;
  const bar = Math.min(BAR_MAX, Math.max(6, screen.columns - 12 - Math.max(width(figures), width(running))));
  const share = all > 0 ? bytes / all : has / Math.max(1, hosts.length);
  return [
    [
      [title, 'plain'],
      [`${gap}${elapsed}`, 'faint'],
    ],
    [['has it   ', 'faint'], ...barPieces(share, bar, 'busy', screen), [`  ${figures}`]],
    [
      ['runs it  ', 'faint'],
      ...barPieces(runs / Math.max(1, hosts.length), bar, 'good', screen),
      [`  ${running}`],
    ],
    ...(waves.length > 1 ? [wavesLine(waves, screen)] : []),
  ];
}

const WAVE_SHOWN: {
  readonly [K in WaveProgress['state']]: {
    readonly sign: string;
    readonly ascii: string;
    readonly tone: Tone;
  };
} = {
  waiting: STATES.waiting,
  started: STATES.switching,
  healthy: STATES.healthy,
  failed: STATES.failed,
};

/** The waves around the one that is under way, where not all fit. */
function wavesLine(waves: readonly WaveProgress[], screen: Screen): Line {
  const pieces = waves.map(({ number, hosts, state }): Piece => {
    const { sign, ascii, tone } = WAVE_SHOWN[state];
    return [`${screen.unicode ? sign : ascii} ${number}: ${plural(hosts, 'host')}   `, tone];
  });
  const at = Math.max(
    0,
    waves.findLastIndex(({ state }) => state !== 'waiting'),
  );
  let from = 0;
  const fits = (): boolean =>
    9 + pieces.slice(from, at + 1).reduce((sum, [text]) => sum + width(text), 0) <= screen.columns;
  while (from < at && !fits()) from++;
  return [['waves    ', 'faint'], ...pieces.slice(from)];
}

function footLines({ stopping, done, warnings }: Deployment, screen: Screen): Line[] {
  const warning = warnings.at(-1);
  return [
    ...(warning === undefined
      ? []
      : [[[`${warning.host}: ${clean(warning.message)}`, 'warn']] satisfies Line]),
    ...(stopping === undefined || done !== undefined
      ? []
      : [[[`${screen.unicode ? '■' : '#'} Stopping: ${clean(stopping.message)}`, 'bad']] satisfies Line]),
  ];
}

function hostLines(
  hosts: readonly HostProgress[],
  deployment: Deployment,
  now: number,
  screen: Screen,
): Line[] {
  const nameWidth = Math.min(
    Math.max(4, ...hosts.map(({ name }) => width(name))),
    Math.max(8, Math.floor(screen.columns / 3)),
  );
  const waved = deployment.waves.length > 1;
  return hosts.map((host) => {
    const { sign, ascii, tone } = STATES[host.state];
    const wave = waved ? (host.wave === undefined ? '   ' : `w${host.wave}`.padEnd(3)) : '';
    return [
      [`  ${screen.unicode ? sign : ascii} `, tone],
      [`${pad(host.name, nameWidth)}  `],
      [`${host.state.padEnd(9)} ${wave} `, tone],
      ...details(host, deployment, now, screen),
    ];
  });
}

function details(host: HostProgress, deployment: Deployment, now: number, screen: Screen): Line {
  const { state, doneBytes, totalBytes, peers, doing, failure } = host;
  if (failure !== undefined) return [[`${failure.code}: ${clean(failure.message)}`, 'bad']];
  const long = ACTIVE.has(state) && now - host.since >= LONG_MS ? duration((now - host.since) / 1000) : '';
  if (state === 'fetching' && totalBytes > 0) {
    const percent = `${Math.floor((100 * doneBytes) / totalBytes)} %`.padStart(6);
    if (doing === 'verifying') return [[`${percent}  verifying`, 'faint']];
    if (screen.columns < WIDE_COLUMNS) return [[percent]];
    const rate = deployment.rateOf(host, now);
    const figures = [
      ...(rate > 0 ? [`${size(rate)}/s`] : []),
      ...(doing === undefined ? [plural(peers, 'peer')] : [doing]),
    ].join('  ');
    return [...barPieces(doneBytes / totalBytes, 12, 'busy', screen), [percent], [`  ${figures}`, 'faint']];
  }
  return [
    [[doing === undefined ? '' : clean(doing), long].filter((text) => text !== '').join('  '), 'faint'],
  ];
}

/** Counts of each state, what has failed and why, and who is behind; in at most so many lines. */
function summaryLines(deployment: Deployment, now: number, screen: Screen, room: number): Line[] {
  const { hosts } = deployment;
  const counted = Object.entries(STATES).flatMap(([state, { sign, ascii, tone }]): Piece[] => {
    const count = hosts.filter((host) => host.state === state).length;
    return count === 0 ? [] : [[`${screen.unicode ? sign : ascii} ${count} ${state}   `, tone]];
  });
  const lines: Line[] = [[], ...wrap(counted, screen.columns)];
  const failed = hosts.filter(({ failure }) => failure !== undefined);
  const slow = slowest(hosts);
  const slowRows = slow.length === 0 ? 0 : Math.min(slow.length, Math.max(1, room - lines.length - 6)) + 2;
  const failedRows = Math.max(1, room - lines.length - slowRows - 3);
  if (failed.length > 0) {
    // The newest, when not all fit.
    const shown = failed.length <= failedRows ? failed : failed.toSorted((a, b) => b.since - a.since);
    lines.push([], [['failed', 'bad']]);
    lines.push(...hostLines(shown.slice(0, failedRows), deployment, now, screen));
    if (failed.length > failedRows) lines.push([[`    and ${failed.length - failedRows} more`, 'faint']]);
  }
  if (slow.length > 0) {
    lines.push([], [['slowest', 'faint']]);
    lines.push(...hostLines(slow.slice(0, slowRows - 2), deployment, now, screen));
  }
  return lines;
}

/** Those that have the least of it; when nobody fetches, those that have been at it the longest. */
function slowest(hosts: readonly HostProgress[]): HostProgress[] {
  const active = hosts.filter(({ state }) => ACTIVE.has(state));
  const behind = ({ state, doneBytes, totalBytes }: HostProgress): number =>
    state === 'preparing' ? -1 : state === 'fetching' && totalBytes > 0 ? doneBytes / totalBytes : 1;
  return active.sort((a, b) => behind(a) - behind(b) || a.since - b.since).slice(0, SLOWEST_MAX);
}

function barPieces(share: number, columns: number, tone: Tone, { unicode }: Screen): Piece[] {
  const full = Math.round(Math.min(1, Math.max(0, share)) * columns);
  return [
    [(unicode ? '█' : '#').repeat(full), tone],
    [(unicode ? '░' : '-').repeat(columns - full), 'faint'],
  ];
}

function wrap(pieces: readonly Piece[], columns: number): Line[] {
  const lines: Piece[][] = [[]];
  let used = 0;
  for (const piece of pieces) {
    const wide = width(piece[0].trimEnd());
    if (used > 0 && used + wide > columns) {
      lines.push([]);
      used = 0;
    }
    lines.at(-1)!.push(piece);
    used += width(piece[0]);
  }
  return lines;
}

const STYLES: { readonly [K in Tone]: Parameters<typeof styleText>[0] | undefined } = {
  faint: 'dim',
  plain: undefined,
  busy: 'cyan',
  good: 'green',
  warn: 'yellow',
  bad: 'red',
};

/** Cut to the columns first, coloured afterwards: colours have no width. */
function paint(line: Line, { columns, color, unicode }: Screen): string {
  let left = columns;
  let text = '';
  for (const [piece, tone = 'plain'] of line) {
    const cut = fit(piece, left, unicode);
    left -= width(cut);
    const style = STYLES[tone];
    text +=
      color && style !== undefined && cut.trim() !== ''
        ? styleText(style, cut, { validateStream: false })
        : cut;
    if (cut !== piece) break;
  }
  return text.trimEnd();
}

const CHARACTERS = new Intl.Segmenter('en', { granularity: 'grapheme' });

function fit(text: string, columns: number, unicode: boolean): string {
  if (width(text) <= columns) return text;
  if (columns < 1) return '';
  let cut = '';
  let left = columns - 1;
  for (const { segment } of CHARACTERS.segment(text)) {
    left -= width(segment);
    if (left < 0) break;
    cut += segment;
  }
  return `${cut}${unicode ? '…' : '.'}`;
}

function pad(text: string, columns: number): string {
  const cut = fit(text, columns, true);
  return cut + ' '.repeat(Math.max(0, columns - width(cut)));
}

/** In columns of a terminal. */
export function width(text: string): number {
  return measure(text).width;
}

function size(bytes: number): string {
  return approximateBytes(Math.round(bytes));
}

function plural(count: number, one: string): string {
  return `${count} ${one}${count === 1 ? '' : 's'}`;
}

function duration(seconds: number): string {
  const whole = Math.floor(seconds);
  if (whole < 60) return `${whole} s`;
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

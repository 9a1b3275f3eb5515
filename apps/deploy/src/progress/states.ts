import type { HostState } from '../rollout/types.ts';

/** How serious it is: a colour, and never only that. */
export type Tone = 'faint' | 'plain' | 'busy' | 'good' | 'warn' | 'bad';

interface Shown {
  readonly sign: string;
  /** For terminals without UTF-8. */
  readonly ascii: string;
  readonly tone: Tone;
}

/** How a host's state is shown, in a terminal and on the page. Signs that every font has, one column wide. */
export const STATES: { readonly [K in HostState]: Shown } = {
  waiting: { sign: '·', ascii: '.', tone: 'faint' },
  preparing: { sign: '○', ascii: 'o', tone: 'busy' },
  fetching: { sign: '↓', ascii: 'v', tone: 'busy' },
  fetched: { sign: '■', ascii: '=', tone: 'plain' },
  switching: { sign: '»', ascii: '>', tone: 'warn' },
  checking: { sign: '?', ascii: '?', tone: 'warn' },
  healthy: { sign: '✓', ascii: '+', tone: 'good' },
  finishing: { sign: '✓', ascii: '+', tone: 'good' },
  done: { sign: '✓', ascii: '+', tone: 'good' },
  failed: { sign: '✗', ascii: 'x', tone: 'bad' },
  reverting: { sign: '«', ascii: '<', tone: 'warn' },
  reverted: { sign: '←', ascii: '<', tone: 'bad' },
  stuck: { sign: '!', ascii: '!', tone: 'bad' },
};

/** The release is there, whatever runs. */
export const HAS_IT: ReadonlySet<HostState> = new Set<HostState>([
  'fetched',
  'switching',
  'checking',
  'healthy',
  'finishing',
  'done',
]);

/** The release runs there, and was found to work. */
export const RUNS_IT: ReadonlySet<HostState> = new Set<HostState>(['healthy', 'finishing', 'done']);

/** Something is under way on the host. */
export const ACTIVE: ReadonlySet<HostState> = new Set<HostState>([
  'preparing',
  'fetching',
  'switching',
  'checking',
  'finishing',
  'reverting',
]);

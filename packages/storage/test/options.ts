/** What one seed decides about a simulated log, its disk and its owner's habits. */
import type { Random } from '@rookery/testkit';
import type { SyncMode } from '../src/index.ts';

export interface SimulationOptions {
  readonly sync: SyncMode;
  readonly segmentBytes: number;
  readonly maxPayloadBytes: number;
  readonly backlogBytes: number;
  readonly reserveBytes: number;
  readonly indexCacheBytes: number;
  readonly openFiles: number;
  /** Bounds of what a usual payload has. */
  readonly payloadBytes: readonly [number, number];
  /** Streams that exist at a time. */
  readonly streams: number;
  readonly lives: number;
  readonly stepsPerLife: number;
  /** How often each thing is done. */
  readonly weights: Readonly<Record<Action, number>>;
  /** Live bytes over which the owner only consumes. */
  readonly liveBytes: number;
  readonly faults: Readonly<Record<'full' | 'write' | 'sync' | 'read' | 'clock' | 'names', number>>;
  readonly shortWriteChance: number;
  /** Sync takes up to so long, in milliseconds. */
  readonly syncMs: readonly [number, number];
}

export type Action =
  | 'append'
  | 'acknowledge'
  | 'acknowledgeNext'
  | 'acknowledgeThrough'
  | 'cursor'
  | 'move'
  | 'attributes'
  | 'create'
  | 'remove'
  | 'read'
  | 'peek'
  | 'sync'
  | 'settle';

/** `later` is for what was added later: the seeds of regressions.ts keep their meaning. */
export function drawOptions(random: Random, later: Random): SimulationOptions {
  const segmentBytes = random.pick([4, 4, 8, 16, 64]) * 1024;
  const maxPayloadBytes = segmentBytes / 4;
  const backlogBytes = segmentBytes / 8;
  const small = random.chance(0.7);
  return {
    sync: random.pick(['always', 'always', 'never', { everyMs: 5 }, { everyMs: 100 }] as const),
    segmentBytes,
    maxPayloadBytes,
    backlogBytes,
    reserveBytes: Math.ceil(((maxPayloadBytes + backlogBytes + 64) * 4) / 3),
    indexCacheBytes: random.pick([0, 500, 100_000]),
    payloadBytes: [random.pick([0, 1, 20]), small ? 200 : maxPayloadBytes],
    streams: random.pick([1, 3, 8]),
    lives: random.between(2, 5),
    stepsPerLife: random.between(5, 40),
    weights: {
      append: random.pick([4, 10, 20]),
      acknowledge: random.pick([1, 5, 10]),
      acknowledgeNext: random.pick([0, 5, 20]),
      acknowledgeThrough: random.pick([0, 0, 0.5]),
      cursor: random.pick([0, 2]),
      move: random.pick([0, 0, 3]),
      attributes: random.pick([0, 0.5]),
      create: random.pick([0.1, 1]),
      remove: random.pick([0, 0.1, 0.5]),
      read: 2,
      peek: 1,
      sync: random.pick([0, 0.3]),
      settle: 0.3,
    },
    liveBytes: segmentBytes * random.pick([0.5, 2, 6]),
    faults: {
      full: random.chance(0.3) ? 0.05 : 0,
      write: random.chance(0.1) ? 0.02 : 0,
      sync: random.chance(0.1) ? 0.02 : 0,
      read: random.chance(0.15) ? 0.05 : 0,
      clock: random.chance(0.2) ? 0.05 : 0,
      names: later.chance(0.1) ? 0.02 : 0,
    },
    shortWriteChance: random.pick([0, 0.02, 0.3]),
    syncMs: random.pick([
      [0.1, 1],
      [0.2, 8],
      [5, 20],
    ] as const),
    openFiles: later.pick([0, 2, 128]),
  };
}

/** What one seed decides: the cluster, its network, its load, and what goes wrong when. */
import type { NetworkConditions, Random } from '@rookery/testkit';
import type { RingSettings, Service } from '../../src/index.ts';

export interface Plan {
  readonly members: number;
  readonly settings: Partial<RingSettings>;
  readonly conditions: NetworkConditions;
  readonly storeMs: readonly [number, number];
  /** Time with faults. */
  readonly faultyMs: number;
  readonly faults: Readonly<Record<FaultKind, number>>;
  /** Mean time between faults, in milliseconds. */
  readonly faultEveryMs: number;
  /** Mean time between submits of one member, in milliseconds. */
  readonly submitEveryMs: number;
  readonly submitBurst: number;
  readonly lengths: readonly [number, number];
  readonly services: readonly Service[];
}

const LONGEST = 6_000;

export type FaultKind =
  | 'partition'
  | 'overlap'
  | 'oneWay'
  | 'heal'
  | 'stop'
  | 'resume'
  | 'crash'
  | 'restart'
  | 'weather'
  /** Waits until some member is in recovery, or has just installed a ring, and then cuts or kills. */
  | 'ambush'
  /** A member's data is lost while its tokens go on, and then it is gone: what follows stands behind a hole. */
  | 'hole';

/** What it takes for the rarest trouble: a hole, safe messages behind it, and a ring that only some install. */
export const HALF_INSTALLED: Partial<Plan> = {
  members: 5,
  services: ['safe'],
  submitEveryMs: 15,
  submitBurst: 1,
  faultEveryMs: 500,
  faultyMs: 3000,
  storeMs: [0.01, 0.1],
  faults: {
    partition: 0,
    overlap: 0,
    oneWay: 0,
    heal: 2,
    stop: 0,
    resume: 0,
    crash: 0,
    restart: 1,
    weather: 0,
    ambush: 0,
    hole: 4,
  },
};

export function drawPlan(random: Random): Plan {
  const plan = drawUsual(random);
  return random.chance(0.1) ? { ...plan, ...HALF_INSTALLED } : plan;
}

function drawUsual(random: Random): Plan {
  const members = random.chance(0.85) ? random.between(2, 5) : random.between(6, 16);
  const windowPackets = random.pick([4, 12, 40]);
  const spanPackets = windowPackets * random.pick([1, 2, 4]);
  const datagramBytes = random.pick([256, 400, 1472]);
  const longest = Math.ceil(LONGEST / (datagramBytes - 64));
  return {
    members,
    settings: {
      datagramBytes,
      messageBytes: LONGEST,
      queueBytes: windowPackets === 4 ? 20_000 : random.pick([20_000, 100_000]),
      visitPackets: Math.ceil(windowPackets / random.pick([1, 2, 4])),
      windowPackets,
      acceleratedPackets: random.pick([0, 1, Math.ceil(windowPackets / 4)]),
      spanPackets,
      requestsPerToken: random.pick([2, 30]),
      // A small one wraps several times in a run.
      sequenceMax: random.chance(0.2) ? 5 * spanPackets + 2 * members * longest : 100_000,
      ringSequenceBlock: random.pick([1, 1, 10]),
    },
    conditions: drawConditions(random),
    storeMs: random.pick([
      [0.01, 0.1],
      [0.1, 5],
      [1, 60],
    ] as const),
    faultyMs: random.pick([600, 1200, 2400]),
    faults: {
      partition: random.pick([0, 1, 3]),
      overlap: random.pick([0, 0, 1]),
      oneWay: random.pick([0, 0, 1]),
      heal: random.pick([1, 2]),
      stop: random.pick([0, 1]),
      resume: 1,
      crash: random.pick([0, 0, 1]),
      restart: 1,
      weather: random.pick([0, 1]),
      ambush: random.pick([0, 1, 4]),
      hole: random.pick([0, 0, 2]),
    },
    faultEveryMs: random.pick([15, 60, 150, 400]),
    submitEveryMs: random.pick([10, 30, 100]) * Math.max(1, members / 4),
    submitBurst: random.pick([1, 1, 3, 10]),
    lengths: random.pick([
      [4, 4],
      [4, 120],
      [4, 2000],
      [100, LONGEST],
    ] as const),
    services: random.pick([
      ['agreed'],
      ['safe'],
      ['agreed', 'safe'],
      ['unreliable', 'reliable', 'fifo', 'causal', 'agreed', 'safe'],
    ] as const),
  };
}

export function drawConditions(random: Random): NetworkConditions {
  return {
    delayMs: random.pick([
      [0.3, 0.6],
      [0.2, 3],
      [1, 10],
    ] as const),
    lossChance: random.pick([0, 0, 0.01, 0.05, 0.2]),
    duplicateChance: random.pick([0, 0, 0.02, 0.2]),
    reorderChance: random.pick([0, 0, 0.05, 0.3]),
    reorderMs: random.pick([2, 30, 300]),
  };
}

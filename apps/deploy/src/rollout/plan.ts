import { ServiceError } from '@rookery/service';

/** So many, or so many of a hundred. */
export type Amount = { readonly count: number } | { readonly percent: number };

/** What a rollout is to do, and how far it may go wrong. */
export interface RolloutPlan {
  /** In the order in which they are switched. */
  readonly hosts: readonly string[];
  /** The release's id. */
  readonly release: string;
  /** Of how many hosts, all waves so far together; the last is all. See `planWaves`. */
  readonly waves: readonly number[];
  readonly maxFailures: Amount;
  /** Of a step on a host. */
  readonly timeoutMs: number;
  /** Between a wave's health and the second look at it; 0 for none. */
  readonly settleMs: number;
}

export const TIMEOUT_MS = 300_000;
export const MAX_FAILURES: Amount = { percent: 10 };

/**
 * Waves of so many hosts: `[1, {percent: 10}]` of 200 hosts is `[1, 20, 200]`. Percentages are rounded up; a wave that
 * adds nothing is left out.
 */
export function planWaves(amounts: readonly Amount[], hosts: number): number[] {
  const waves: number[] = [];
  for (const amount of [...amounts, { percent: 100 }]) {
    const wave = Math.min(
      hosts,
      'count' in amount ? amount.count : Math.ceil((hosts * amount.percent) / 100),
    );
    if (wave > (waves.at(-1) ?? 0)) waves.push(wave);
  }
  return waves;
}

/** How many of so many hosts may fail. A percentage is rounded down, but unless it is 0 it allows one. */
export function allowedOf(amount: Amount, hosts: number): number {
  if ('count' in amount) return amount.count;
  return amount.percent === 0 ? 0 : Math.max(1, Math.floor((hosts * amount.percent) / 100));
}

/** `1,10%,100%`. @throws ServiceError `USAGE` */
export function parseWaves(text: string): Amount[] {
  return text.split(',').map((part) => {
    const amount = parseAmount(part);
    if (amount === undefined || Object.values(amount)[0] === 0) {
      throw new ServiceError(
        'USAGE',
        `--wave: ${JSON.stringify(part)} must be a number of hosts, or a percentage, such as 1,10%,100%`,
      );
    }
    return amount;
  });
}

/** `3` or `10%`. @throws ServiceError `USAGE` */
export function parseMaxFailures(text: string): Amount {
  const amount = parseAmount(text);
  if (amount !== undefined) return amount;
  throw new ServiceError(
    'USAGE',
    `--max-failures: ${JSON.stringify(text)} must be a number of hosts, or a percentage, such as 10%`,
  );
}

export function amountText(amount: Amount): string {
  return 'count' in amount ? `${amount.count}` : `${amount.percent}%`;
}

function parseAmount(text: string): Amount | undefined {
  const match = /^\s*(\d{1,6}(?:\.\d{1,3})?)(%?)\s*$/.exec(text);
  if (match === null) return undefined;
  const value = Number(match[1]);
  if (match[2] === '%') return value <= 100 ? { percent: value } : undefined;
  return Number.isInteger(value) ? { count: value } : undefined;
}

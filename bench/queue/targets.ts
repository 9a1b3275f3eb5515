import type { Work } from './report.ts';

/** How many times another's rate ours is to be. */
export interface Target {
  readonly works: readonly Work[];
  readonly depth: number;
  readonly own: string;
  /** Where it is another work that is compared. */
  readonly ownWork?: Work;
  readonly other: string;
  readonly otherWork?: Work;
  readonly atLeast: number;
}

const works: readonly Work[] = ['put', 'get', 'turns'];

export const targets: readonly Target[] = [
  { works, depth: 1, own: 'rookery-1000', other: 'redis-everysec', atLeast: 0.9 },
  { works, depth: 1, own: 'rookery-1000', other: 'beanstalkd', atLeast: 1.5 },
  { works, depth: 32, own: 'rookery-1000', other: 'redis-everysec', atLeast: 1.3 },
  { works, depth: 32, own: 'rookery-1000', other: 'beanstalkd', atLeast: 10 },
  { works, depth: 1, own: 'rookery-always', other: 'beanstalkd-f0', atLeast: 5 },
  { works, depth: 1, own: 'rookery-always', other: 'redis-always', atLeast: 0.7 },
  { works, depth: 32, own: 'rookery-always', other: 'redis-always', atLeast: 1 },
  ...[1, 32].map(
    (depth): Target => ({
      works: ['reliable'],
      depth,
      own: 'rookery-1000',
      other: 'rookery-1000',
      otherWork: 'get',
      atLeast: 0.8,
    }),
  ),
];

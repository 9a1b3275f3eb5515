import { Random } from '@rookery/testkit';
import { expect, it } from 'vitest';
import { Rate } from './rate.ts';

it('lets a second’s worth through at once, then so much a second', () => {
  const rate = new Rate(10, 0);
  let passed = 0;
  for (let now = 0; now <= 3000; now += 10) {
    while (rate.waitMs(now) === 0) {
      rate.spend(1);
      passed++;
    }
  }
  expect(passed).toBeGreaterThanOrEqual(40);
  expect(passed).toBeLessThanOrEqual(41);
});

it('what is larger than a second’s worth passes, and the next one waits for it', () => {
  const rate = new Rate(1000, 0);
  expect(rate.waitMs(0)).toBe(0);
  rate.spend(5000);
  const waitMs = rate.waitMs(0);
  expect(waitMs).toBeGreaterThanOrEqual(4000);
  expect(waitMs).toBeLessThan(4100);
  expect(rate.waitMs(waitMs)).toBe(0);
});

it('0 is no limit', () => {
  const rate = new Rate(0, 0);
  for (let i = 0; i < 1000; i++) {
    rate.spend(1e9);
    expect(rate.waitMs(0)).toBe(0);
  }
});

it('who waits as long as told may go, and the average is kept', () => {
  const random = new Random(7);
  for (let run = 0; run < 50; run++) {
    const perSecond = random.between(1, 10_000);
    const rate = new Rate(perSecond, 0);
    let now = 0;
    let spent = 0;
    let last = 0;
    for (let i = 0; i < 500; i++) {
      const waitMs = rate.waitMs(now);
      if (waitMs > 0) {
        now += waitMs;
        expect(rate.waitMs(now)).toBe(0);
      }
      last = random.between(1, 2 * perSecond);
      rate.spend(last);
      spent += last;
    }
    expect(spent - last).toBeLessThanOrEqual(perSecond * (1 + now / 1000) + 2 * perSecond);
    expect(spent).toBeGreaterThanOrEqual(perSecond * (now / 1000) * 0.9);
  }
});

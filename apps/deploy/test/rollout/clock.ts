import { readFileSync } from 'node:fs';

// Loaded before a program (`--import`): its wall clock jumps, every time that somebody looks at it, from one of the
// times in ROOKERY_TEST_CLOCK to the next. What it is built on (performance.now, timers) goes on as it does on a machine.

const times = readFileSync(process.env.ROOKERY_TEST_CLOCK!, 'utf8')
  .trim()
  .split('\n')
  .map((line) => Date.parse(line));
let looks = 0;
const now = (): number => times[looks++ % times.length]!;
globalThis.Date = new Proxy(Date, {
  construct: (target, given, newTarget) =>
    Reflect.construct(target, given.length === 0 ? [now()] : given, newTarget),
  get: (target, name) => (name === 'now' ? now : Reflect.get(target, name)),
});

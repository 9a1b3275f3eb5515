import { Random, SimulatedClock, SimulatedDisk } from '@rookery/testkit';
import { expect, test } from 'vitest';
import { DiskError } from '../disk/disk.ts';
import { openLog } from './open.ts';

const NONE = new Uint8Array(0);
const BODY = Buffer.alloc(100, 'm');

/** Clients that append, wait for the commit, and append again a turn or two later. Returns how many a commit answered. */
async function answered(clients: number, rounds: number): Promise<number[]> {
  const clock = new SimulatedClock();
  const disk = new SimulatedDisk({
    clock,
    random: new Random(1),
    makeError: (code, message) => new DiskError(code, message),
  });
  const waiting: number[] = [];
  const batches: number[] = [];
  const opening = openLog({
    disk,
    clock: clock.life(),
    directory: '/log',
    sync: 'always',
    onCommit(position) {
      const before = waiting.length;
      while (waiting.length > 0 && waiting[0]! <= position) {
        waiting.shift();
        const late = waiting.length % 2 === 0;
        clock.defer(() => (late ? clock.defer(ask) : ask()));
      }
      if (before > waiting.length) batches.push(before - waiting.length);
    },
  });
  let opened = false;
  void opening.then(() => {
    opened = true;
  });
  await clock.runUntil(() => opened, 'the log');
  const log = await opening;
  const stream = log.createStream('work');
  function ask(): void {
    stream.append(NONE, BODY, 0, BODY.length);
    waiting.push(log.position);
  }
  // In two halves: the second comes when the sync of the first has begun.
  for (let client = 0; client < clients; client++) {
    if (client < clients / 2) ask();
    else clock.defer(() => clock.defer(ask));
  }
  await clock.runUntil(() => batches.length >= rounds, 'the commits');
  return batches.slice(-rounds / 2);
}

test('with `always` who was answered by one sync shares the next with those who came meanwhile', async () => {
  expect(Math.min(...(await answered(50, 40)))).toBe(50);
});

test('with `always` one client alone is answered by each sync', async () => {
  expect(await answered(1, 40)).toEqual(Array.from({ length: 20 }, () => 1));
});

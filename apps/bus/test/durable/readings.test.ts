import { decodeEvent } from '@rookery/protocol/bus';
import { nodeDisk } from '@rookery/storage';
import { expect, it } from 'vitest';
import { Durable } from '../../src/durable/durable.ts';
import type { Reader } from '../../src/durable/reading/reading.ts';
import { Searches } from '../../src/durable/reading/searches.ts';

const ring = { representative: 1, sequence: 5 };
const NOBODY: Reader = {
  room: true,
  begin: () => true,
  end: () => undefined,
  located: () => undefined,
  give: () => undefined,
  caughtUp: () => undefined,
  missed: () => undefined,
};

it('who reads at another daemon and takes it back, again and again, waits while the ring takes no more', () => {
  let taken = true;
  const said: Uint8Array[] = [];
  const durable = new Durable({
    id: 1,
    patterns: {},
    log: { disk: nodeDisk, directory: '/nowhere', sync: 'never' },
    maxGroups: 10,
    findingMs: 0,
    submit: (payload) => taken && said.push(payload) > 0,
    queuedBytes: () => 0,
    now: () => Date.now(),
    press: () => undefined,
    isPressed: () => false,
    onLogEvent: () => undefined,
    onNotKept: () => undefined,
    onFailure: (error) => {
      throw error;
    },
  });
  durable.onConfiguration({ kind: 'regular', ring, previous: undefined, members: [1, 2] });
  durable.onEvent(1, decodeEvent(Buffer.from(said.pop()!)) as never);
  durable.onEvent(2, { kind: 'keeping', ring, patterns: ['g'], views: [], groups: [] });
  const read = () =>
    durable.read({ group: 'g', from: { sequence: 1 }, filter: {}, lastValue: false }, NOBODY);
  taken = false;
  let count = 0;
  for (let reading = read(); reading !== 'finding' && count < 100_000; reading = read()) {
    if (typeof reading === 'string') throw new Error(reading);
    reading.close();
    count++;
  }
  expect(count).toBeGreaterThan(100);
  expect(count).toBeLessThan(10_000);
  taken = true;
  durable.onOutput();
  expect(read()).toMatchObject({});
  expect(said.length).toBe(2 * count + 1);
});

it('searches go on some at a time, in order; one that is taken back before its turn never begins', async () => {
  const searches = new Searches();
  const begun: { readonly number: number; readonly end: () => void }[] = [];
  const takeBack = Array.from({ length: 40 }, (_, number) =>
    searches.add(() => new Promise((end) => begun.push({ number, end }))),
  );
  expect(begun.length).toBe(16);
  for (let number = 10; number < 30; number++) takeBack[number]!();
  for (let at = 0; at < begun.length; at++) {
    begun[at]!.end();
    await new Promise(setImmediate);
  }
  const first = Array.from({ length: 16 }, (_, number) => number);
  const last = Array.from({ length: 10 }, (_, index) => 30 + index);
  expect(begun.map(({ number }) => number)).toEqual([...first, ...last]);
});

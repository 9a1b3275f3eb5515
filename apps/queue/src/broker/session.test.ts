import { expect, test } from 'vitest';
import type { OpenRead, Reader } from '../queue/reader.ts';
import { Session } from './session.ts';

const [q, p] = [{}, {}] as [Reader, Reader];
const read = (reader: Reader): OpenRead => ({
  reader,
  message: {} as OpenRead['message'],
  openedAt: 0,
  deadline: 0,
  held: true,
  before: undefined,
  after: undefined,
});

function holding(...readers: Reader[]): { session: Session; reads: OpenRead[] } {
  const session = new Session();
  const reads = readers.map(read);
  for (const each of reads) session.add(each);
  return { session, reads };
}

test('the oldest of each queue, as they were opened', () => {
  const { session, reads } = holding(q, p, q);
  expect([session.oldest(q), session.oldest(p)]).toEqual([reads[0], reads[1]]);
  expect(session.oldest(q)).toBe(reads[0]);
  expect(session.held(q)).toEqual([reads[0], reads[2]]);
  expect(session.held({} as Reader)).toEqual([]);
  expect(session.openCount).toBe(3);
});

test('what timed out is passed over', () => {
  const { session, reads } = holding(q, q, q);
  reads[0]!.held = false;
  reads[2]!.held = false;
  expect(session.held(q)).toEqual([reads[1]]);
  expect(session.oldest(q)).toBe(reads[1]);
  reads[1]!.held = false;
  expect(session.oldest(q)).toBeUndefined();
  expect(session.openCount).toBe(0);
});

test('what timed out no longer counts, once pruned', () => {
  const { session, reads } = holding(q, q, p);
  reads[1]!.held = false;
  reads[2]!.held = false;
  session.prune();
  expect([session.openCount, session.held(q), session.held(p)]).toEqual([1, [reads[0]], []]);
});

test('removed is forgotten, and a second time is nothing', () => {
  const { session, reads } = holding(q, q);
  session.remove(reads[0]!);
  session.remove(reads[0]!);
  expect([session.openCount, session.oldest(q)]).toEqual([1, reads[1]]);
  session.remove(reads[1]!);
  expect([session.openCount, session.oldest(q)]).toEqual([0, undefined]);
});

test('all is given away at once, by queue', () => {
  const { session, reads } = holding(q, p, q);
  reads[0]!.held = false;
  const all = session.takeAll();
  expect([all.get(q), all.get(p)]).toEqual([[reads[2]], [reads[1]]]);
  expect([session.openCount, session.takeAll().size]).toEqual([0, 0]);
});

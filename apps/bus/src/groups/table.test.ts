import { expect, it } from 'vitest';
import { GroupTable } from './table.ts';

it('a session that goes costs no look at all groups', () => {
  const table = new GroupTable(1);
  const sessions = Array.from({ length: 1000 }, (_, n) => `#s${n}#d${n % 2}`);
  sessions.forEach((session, n) => {
    for (let group = 0; group < 100; group++) table.add(`g${n}.${group}`, session, n % 2);
  });
  const began = performance.now();
  for (const session of sessions) {
    const groups = table.groupsOf(session);
    expect(groups).toHaveLength(100);
    for (const group of groups) table.remove(group, session);
  }
  expect(performance.now() - began).toBeLessThan(2000);
  expect(table.count).toBe(0);
  expect(table.groupsOf(sessions[0]!)).toEqual([]);
});

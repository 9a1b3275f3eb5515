import { expect, it } from 'vitest';
import type { View } from '../../src/groups/types.ts';
import { checkGroups } from './checker.ts';
import type { SessionEvent, SessionHistory } from './daemon.ts';

const together: View = {
  group: 'g',
  id: { daemon: 1, time: 5, index: 1 },
  cause: 'network',
  members: ['#a#d1', '#b#d2'],
  changed: undefined,
  sets: [['#a#d1'], ['#b#d2']],
};

function alone(name: string, time: number): View {
  return { ...together, id: { daemon: 1, time, index: 1 }, members: [name], sets: [[name]] };
}

function history(name: string, time: number, between: SessionEvent[]): SessionHistory {
  const views = [together, alone(name, time)].map((view) => ({ kind: 'view', view }) as const);
  return { name, gone: false, events: [views[0]!, ...between, views[1]!] };
}

const safe: SessionEvent = { kind: 'message', message: 1, groups: ['g'], service: 'safe' };
const transition: SessionEvent = { kind: 'transition', group: 'g' };

it('the checker notices a safe message that a member of its view, which lives, was never given', () => {
  const parted = [history('#a#d1', 6, [safe, transition]), history('#b#d2', 7, [transition])] as const;
  expect(() => checkGroups(parted)).toThrow(/^safe: #a#d1 was given 1 as safe in .*, and #b#d2 never/);
  parted[1].gone = true;
  expect(() => checkGroups(parted)).not.toThrow();
});

it('after a transition, a safe message is owed to those only who go on together', () => {
  const parted = [history('#a#d1', 6, [transition, safe]), history('#b#d2', 7, [transition])];
  expect(() => checkGroups(parted)).not.toThrow();
});

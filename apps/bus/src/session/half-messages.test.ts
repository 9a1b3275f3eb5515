import { expect, it } from 'vitest';
import { HalfMessages } from './half-messages.ts';

const KIB = 1024;

function connection(cut: string[], name: string, isHeldUp = false) {
  return { isHeldUp, cutOff: () => void cut.push(name) };
}

it('beyond the limit whoever has been at one message for longest is cut off', () => {
  const halves = new HalfMessages(1000 * KIB);
  const cut: string[] = [];
  const [slow, large, late] = ['slow', 'large', 'late'].map((name) => connection(cut, name));
  halves.note(slow!, 0, 100 * KIB);
  halves.note(large!, 0, 600 * KIB);
  halves.note(slow!, 0, 200 * KIB);
  expect(halves.bytes).toBe(800 * KIB);
  halves.note(late!, 0, 300 * KIB);
  expect(cut).toEqual(['slow']);
  expect(halves.bytes).toBe(900 * KIB);
});

it('who sends one message after another is no older than its last one', () => {
  const halves = new HalfMessages(1000 * KIB);
  const cut: string[] = [];
  const [busy, slow] = ['busy', 'slow'].map((name) => connection(cut, name));
  halves.note(busy!, 0, 100 * KIB);
  halves.note(slow!, 0, 500 * KIB);
  halves.note(busy!, 150 * KIB, 700 * KIB);
  expect(cut).toEqual(['slow']);
});

it('a whole message counts no more, nor does a small half', () => {
  const halves = new HalfMessages(1000 * KIB);
  const cut: string[] = [];
  const one = connection(cut, 'one');
  halves.note(one, 0, 900 * KIB);
  halves.note(one, 900 * KIB, 900 * KIB);
  expect(halves.bytes).toBe(0);
  for (let count = 0; count < 1000; count++) halves.note(connection(cut, 'small'), 0, 4 * KIB);
  expect(halves.bytes).toBe(0);
  expect(cut).toEqual([]);
});

it('who waits because of the daemon is not cut off for it', () => {
  const halves = new HalfMessages(1000 * KIB);
  const cut: string[] = [];
  halves.note(connection(cut, 'held up', true), 0, 900 * KIB);
  halves.note(connection(cut, 'sender'), 0, 200 * KIB);
  expect(cut).toEqual(['sender']);
  expect(halves.bytes).toBe(900 * KIB);
});

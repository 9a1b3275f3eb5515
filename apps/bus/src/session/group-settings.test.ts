import { expect, it } from 'vitest';
import { groupSettings } from './group-settings.ts';

const defaults = { slowPolicy: 'disconnect', maxListeners: 100 } as const;

it('a group’s own settings win over the longest beginning, and that over the defaults', () => {
  const settings = groupSettings(defaults, {
    'web.*': { maxListeners: 1 },
    'web.chat.*': { maxListeners: 2 },
    'web.chat.room': { slowPolicy: 'slow' },
    '*': { maxListeners: 3 },
  });
  expect(settings('web.x')).toEqual({ ...defaults, maxListeners: 1 });
  expect(settings('web.chat.x')).toEqual({ ...defaults, maxListeners: 2 });
  expect(settings('web.chat.room')).toEqual({ ...defaults, slowPolicy: 'slow' });
  expect(settings('other')).toEqual({ ...defaults, maxListeners: 3 });
  expect(settings('web.')).toEqual({ ...defaults, maxListeners: 1 });
});

it('names of objects’ own properties are names like any other', () => {
  const settings = groupSettings(defaults, {});
  for (const name of ['constructor', '__proto__', 'toString']) expect(settings(name)).toEqual(defaults);
});

it('is the same however many names were asked for', () => {
  const settings = groupSettings(defaults, { 'a*': { maxListeners: 1 } });
  for (let i = 0; i < 50_000; i++) {
    expect(settings(`${i % 2 === 0 ? 'a' : 'b'}${i}`).maxListeners).toBe(i % 2 === 0 ? 1 : 100);
  }
});

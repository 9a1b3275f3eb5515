import { describe, expect, it } from 'vitest';
import { Pressure } from './pressure.ts';

describe('pressure', () => {
  it('is asked for once, however many want it, and until the last of them has enough', () => {
    const pressure = new Pressure();
    expect(pressure.ask('news', true, 'sessions')).toBe(true);
    expect(pressure.ask('news', true, 'log')).toBe(false);
    expect(pressure.ask('news', false, 'sessions')).toBe(false);
    expect([...pressure.asked]).toEqual(['news']);
    expect(pressure.ask('news', false, 'log')).toBe(true);
    expect([...pressure.asked]).toEqual([]);
    expect(pressure.ask('news', false, 'log')).toBe(false);
  });

  it('holds senders up from the first daemon that asks to the last that lets go', () => {
    const pressure = new Pressure();
    expect(pressure.hold('news', 1)).toBe(true);
    expect(pressure.hold('news', 1)).toBe(false);
    expect(pressure.hold('news', 2)).toBe(false);
    expect(pressure.release('news', 1)).toBe(false);
    expect(pressure.release('news', 3)).toBe(false);
    expect(pressure.isPressed('news')).toBe(true);
    expect(pressure.release('news', 2)).toBe(true);
    expect(pressure.isPressed('news')).toBe(false);
    expect(pressure.release('news', 2)).toBe(false);
  });

  it('is over with the configuration, and this daemon asks again', () => {
    const pressure = new Pressure();
    pressure.ask('news', true, 'log');
    pressure.hold('news', 1);
    pressure.hold('sport', 2);
    expect(pressure.releaseAll()).toEqual(['news', 'sport']);
    expect(pressure.isPressed('sport')).toBe(false);
    expect([...pressure.asked]).toEqual(['news']);
  });
});

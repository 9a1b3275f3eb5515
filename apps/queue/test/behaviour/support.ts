import { SimulatedClock } from '@rookery/testkit';
import { expect } from 'vitest';
import { type Client, type InMemoryOptions, inMemory } from '../in-memory.ts';

/** A server on a simulated clock: time passes only by `advance`. */
export function server(options: Omit<InMemoryOptions, 'clock'> = {}) {
  const clock = new SimulatedClock();
  const made = inMemory({ ...options, clock });
  return {
    ...made,
    clock,
    advance: (ms: number) => clock.advance(ms),
    /** For long times: only the wall clock moves, no timer runs out. */
    jump: (ms: number) => clock.jump(ms),
  };
}

/** A put, as bytes. */
export function set(name: string, body: string, flags = 0, exptime = 0, rest = ''): string {
  return `set ${name} ${flags} ${exptime} ${body.length}${rest}\r\n${body}\r\n`;
}

/** One message of a reply, as bytes. */
export function value(name: string, body: string, flags = 0): string {
  return `VALUE ${name} ${flags} ${body.length}\r\n${body}\r\n`;
}

/** A reply of one message. */
export function hit(name: string, body: string, flags = 0): string {
  return `${value(name, body, flags)}END\r\n`;
}

export const miss = 'END\r\n';
export const stored = 'STORED\r\n';

/** Puts bodies, each of which must be stored. */
export async function fill(client: Client, name: string, ...bodies: string[]): Promise<void> {
  const replies = await client.ask(bodies.map((body) => set(name, body)).join(''));
  expect(replies).toBe(stored.repeat(bodies.length));
}

/** Takes all there is by plain gets; returns the bodies. */
export async function drain(client: Client, name: string): Promise<string[]> {
  const bodies: string[] = [];
  for (;;) {
    const reply = await client.ask(`get ${name}\r\n`);
    if (reply === miss) return bodies;
    const found = /^VALUE \S+ \d+ \d+\r\n([\s\S]*)\r\nEND\r\n$/.exec(reply);
    if (found === null) throw new Error(`not one message: ${JSON.stringify(reply)}`);
    bodies.push(found[1]!);
  }
}

/** Says each line and expects the reply beside it. */
export async function says(client: Client, dialogue: readonly (readonly [string, string])[]): Promise<void> {
  for (const [asked, answered] of dialogue) {
    expect(await client.ask(asked), JSON.stringify(asked)).toBe(answered);
  }
}

import { describe, expect, test } from 'vitest';
import { createWindow } from '../../src/swarm/exchange/window.ts';

const BLOCK = 16 * 1024;

function window() {
  return createWindow({ leastBytes: BLOCK, mostBytes: 64 * BLOCK, quickMs: 100, slowMs: 300 });
}

describe('what is asked of a peer', () => {
  test('grows to the most while its answers come at once', () => {
    const asked = window();
    for (let block = 0; block < 100; block++) asked.answered(2, BLOCK);
    expect(asked.bytes).toBe(64 * BLOCK);
  });

  test('grows as well where the way is long: only waiting in a queue counts', () => {
    const asked = window();
    for (let block = 0; block < 100; block++) asked.answered(250, BLOCK);
    expect(asked.bytes).toBe(64 * BLOCK);
  });

  test('stays where answers wait for some time, and shrinks to the least when they wait long', () => {
    const asked = window();
    for (let block = 0; block < 20; block++) asked.answered(2, BLOCK);
    const before = asked.bytes;
    asked.answered(200, BLOCK);
    expect(asked.bytes).toBe(before);
    for (let block = 0; block < 100; block++) asked.answered(400, BLOCK);
    expect(asked.bytes).toBe(BLOCK);
  });
});

import { expect, test } from 'vitest';
import { doneText, progressLines } from '../../src/progress/lines.ts';
import type { PushEvent } from '../../src/push/events.ts';

test('lines and the end hold nothing of a host’s words that a terminal would obey', () => {
  const message = 'The hook updated ended with code 1: \x1b]0;title\x07\x1b[31mno\x9b2J\nsecond\u202e line';
  const host = { host: 'web1', code: 'hook-failed', message } as const;
  const events: PushEvent[] = [
    { event: 'host', state: 'failed', step: 'switch', ...host },
    { event: 'warning', host: 'web1', message },
    { event: 'stopping', reason: 'locked', message },
  ];
  const said: string[] = [];
  const onEvent = progressLines((text) => said.push(text));
  for (const event of events) onEvent(event);
  const done = {
    event: 'done',
    outcome: 'failed',
    seconds: 1,
    counts: { failed: 1 },
    hosts: [{ state: 'failed', wave: null, ...host }],
  } as const;
  said.push(`${doneText(done)}\n`);

  expect(said.map((text) => text.trimEnd().split('\n').length)).toEqual([1, 1, 1, 2]);
  for (const text of said) {
    expect(text).toContain('ended with code 1: no');
    expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  }
});

import { encodeEvent, type GroupEvent } from '@rookery/protocol/bus';
import { expect, it } from 'vitest';
import { startInProcess } from '../in-process.ts';

it('what a daemon should not have let through is not delivered, and ends nobody', async () => {
  const bus = await startInProcess();
  const spread = await bus.spread('sp');
  const web = await bus.webSocket('web');
  await spread.enter('g');
  await web.enter('g');
  const message = {
    kind: 'message',
    session: '#far#d2',
    groups: ['g'],
    messageType: 0,
    bigEndian: false,
    selfDiscard: false,
    key: '',
    data: Buffer.from('bad'),
  } as const;
  const events: GroupEvent[] = [
    { ...message, session: 'no session' },
    { ...message, groups: ['g', 'no group'] },
    { ...message, groups: ['g', '#no#session#either'] },
    { kind: 'join', session: 'no session', group: 'g' },
    { kind: 'pressure', group: 'no group', on: true },
    { kind: 'disconnect', session: 'no session' },
  ];
  for (const event of events) expect(bus.daemon.parts.engine.submit('agreed', encodeEvent(event))).toBe(true);
  const key = encodeEvent({ ...message, key: 'k'.repeat(255) });
  key.fill(0xff, key.indexOf('kkk'), key.indexOf('kkk') + 255);
  bus.daemon.parts.engine.submit('agreed', key);
  spread.send('g', 'good');
  expect(await web.text()).toBe('good');
  await spread.inbox.until((heard) => heard.text === 'good');
  expect(bus.daemon.parts.badInput.get('ring undeliverable')).toBeGreaterThan(0);
});

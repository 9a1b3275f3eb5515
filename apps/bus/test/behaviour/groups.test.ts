import { expect, it } from 'vitest';
import { startInProcess } from '../in-process.ts';
import type { SpreadClient } from '../spread-client.ts';

async function nextView(client: SpreadClient) {
  const heard = await client.inbox.next();
  if (heard.kind !== 'membership') throw new Error(`no view: ${JSON.stringify(heard)}`);
  return heard;
}

it('a join, a leave and a goodbye are views with their cause, the same on both wires', async () => {
  const bus = await startInProcess();
  const spread = await bus.spread('sp');
  const web = await bus.webSocket('web');
  await spread.enter('g');
  await web.enter('g');
  const third = await bus.spread('third');
  third.join('g');
  const members = ['#sp#d1', '#third#d1', '#web#d1'];
  const both = await nextView(spread);
  expect(both).toMatchObject({ cause: 'join', group: 'g', members: ['#sp#d1', '#web#d1'] });
  const joined = await nextView(spread);
  expect(joined).toMatchObject({ cause: 'join', group: 'g', members, sets: [['#third#d1']] });
  const { id } = joined;
  expect(await web.find('view')).toMatchObject({
    cause: 'join',
    members,
    changed: '#third#d1',
    sets: [['#third#d1']],
    // Spread's numbers are signed.
    id: `${id.daemon >>> 0}.${id.time}.${id.index}`,
  });
  expect(await nextView(third)).toMatchObject({ cause: 'join', members });

  third.leave('g');
  const left = { cause: 'leave', group: 'g', members: ['#sp#d1', '#web#d1'] };
  expect(await nextView(spread)).toMatchObject(left);
  expect(await web.find('view')).toMatchObject({ ...left, changed: '#third#d1' });
  expect(await third.inbox.next()).toMatchObject({ kind: 'self_leave', group: 'g' });

  third.join('g');
  await nextView(spread);
  await web.find('view');
  third.goodbye();
  expect(await nextView(spread)).toMatchObject({ ...left, cause: 'disconnect' });
  expect(await web.find('view')).toMatchObject({ ...left, cause: 'disconnect', changed: '#third#d1' });
});

it('who leaves is told that it has left, and hears nothing of the group any more', async () => {
  const bus = await startInProcess();
  const web = await bus.webSocket('web');
  const spread = await bus.spread('sp');
  await web.enter('g');
  await spread.enter('g');
  web.ask({ type: 'leave', group: 'g' });
  expect(await web.find('left')).toMatchObject({ group: 'g' });
  await spread.inbox.until((heard) => heard.kind === 'membership' && heard.cause === 'leave');
  spread.send('g', 'after');
  spread.send(web.session, 'marker');
  expect(await web.text()).toBe('marker');
});

it('a client that disappears leaves its groups', async () => {
  const bus = await startInProcess({ resumeMs: 0 });
  const watcher = await bus.spread('watcher');
  await watcher.enter('g');
  const spread = await bus.spread('sp');
  await spread.enter('g');
  expect(await nextView(watcher)).toMatchObject({ cause: 'join' });
  spread.socket.resetAndDestroy();
  expect(await nextView(watcher)).toMatchObject({ cause: 'disconnect', members: ['#watcher#d1'] });
  const web = await bus.webSocket('web');
  await web.enter('g');
  expect(await nextView(watcher)).toMatchObject({ cause: 'join' });
  web.cut();
  expect(await nextView(watcher)).toMatchObject({ cause: 'disconnect', members: ['#watcher#d1'] });
});

it('who asks for no views gets none, and messages all the same', async () => {
  const bus = await startInProcess();
  const spread = await bus.spread({ name: 'sp', membership: false });
  const web = await bus.webSocket({ name: 'web', membership: false });
  spread.join('g');
  await web.enter('g');
  web.send('g', 'x');
  expect(await spread.inbox.next()).toMatchObject({ kind: 'message', text: 'x' });
  expect(await web.next()).toMatchObject({ kind: 'message', text: 'x', d: 1 });
});

it('joining twice and leaving what one is not in is passed over for Spread, refused for WebSocket', async () => {
  const bus = await startInProcess();
  const spread = await bus.spread('sp');
  await spread.enter('g');
  spread.join('g');
  spread.leave('other');
  spread.leave('g');
  spread.leave('g');
  expect(await spread.inbox.next()).toMatchObject({ kind: 'self_leave', group: 'g' });
  spread.send(spread.session, 'marker');
  expect(await spread.inbox.next()).toMatchObject({ kind: 'message', text: 'marker' });

  const web = await bus.webSocket('web');
  await web.enter('g');
  const again = web.ask({ type: 'join', group: 'g' });
  expect(await web.find('refused')).toMatchObject({ n: again, code: 'ALREADY_A_MEMBER' });
  web.ask({ type: 'leave', group: 'g' });
  const twice = web.ask({ type: 'leave', group: 'g' });
  // The refusal is known at once, the leave has to go round.
  const said = await web.inbox.until((one) => one.kind === 'confirmed' && one.n === twice);
  expect(said.find(({ kind }) => kind === 'refused')).toMatchObject({ n: twice, code: 'NOT_A_MEMBER' });
});

it('tells who is in which group to whom asks', async () => {
  const bus = await startInProcess();
  const web = await bus.webSocket('web');
  const spread = await bus.spread('sp');
  await spread.enter('b');
  await web.enter('a');
  await web.enter('b');
  web.say({ type: 'groups', id: 7 });
  expect(await web.find('groups')).toMatchObject({
    id: 7,
    groups: [
      { name: 'a', members: 1 },
      { name: 'b', members: 2 },
    ],
  });
  web.say({ type: 'members', id: 8, group: 'b' });
  expect(await web.find('members')).toMatchObject({ id: 8, members: ['#sp#d1', '#web#d1'] });
  web.say({ type: 'members', id: 9, group: 'nobody' });
  expect(await web.find('members')).toMatchObject({ id: 9, members: [] });
});

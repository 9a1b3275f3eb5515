import { expect, test } from 'vitest';
import { createTurns, unitsAtOnce } from '../../src/connection/turns.ts';
import { fill, hit, miss, server, set, stored, value } from './support.ts';

/** Every kind of request, and what must come back for all of it. */
const asked = [
  set('q', 'a', 7),
  set('q', 'quiet', 0, 0, ' noreply'),
  'get q\r\n',
  'get  q/peek  none \r\n',
  'nonsense\r\n',
  set('q', '\r\nget q\r\n'),
  'set q 0 0 2\r\ntoo long\r\n',
  'ms m 2 F3 T0\r\nhi\r\n',
  'mg m v f k\r\n',
  'mg m v q\r\n',
  'mn\r\n',
  'get q/open\r\n',
  'get q/close/open\r\n',
  'get q/abort\r\n',
  'set x/open 0 0 11\r\nflush_all\r\n\r\n',
  'get q\n',
  'delete q noreply\r\n',
  'version\r\n',
  'quit\r\n',
].join('');
const answered = [
  stored,
  hit('q', 'a', 7),
  `${value('q/peek', 'quiet')}END\r\n`,
  'ERROR\r\n',
  stored,
  'CLIENT_ERROR bad data chunk\r\n',
  'HD\r\n',
  'VA 2 f3 km\r\nhi\r\n',
  'MN\r\n',
  hit('q/open', 'quiet'),
  hit('q/close/open', '\r\nget q\r\n'),
  miss,
  `CLIENT_ERROR a queue's name can't end in "/open": that is an option of get\r\n`,
  hit('q', '\r\nget q\r\n'),
  'VERSION 1.2.3\r\n',
].join('');

test('a pipeline is answered in order, in one piece', async () => {
  expect(await server().connect().ask(asked)).toBe(answered);
});

test('cut in two at any byte it is answered the same', async () => {
  for (let cut = 1; cut < asked.length; cut += 1) {
    const client = server().connect();
    const first = await client.ask(asked.slice(0, cut));
    expect(first + (await client.ask(asked.slice(cut))), `cut at ${cut}`).toBe(answered);
  }
});

test('byte by byte too', async () => {
  const client = server().connect();
  for (const byte of asked) client.send(byte);
  expect(await client.ask('')).toBe(answered);
});

test('bad input in the middle of good input spoils nothing', async () => {
  const client = server().connect();
  const bad = [
    'get\r\n',
    '\r\n',
    '\0\0\0\r\n',
    'get a\x01b\r\n',
    `get ${'k'.repeat(315)}\r\n`,
    `delete ${'k'.repeat(251)}\r\n`,
    'incr q\r\n',
    'set q 0 0 1\r\nabc\r\n',
    'touch\r\n',
    'cas q 0 0 1 x\r\na\r\n',
    'mg q !\r\n',
    'GET / HTTP/1.1\r\n',
    'Host: localhost\r\n',
  ];
  for (const line of bad) {
    await fill(client, 'q', 'a');
    const reply = await client.ask(`${line}get q\r\n`);
    expect(reply.endsWith(hit('q', 'a')), `${JSON.stringify(line)} -> ${JSON.stringify(reply)}`).toBe(true);
  }
});

test('input that leaves no way to go on is answered, then the connection ends; all else is kept', async () => {
  for (const line of [
    'set q 0 0\r\n',
    'set q 0 0 x\r\n',
    'set q 0 0 -1\r\n',
    `x${'y'.repeat(3000)}`,
    'ms q x\r\n',
  ]) {
    const { connect } = server();
    const [client, other] = [connect(), connect()];
    await fill(other, 'q', 'a');
    const reply = await client.ask(`${line}flush_all\r\nget q\r\n`);
    expect(reply, line).toMatch(/^(CLIENT_)?ERROR[^\r\n]*\r\n$/);
    expect(client.ended).toBe(true);
    expect(await other.ask('get q\r\n')).toBe(hit('q', 'a'));
  }
});

test('ten thousand pipelined puts and gets', async () => {
  const client = server().connect();
  const pairs = 10_000;
  client.send(`${set('q', 'x')}get q\r\n`.repeat(pairs));
  const reply = `${stored}${hit('q', 'x')}`;
  expect(await client.receive(reply.length * pairs)).toBe(reply.repeat(pairs));
});

test('of very many requests in one chunk leave others their turn, and are all answered in order', async () => {
  const { connect, broker } = server();
  const [greedy, other] = [connect(), connect()];
  const count = 3500;
  greedy.send(Array.from({ length: count }, (_, at) => set('q', String(at % 10))).join(''));
  other.send(set('r', 'x'));
  let seenAt = -1;
  const { put } = broker;
  broker.put = (...args) => {
    if (args[0].queues[0] === 'r') seenAt = broker.registry.queues.get('q')!.items;
    return put.apply(broker, args);
  };
  expect(await greedy.receive(stored.length * count)).toBe(stored.repeat(count));
  expect(await other.ask('')).toBe(stored);
  expect(seenAt).toBeLessThan(count);
  const bodies = Array.from({ length: count }, (_, at) => hit('q', String(at % 10))).join('');
  greedy.send('get q\r\n'.repeat(count));
  expect(await greedy.receive(bodies.length)).toBe(bodies);
});

test('who asks for one thing at a time waits for no more than a slice of another’s thousands', async () => {
  // Time passes only by work: 2 µs for a put of the one, 10 µs for a put of the other, 1 µs for a turn.
  let us = 0;
  const turns = createTurns({
    defer: (call) => void setImmediate(call),
    now: () => {
      us += 1;
      return us / 1000;
    },
  });
  const { connect, broker } = server({ turns });
  const [greedy, other] = [connect(), connect()];
  const puts = { q: 0, r: 0 };
  const waited: number[] = [];
  const { put } = broker;
  let before = 0;
  broker.put = (...args) => {
    if (args[0].queues[0] === 'q') {
      puts.q += 1;
      us += 2;
    } else {
      puts.r += 1;
      us += 10;
      waited.push(puts.q - before);
    }
    return put.apply(broker, args);
  };
  const many = 20_000;
  const answers = greedy.receive(stored.length * many);
  greedy.send(set('q', 'x').repeat(many));
  for (let request = 0; request < unitsAtOnce; request += 1) {
    before = puts.q;
    other.send(set('r', 'x'));
    await other.receive(stored.length);
  }
  expect(Math.max(...waited)).toBeLessThanOrEqual(unitsAtOnce);
  expect(puts).toMatchObject({ r: unitsAtOnce });
  expect(puts.q).toBeLessThan(many);
  expect(await answers).toBe(stored.repeat(many));
});

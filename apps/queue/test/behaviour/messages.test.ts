import { describe, expect, test } from 'vitest';
import { drain, fill, hit, miss, says, server, set, stored } from './support.ts';

// docs/protocol-messages.md has the ordinary ways as sessions that are held; here is what lies beside them.

describe('a put', () => {
  test.each([
    ['q/delay=5s', 'it would be another queue'],
    ['q/priority=10', 'no such level'],
  ])('to %s: %s', async (name) => {
    const client = server().connect();
    expect(await client.ask(set(name, 'a'))).toMatch(/^CLIENT_ERROR a queue's name can't end in/);
  });

  test('with a delay or an id over the limit is refused, and its body swallowed', async () => {
    const client = server({ maxDelayMs: 1000 }).connect();
    await says(client, [
      [set('q/delay=1001', 'a'), 'CLIENT_ERROR a delay is 1000 ms at most (max_delay_ms)\r\n'],
      ['ms q 1 D1001\r\na\r\n', 'CLIENT_ERROR a delay is 1000 ms at most (max_delay_ms)\r\n'],
      [set(`q/id=${'i'.repeat(65)}`, 'a'), 'CLIENT_ERROR an id has 64 bytes at most\r\n'],
      ['ms q 1 P12\r\na\r\n', 'CLIENT_ERROR bad token in command line format\r\n'],
      ['me q\r\n', 'EN\r\n'],
      [set('q/delay=1000', 'a'), stored],
    ]);
  });

  test('to several queues is known by its id in each, and a duplicate when all know it', async () => {
    const client = server().connect();
    await says(client, [
      [set('a/id=x', '1'), stored],
      ['ms a+b 1 Ux\r\n1\r\n', 'HD\r\n'],
      ['ms a+b 1 Ux\r\n1\r\n', 'HD U\r\n'],
    ]);
    expect([await drain(client, 'a'), await drain(client, 'b')]).toEqual([['1'], ['1']]);
  });

  test('that is refused leaves its id unknown', async () => {
    const client = server({ configuration: { queues: { q: { maxItems: 1 } } } }).connect();
    await fill(client, 'q', 'a');
    expect(await client.ask(set('q/id=x', 'b'))).toBe('SERVER_ERROR out of memory storing object\r\n');
    await drain(client, 'q');
    expect(await client.ask('ms q 1 Ux\r\nb\r\n')).toBe('HD\r\n');
    // Known: it is full, and this one is no put.
    expect(await client.ask('ms q 1 Ux\r\nb\r\n')).toBe('HD U\r\n');
  });

  test('with an id is stored again when its time or its place in the window is over', async () => {
    const queues = { q: { deduplicationWindowMs: 1000, deduplicationWindowItems: 2 } };
    const { connect, advance } = server({ configuration: { queues } });
    const client = connect();
    const put = (id: string): Promise<string> => client.ask(`ms q 1 U${id}\r\nx\r\n`);
    expect([await put('a'), await put('a'), await put('b')]).toEqual(['HD\r\n', 'HD U\r\n', 'HD\r\n']);
    expect([await put('c'), await put('a'), await put('c')]).toEqual(['HD\r\n', 'HD\r\n', 'HD U\r\n']);
    await advance(1000);
    expect([await put('c'), await put('a')]).toEqual(['HD\r\n', 'HD\r\n']);
  });

  test('goes to each child with its delay and its priority', async () => {
    const { connect, advance } = server();
    const client = connect();
    await client.ask('get p+c\r\n');
    await says(client, [
      [set('p/delay=100', 'late'), stored],
      [set('p/priority=9', 'low'), stored],
      [set('p', 'plain'), stored],
    ]);
    await advance(150);
    expect(await drain(client, 'p+c')).toEqual(['plain', 'late', 'low']);
    expect(await drain(client, 'p')).toEqual(['plain', 'late', 'low']);
  });
});

describe('a delayed message', () => {
  test('is handed to who waits when its time comes, and expires like any other', async () => {
    const { connect, advance } = server();
    const [client, waiting] = [connect(), connect()];
    await client.ask(set('q/delay=500', 'a'));
    waiting.send('get q/t=5000\r\n');
    await advance(490);
    expect(await waiting.ask('')).toBe('');
    await advance(30);
    expect(await waiting.ask('')).toBe(`VALUE q/t=5000 0 1\r\na\r\n${miss}`);
    await client.ask(set('q/delay=5000', 'b', 0, 2));
    await advance(6000);
    expect(await client.ask('get q\r\n')).toBe(miss);
  });

  test('counts in the limits of its queue, goes with a flush, and never is too early by a restart of the clock', async () => {
    const { connect, advance } = server({ configuration: { queues: { q: { maxItems: 1 } } } });
    const client = connect();
    expect(await client.ask(set('q/delay=1000', 'a'))).toBe(stored);
    expect(await client.ask(set('q', 'b'))).toBe('SERVER_ERROR out of memory storing object\r\n');
    expect(await client.ask('me q\r\n')).toMatch(/^ME q items=1 bytes=\d+ open=0 delayed=1 paused=0\r\n$/);
    await client.ask('flush q\r\n');
    await advance(2000);
    expect(await client.ask('get q\r\n')).toBe(miss);
    expect(await client.ask(set('q', 'b'))).toBe(stored);
  });
});

describe('what is held', () => {
  test('is named by a handle that is its own in every priority', async () => {
    const client = server().connect();
    await client.ask(set('q', 'a') + set('q/priority=0', 'b'));
    const replies = await client.ask('mg q/open v c B2\r\n');
    const handles = [...replies.matchAll(/c(\d+)/g)].map((match) => match[1]!);
    expect(new Set(handles).size).toBe(2);
    await says(client, [
      [`md q C${handles[1]}\r\n`, 'HD\r\n'],
      [`md q C${handles[1]}\r\n`, 'EX\r\n'],
      [`ma q MA C${handles[0]}\r\n`, 'HD\r\n'],
      [`ma q MA C${handles[0]}\r\n`, 'NF\r\n'],
      ['get q\r\n', hit('q', 'b')],
      ['md q C1\r\n', 'NF\r\n'],
    ]);
  });

  test('is acknowledged all or not at all', async () => {
    const client = server().connect();
    await fill(client, 'q', 'a', 'b');
    await client.ask('get q/open/batch=2\r\n');
    await says(client, [
      ['md q B3\r\n', 'NF\r\n'],
      ['md q B2 q\r\nmn\r\n', 'MN\r\n'],
      ['me q\r\n', 'ME q items=0 bytes=0 open=0 delayed=0 paused=0\r\n'],
    ]);
  });

  test('cannot be delayed or buried by a cursor', async () => {
    const client = server().connect();
    await fill(client, 'q', 'a');
    const refused = "CLIENT_ERROR a cursor reads along: it can't move messages\r\n";
    await says(client, [
      ['get q/cursor=c/abort/delay=5\r\n', refused],
      ['get q/cursor=c/open\r\n', `VALUE q/cursor=c/open 0 1\r\na\r\n${miss}`],
      ['ma q/cursor=c MB\r\n', refused],
      ['ma q/cursor=c MA\r\n', 'HD\r\n'],
    ]);
  });

  test('comes back by touch no sooner than it was told', async () => {
    const { connect, advance } = server({ configuration: { defaults: { openReadTimeoutMs: 1000 } } });
    const client = connect();
    await fill(client, 'q', 'a');
    await client.ask('get q/open\r\n');
    expect(await client.ask('ma q MT D5000\r\n')).toBe('HD\r\n');
    await advance(4900);
    expect(await client.ask('get q\r\n')).toBe(miss);
    await advance(300);
    expect(await client.ask('get q\r\n')).toBe(hit('q', 'a'));
  });

  test('is a dead letter by timeouts and disconnects as well', async () => {
    const queues = { q: { maxDeliveries: 2, deadLetterQueue: 'dead', openReadTimeoutMs: 100 } };
    const { connect, advance } = server({ configuration: { queues } });
    const [client, other] = [connect(), connect()];
    await fill(client, 'q', 'a');
    await client.ask('get q/open\r\n');
    await advance(150);
    await other.ask('get q/open\r\n');
    other.hangUp();
    await other.ask('');
    expect(await client.ask('get q\r\n')).toBe(miss);
    expect(await client.ask('get dead\r\n')).toBe(hit('dead', 'a'));
  });

  test('is dropped where there is no dead letter queue, and comes back for ever where that is its own', async () => {
    const queues = { q: { maxDeliveries: 1 }, own: { maxDeliveries: 1, deadLetterQueue: 'own' } };
    const client = server({ configuration: { queues } }).connect();
    await fill(client, 'q', 'a');
    await client.ask('get q/open\r\nget q/abort\r\n');
    expect(await client.ask('get q\r\n')).toBe(miss);
    await fill(client, 'own', 'a');
    for (const verb of ['abort', 'bury', 'abort']) await client.ask(`get own/open\r\nget own/${verb}\r\n`);
    expect(await client.ask('get own\r\n')).toBe(hit('own', 'a'));
  });
});

describe('a pause', () => {
  test('lets readers wait, and those who waited go on with the resume', async () => {
    const { connect, advance } = server();
    const [client, waiting] = [connect(), connect()];
    await fill(client, 'q', 'a');
    await client.ask('pause q\r\n');
    waiting.send('get q/t=5000\r\n');
    await advance(100);
    expect(await waiting.ask('')).toBe('');
    expect(await client.ask('get q/cursor=c\r\n')).toBe(miss);
    await client.ask('resume q\r\n');
    expect(await waiting.ask('')).toBe(`VALUE q/t=5000 0 1\r\na\r\n${miss}`);
  });

  test('is not that of the children', async () => {
    const client = server().connect();
    await client.ask('get p+c\r\n');
    await client.ask('pause p\r\n');
    await fill(client, 'p', 'a');
    expect([await client.ask('get p\r\n'), await client.ask('get p+c\r\n')]).toEqual([miss, hit('p+c', 'a')]);
  });
});

describe('settings', () => {
  test('come after those of the file and go back to them; children have their parent’s', async () => {
    const client = server({ configuration: { queues: { p: { maxItems: 3 } } } }).connect();
    const max = async (name: string): Promise<string> =>
      /max_items=(\d*)/.exec(await client.ask(`settings ${name}\r\n`))![1]!;
    await client.ask('get p+c\r\n');
    expect([await max('p'), await max('p+c')]).toEqual(['3', '3']);
    await client.ask('settings p max_items=7\r\n');
    expect([await max('p'), await max('p+c')]).toEqual(['7', '7']);
    await client.ask('settings p+c max_items=9\r\n');
    expect([await max('p'), await max('p+c')]).toEqual(['7', '9']);
    await client.ask('settings p max_items=\r\nsettings p+c max_items=\r\n');
    expect([await max('p'), await max('p+c')]).toEqual(['3', '3']);
  });

  test.each([
    ['settings q nonsense=1', 'CLIENT_ERROR nonsense: there is no such setting'],
    ['settings q max_deliveries=251', 'CLIENT_ERROR max_deliveries: expected a whole number up to 250'],
    ['settings q persistent=false', 'CLIENT_ERROR persistent: fixed when the queue is created'],
    ['settings q paused', 'CLIENT_ERROR settings: expected NAME=VALUE'],
    ['settings', 'ERROR'],
    ['ms q 2 MC\r\n[]', 'CLIENT_ERROR settings: expected a JSON object'],
    ['redrive q', 'CLIENT_ERROR bad command line format'],
    ['redrive q 1001', 'CLIENT_ERROR a batch has 1000 messages at most (max_batch)'],
    ['mg q v B1001', 'CLIENT_ERROR a batch has 1000 messages at most (max_batch)'],
    ['get q/abort/batch=2', 'CLIENT_ERROR a batch goes with a plain read and with open'],
    ['get q/bury/open', 'CLIENT_ERROR bury goes with no other verb'],
  ])('%j is refused: %s', async (asked, answer) => {
    const client = server().connect();
    const replies = await client.ask(`${asked}\r\nme q\r\n`);
    expect(replies.split('\r\n')[0]).toBe(answer);
    expect(replies).toMatch(/\r\nEN\r\n$/);
  });

  test('of names that no line could hold go as JSON under base64', async () => {
    const client = server().connect();
    const name = Buffer.from('a b').toString('base64');
    const json = '{"dead_letter_queue":"tot–1","max_deliveries":2}';
    const bytes = Buffer.from(json);
    const asked = `ms ${name} ${bytes.length} MC b\r\n${bytes.toString('latin1')}\r\nma ${name} MC v b k\r\n`;
    const replies = await client.ask(asked);
    expect(replies).toMatch(/^HD\r\nVA \d+ kYSBi b\r\n/);
    const shown = JSON.parse(Buffer.from(replies.split('\r\n')[2]!, 'latin1').toString()) as unknown;
    expect(shown).toMatchObject({ dead_letter_queue: 'tot–1', max_deliveries: 2, max_items: null });
  });
});

import { describe, expect, test } from 'vitest';
import { drain, fill, hit, miss, says, server, set, stored } from './support.ts';

test.each([0, 1, 2, 4, 8, 16, 80, 768, 65_536, 4_294_967_295])(
  'flags %i come back as they went',
  async (flags) => {
    const client = server().connect();
    await says(client, [
      [set('q', 'a', flags), stored],
      ['get q\r\n', hit('q', 'a', flags)],
    ]);
  },
);

test('a body may hold anything: line ends, commands, every byte', async () => {
  const client = server().connect();
  const every = String.fromCharCode(...Array.from({ length: 256 }, (_, byte) => byte));
  for (const body of ['\r\n', 'flush_all\r\n', 'END\r\n', every]) {
    await says(client, [
      [set('q', body), stored],
      ['get q\r\n', hit('q', body)],
    ]);
  }
});

describe('expiry', () => {
  // The simulated clock starts at this second.
  const now = 1_800_000_000;
  const day = 24 * 3600;
  const table: [string, number, number][] = [
    ['a relative one', 60, 60],
    ['thirty days, still relative', 30 * day, 30 * day],
    ['Unix time', now + 100, 100],
  ];
  test.each(table)('%s', async (_, exptime, seconds) => {
    const { connect, jump } = server();
    const client = connect();
    await says(client, [[set('q', 'a', 0, exptime), stored]]);
    jump(seconds * 1000 - 1);
    expect(await client.ask('get q/peek\r\n')).toBe(hit('q/peek', 'a'));
    jump(1);
    expect(await client.ask('get q\r\n')).toBe(miss);
  });

  test('0 is never, a negative one is at once', async () => {
    const { connect, jump } = server();
    const client = connect();
    await says(client, [
      [set('q', 'gone', 0, -1), stored],
      [set('q', 'kept', 0, 0), stored],
    ]);
    jump(1000 * day * 1000);
    expect(await drain(client, 'q')).toEqual(['kept']);
  });

  test('Unix time that has passed is at once', async () => {
    const client = server().connect();
    await says(client, [
      [set('q', 'a', 0, now - 1), stored],
      ['get q\r\n', miss],
    ]);
  });

  test('in the dialect of Kestrel relative up to a million', async () => {
    for (const [exptime, seconds] of [
      [1_000_000, 1_000_000],
      [now + 7, 7],
    ] as const) {
      const { connect, jump } = server({ dialect: 'kestrel' });
      const client = connect();
      await says(client, [[set('q', 'a', 0, exptime), stored]]);
      jump(seconds * 1000 - 1);
      expect(await client.ask('get q/peek\r\n')).toBe(hit('q', 'a'));
      jump(1);
      expect(await client.ask('get q\r\n')).toBe(miss);
    }
    const client = server({ dialect: 'kestrel' }).connect();
    // Unix time of January 1970.
    await says(client, [
      [set('q', 'a', 0, 1_000_001), stored],
      ['get q\r\n', miss],
    ]);
  });

  test('a time beyond all reason is kept as long as can be', async () => {
    const { connect, defects } = server();
    const client = connect();
    await says(client, [
      [set('q', 'a', 0, 9_007_199_254_740_991), stored],
      ['get q\r\n', hit('q', 'a')],
    ]);
    expect(defects).toEqual([]);
  });
});

describe('several queues', () => {
  test('a+b puts into both', async () => {
    const client = server().connect();
    await says(client, [
      [set('a+b', 'x', 7), stored],
      ['get a\r\n', hit('a', 'x', 7)],
      ['get b\r\n', hit('b', 'x', 7)],
    ]);
  });

  test('named twice, once', async () => {
    const client = server().connect();
    await says(client, [[set('a+a', 'x'), stored]]);
    expect(await drain(client, 'a')).toEqual(['x']);
  });

  test('into all or into none', async () => {
    const client = server({ configuration: { queues: { b: { maxItems: 1 } } } }).connect();
    await fill(client, 'b', '1');
    await says(client, [[set('a+b', 'x'), 'SERVER_ERROR out of memory storing object\r\n']]);
    expect(await drain(client, 'a')).toEqual([]);
    expect(await drain(client, 'b')).toEqual(['1']);
  });

  test.each(['a+', '+a', 'a++b'])('%s has an empty name', async (name) => {
    const client = server().connect();
    expect(await client.ask(`${set(name, 'get a\r\n')}get a\r\n`)).toMatch(
      /^CLIENT_ERROR [^\r\n]+\r\nEND\r\n$/,
    );
  });
});

describe('aliases', () => {
  const options = { configuration: { aliases: { all: ['a', 'b'], two: ['a', 'two'] } } };
  test('a put to the alias goes to what it stands for', async () => {
    const client = server(options).connect();
    await says(client, [
      [set('all', 'x'), stored],
      ['get a\r\n', hit('a', 'x')],
      ['get b\r\n', hit('b', 'x')],
      ['get all\r\n', miss],
    ]);
  });
  test('an alias may name itself among others', async () => {
    const client = server(options).connect();
    await fill(client, 'two', 'x');
    expect(await drain(client, 'a')).toEqual(['x']);
    expect(await drain(client, 'two')).toEqual(['x']);
  });
  test('together with names, once each', async () => {
    const client = server(options).connect();
    await fill(client, 'all+a+c', 'x');
    for (const name of ['a', 'b', 'c']) expect(await drain(client, name)).toEqual(['x']);
  });
});

test('q/sync waits for the device', async () => {
  const made = server();
  const client = made.connect();
  let synced = (): void => undefined;
  made.store.sync = () =>
    new Promise((resolve) => {
      synced = resolve;
    });
  expect(await client.ask(`${set('q/sync', 'a')}version\r\n`)).toBe('');
  synced();
  expect(await client.ask('')).toBe(`${stored}VERSION 1.2.3\r\n`);
  expect(await drain(client, 'q')).toEqual(['a']);
});

test('so does every put to a queue whose setting says so', async () => {
  const made = server({ configuration: { queues: { q: { sync: 'always' } } } });
  let syncs = 0;
  made.store.sync = async () => {
    syncs += 1;
  };
  const client = made.connect();
  await fill(client, 'q', 'a');
  await fill(client, 'p+q', 'b');
  await fill(client, 'p', 'c');
  expect(syncs).toBe(2);
});

describe('noreply', () => {
  test('says nothing, and the next request is answered', async () => {
    const client = server().connect();
    expect(await client.ask(`${set('q', 'a', 0, 0, ' noreply')}get q\r\n`)).toBe(hit('q', 'a'));
  });
  test('says nothing of a refusal either', async () => {
    const client = server({
      configuration: { queues: { q: { maxItems: 0 }, s: { maxItemBytes: 1 } } },
    }).connect();
    const refused = ['q', 's', 'x/open'].map((name) => set(name, 'aa', 0, 0, ' noreply')).join('');
    expect(await client.ask(`${refused}version\r\n`)).toBe('VERSION 1.2.3\r\n');
  });
  test('of delete, touch, incr, flush_all and verbosity', async () => {
    const client = server().connect();
    const quiet = [
      'delete q',
      'touch q 0',
      'incr q 1',
      'decr q 1',
      'flush_all',
      'flush_all 0',
      'verbosity 1',
    ];
    expect(await client.ask(`${quiet.map((line) => `${line} noreply\r\n`).join('')}version\r\n`)).toBe(
      'VERSION 1.2.3\r\n',
    );
  });
  test('of q/sync', async () => {
    const client = server().connect();
    expect(await client.ask(`${set('q/sync', 'a', 0, 0, ' noreply')}get q\r\n`)).toBe(hit('q', 'a'));
  });
});

describe('the body of a refused put is swallowed', () => {
  const bad = /^(CLIENT|SERVER)_ERROR [^\r\n]+\r\nVERSION 1\.2\.3\r\n$/;
  test.each([
    ['too large for the server', set('q', 'x'.repeat(2000))],
    ['a key that is too long', set('k'.repeat(251), 'flush_all\r\n')],
    ['a name that ends in an option', set('q/open', 'flush_all\r\n')],
    ['flags that are none', 'set q x 0 9\r\nflush_all\r\n'],
  ])('%s', async (_, bytes) => {
    const client = server({ maxBodyBytes: 1000 }).connect();
    await fill(client, 'kept', 'a');
    expect(await client.ask(`${bytes}version\r\n`)).toMatch(bad);
    expect(await drain(client, 'kept')).toEqual(['a']);
  });

  test('and a body longer or shorter than announced wedges nothing', async () => {
    const client = server().connect();
    await says(client, [
      ['set q 0 0 1\r\nabc\r\n', 'CLIENT_ERROR bad data chunk\r\n'],
      ['set q 0 0 5\r\nabc\r\nxx\r\n', 'CLIENT_ERROR bad data chunk\r\n'],
      [set('q', 'a'), stored],
      ['get q\r\n', hit('q', 'a')],
      ['get q\r\n', miss],
    ]);
  });
});

describe('memcached’s other verbs', () => {
  test('add wants an empty queue, replace one that is not', async () => {
    const client = server().connect();
    await says(client, [
      ['replace q 0 0 1\r\na\r\n', 'NOT_STORED\r\n'],
      ['add q 0 0 1\r\na\r\n', stored],
      ['add q 0 0 1\r\nb\r\n', 'NOT_STORED\r\n'],
      ['replace q 0 0 1\r\nc\r\n', stored],
    ]);
    expect(await drain(client, 'q')).toEqual(['a', 'c']);
  });
  test('a message never changes: append, prepend, cas, incr, decr', async () => {
    const client = server().connect();
    await says(client, [
      ['cas q 0 0 1 1\r\na\r\n', 'NOT_FOUND\r\n'],
      ['incr q 1\r\n', 'NOT_FOUND\r\n'],
      [set('q', '1'), stored],
      ['append q 0 0 1\r\na\r\n', 'NOT_STORED\r\n'],
      ['prepend q 0 0 1\r\na\r\n', 'NOT_STORED\r\n'],
      ['cas q 0 0 1 1\r\na\r\n', 'EXISTS\r\n'],
      ['incr q 1\r\n', 'CLIENT_ERROR cannot increment or decrement non-numeric value\r\n'],
      ['decr q 1\r\n', 'CLIENT_ERROR cannot increment or decrement non-numeric value\r\n'],
      ['get q\r\n', hit('q', '1')],
    ]);
  });
  test('memcexist asks by add', async () => {
    const client = server().connect();
    await fill(client, 'k', 'a');
    expect(await client.ask('add k 0 2678400 0\r\n\r\n')).toBe('NOT_STORED\r\n');
  });
});

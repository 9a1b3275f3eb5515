import { expect, test } from 'vitest';
import { fill, says, server, set } from '../behaviour/support.ts';
import { guarded, login } from './support.ts';

const users = {
  reader: ['read:jobs*'],
  writer: ['write:jobs', 'write:dead'],
  chief: ['all:*'],
  nobody: [],
};

function guardedServer(
  options: { triesMax?: number; timeoutMs?: number; aliases?: Record<string, string[]> } = {},
) {
  const guard = guarded(users, options);
  const made = server({
    access: guard.access,
    configuration: { aliases: options.aliases ?? {} },
  });
  const connect = async (name: keyof typeof users) => {
    const client = made.connect();
    expect(await client.ask(login(name, guard.tokens[name]!))).toBe('STORED\r\n');
    return client;
  };
  return { ...made, guard, as: connect };
}

test('before it has said who it is a client gets the version and nothing else', async () => {
  const { connect } = guardedServer();
  const client = connect();
  await says(client, [
    ['version\r\n', 'VERSION 1.2.3\r\n'],
    ['get jobs\r\n', 'CLIENT_ERROR unauthenticated\r\n'],
    ['add jobs 0 0 1\r\nx\r\n', 'CLIENT_ERROR unauthenticated\r\n'],
    ['stats\r\n', 'CLIENT_ERROR unauthenticated\r\n'],
    ['flush_all\r\n', 'CLIENT_ERROR unauthenticated\r\n'],
    ['mn\r\n', 'CLIENT_ERROR unauthenticated\r\n'],
    ['mg jobs v\r\n', 'CLIENT_ERROR unauthenticated\r\n'],
    ['shutdown\r\n', 'CLIENT_ERROR unauthenticated\r\n'],
  ]);
  expect(await client.ask('quit\r\n')).toBe('');
  expect(client.ended).toBe(true);
});

test('a token lets in, and what is sent behind it in one packet is carried out', async () => {
  const { connect, guard } = guardedServer();
  const client = connect();
  const all = `${login('chief', guard.tokens.chief!)}${set('jobs', 'a')}get jobs\r\n`;
  expect(await client.ask(all)).toBe('STORED\r\nSTORED\r\nVALUE jobs 0 1\r\na\r\nEND\r\n');
});

test('a wrong token is an authentication failure, and the third ends the connection', async () => {
  const { connect, guard } = guardedServer();
  const client = connect();
  const wrong = login('chief', guard.tokens.reader!);
  await says(client, [
    [wrong, 'CLIENT_ERROR authentication failure\r\n'],
    [login('stranger', guard.tokens.chief!), 'CLIENT_ERROR authentication failure\r\n'],
    ['set any 0 0 5\r\nchief\r\n', 'CLIENT_ERROR bad authentication token format\r\n'],
  ]);
  expect(client.ended).toBe(false);
  expect(await client.ask(wrong)).toBe('CLIENT_ERROR authentication failure\r\n');
  expect(client.ended).toBe(true);
  expect(guard.access.counters).toEqual({ succeeded: 0, failed: 3, forbidden: 0 });
});

test('who says nothing for ten seconds is let go, and who has come in stays', async () => {
  const { connect, as, advance } = guardedServer();
  const silent = connect();
  const user = await as('chief');
  await advance(10_001);
  expect(await silent.ask('')).toBe('');
  expect(silent.ended).toBe(true);
  expect(await user.ask('version\r\n')).toBe('VERSION 1.2.3\r\n');
});

test('a stranger’s body is no larger than a token needs', async () => {
  const { connect } = guardedServer();
  const client = connect();
  expect(await client.ask(set('any', 'x'.repeat(2000)))).toBe('CLIENT_ERROR unauthenticated\r\n');
});

test('whoever is in may send bodies as large as ever', async () => {
  const { as } = guardedServer();
  const client = await as('writer');
  expect(await client.ask(set('jobs', 'x'.repeat(100_000)))).toBe('STORED\r\n');
});

test('a reader reads his queues and their fanout children, and nothing of others', async () => {
  const { as } = guardedServer();
  const chief = await as('chief');
  await fill(chief, 'jobs', 'a');
  await fill(chief, 'other', 'b');
  const reader = await as('reader');
  await says(reader, [
    ['get jobs+child\r\n', 'END\r\n'],
    ['get jobs\r\n', 'VALUE jobs 0 1\r\na\r\nEND\r\n'],
    ['get other\r\n', 'CLIENT_ERROR forbidden: no right to read this queue\r\n'],
    ['get other/peek\r\n', 'CLIENT_ERROR forbidden: no right to read this queue\r\n'],
    ['get other/cursor=c\r\n', 'CLIENT_ERROR forbidden: no right to read this queue\r\n'],
    [set('jobs', 'x'), 'CLIENT_ERROR forbidden: no right to write this queue\r\n'],
    ['delete jobs\r\n', 'CLIENT_ERROR forbidden: no right to manage this queue\r\n'],
  ]);
});

test('a put to several queues wants the right to each, and an alias stands for what is behind it', async () => {
  const { as, broker } = guardedServer({ aliases: { jobs: ['jobs', 'secret'], both: ['dead'] } });
  const writer = await as('writer');
  const refused = 'CLIENT_ERROR forbidden: no right to write this queue\r\n';
  await says(writer, [
    [set('dead+secret', 'x'), refused],
    [set('jobs', 'x'), refused],
    [set('both', 'x'), 'STORED\r\n'],
    [set('dead+both', 'x'), 'STORED\r\n'],
  ]);
  expect([...broker.registry.queues.keys()]).toEqual(['dead']);
});

test('a manager sends messages only where he may write', async () => {
  const guard = guarded({ manager: ['manage:jobs*', 'write:jobs*'], chief: ['all:*'] });
  const { connect } = server({ access: guard.access });
  const chief = connect();
  await chief.ask(login('chief', guard.tokens.chief!));
  await says(chief, [
    [set('jobs', 'a'), 'STORED\r\n'],
    [set('other', 'b'), 'STORED\r\n'],
    ['settings jobs dead_letter_queue=jobs-dead\r\n', 'END\r\n'],
    ['settings other dead_letter_queue=jobs-dead\r\n', 'END\r\n'],
    ['get jobs/open\r\n', 'VALUE jobs/open 0 1\r\na\r\nEND\r\n'],
    ['get other/open\r\n', 'VALUE other/open 0 1\r\nb\r\nEND\r\n'],
    ['get jobs/bury\r\n', 'END\r\n'],
    ['get other/bury\r\n', 'END\r\n'],
  ]);
  const manager = connect();
  await manager.ask(login('manager', guard.tokens.manager!));
  const refused = 'CLIENT_ERROR forbidden: no right to write this queue\r\n';
  await says(manager, [
    ['settings jobs dead_letter_queue=other\r\n', refused],
    ['settings jobs expire_to_queue=other\r\n', refused],
    ['ms jobs 29 MC\r\n{"dead_letter_queue":"other"}\r\n', refused],
    ['settings jobs dead_letter_queue=jobs-bad\r\n', 'END\r\n'],
    ['redrive jobs 10 other\r\n', refused],
    ['redrive other 10 jobs\r\n', 'CLIENT_ERROR forbidden: no right to manage this queue\r\n'],
    // Of the two dead letters only one may go back to where it came from.
    ['redrive jobs-dead 10\r\n', '1\r\n'],
  ]);
  await says(chief, [
    ['get jobs\r\n', 'VALUE jobs 0 1\r\na\r\nEND\r\n'],
    ['get jobs-dead\r\n', 'VALUE jobs-dead 0 1\r\nb\r\nEND\r\n'],
  ]);
});

test('statistics tell of the queues that somebody has a right to', async () => {
  const { as } = guardedServer();
  const chief = await as('chief');
  await fill(chief, 'jobs', 'a');
  await fill(chief, 'other', 'b');
  const reader = await as('reader');
  for (const asked of ['stats\r\n', 'dump_stats\r\n', 'dump_stats jobs other\r\n']) {
    const told = await reader.ask(asked);
    expect(told).toContain('jobs');
    expect(told).not.toContain('other');
  }
  expect(await reader.ask('me other\r\n')).toBe('EN\r\n');
  expect(await chief.ask('stats\r\n')).toContain('queue_other_items');
});

test('who has no rights is refused by every command that concerns a queue or the server', async () => {
  const { as, guard } = guardedServer();
  const chief = await as('chief');
  await fill(chief, 'q', 'a');
  const nobody = await as('nobody');
  const commands = [
    ...['get q', 'gets q', 'gat 0 q', 'get q/open', 'get q/close', 'get q/abort', 'get q/bury', 'get q/t=10'],
    ...['delete q', 'touch q 0', 'incr q 1', 'decr q 1', 'flush q', 'flush_expired q', 'pause q', 'resume q'],
    ...['redrive q 1', 'redrive q 1 p', 'settings q', 'settings q max_items=1', 'monitor q 0', 'confirm q 1'],
    ...['flush_all', 'flush_all_expired', 'dump_config', 'reload', 'status readonly'],
    ...['set q 0 0 1\r\nx', 'add q 0 0 1\r\nx', 'replace q 0 0 1\r\nx', 'append q 0 0 1\r\nx'],
    ...['prepend q 0 0 1\r\nx', 'cas q 0 0 1 1\r\nx', 'ms q 1\r\nx', 'ms q 1 ME\r\nx', 'ms q 2 MC\r\n{}'],
    ...['mg q', 'mg q v', 'mg q/open v', 'md q', 'md q C1', 'md q B1', 'ma q', 'ma q MD', 'ma q MA'],
    ...['ma q MB', 'ma q MT', 'ma q MP', 'ma q MR', 'ma q MV B1', 'ma q MV B1 Kp', 'ma q MF'],
  ];
  for (const command of commands) {
    expect([command, await nobody.ask(`${command}\r\n`)]).toEqual([
      command,
      expect.stringMatching(/^CLIENT_ERROR forbidden: .*\r\n$/),
    ]);
  }
  expect(await nobody.ask('ma q MC v\r\n')).toBe('NF\r\n');
  expect(guard.access.counters.forbidden).toBe(commands.length);
  expect(await chief.ask('get q\r\n')).toBe('VALUE q 0 1\r\na\r\nEND\r\n');
});

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Random, temporaryFolder } from '@rookery/testkit';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { kestrelQueues, replayKestrel } from '../../src/cli/import/kestrel.ts';
import { replayStarling } from '../../src/cli/import/starling.ts';
import { connect, type QueueClient } from '../../src/client/index.ts';
import { startQueue } from '../queue-process.ts';
import { type CommandServer, commandServer, jsonLines } from './queue-command.ts';

// The journals are written here from the description of their formats.

vi.setConfig({ testTimeout: 180_000 });

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};
const i64 = (value: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt(value));
  return bytes;
};
const op = (code: number, ...rest: Buffer[]): Buffer => Buffer.concat([Buffer.from([code]), ...rest]);
const block = (...parts: Buffer[]): Buffer => {
  const content = Buffer.concat(parts);
  return Buffer.concat([u32(content.length), content]);
};

const starling = {
  push: (body: string, expiry = 0): Buffer => op(0, block(u32(expiry), Buffer.from(body))),
  pop: op(1),
};
const kestrel = {
  add: (body: string, expiry = 0): Buffer => op(0, block(u32(expiry), Buffer.from(body))),
  remove: op(1),
  addx: (body: string, expiryMs = 0): Buffer =>
    op(2, block(i64(1_700_000_000_000), i64(expiryMs), Buffer.from(body))),
  removeTentative: op(3),
  saveXid: (xid: number): Buffer => op(4, u32(xid)),
  unremove: (xid: number): Buffer => op(5, u32(xid)),
  confirmRemove: (xid: number): Buffer => op(6, u32(xid)),
  addXid: (xid: number, body: string): Buffer => op(7, u32(xid), block(i64(0), i64(0), Buffer.from(body))),
  continue: (xid: number, body: string): Buffer => op(8, u32(xid), block(i64(0), i64(0), Buffer.from(body))),
  removeTentativeXid: (xid: number): Buffer => op(9, u32(xid)),
};

const folder = await temporaryFolder();
let server: CommandServer;
let client: QueueClient;
let directory: string;
let number = 0;

beforeAll(async () => {
  server = await commandServer(join(folder.path, 'data'));
  client = await connect(server.address);
});
afterAll(async () => {
  await client.close();
  await server[Symbol.asyncDispose]();
  await folder.remove();
});
beforeEach(async () => {
  directory = join(folder.path, `journals${number++}`);
  await mkdir(directory);
});

const write = (name: string, ...records: Buffer[]): Promise<void> =>
  writeFile(join(directory, name), Buffer.concat(records));
const texts = async (name: string): Promise<string[]> =>
  (await client.queue(name).getBatch(100)).map(({ text }) => text);

test('Starling’s queues come with what was not consumed, in order, without what has expired', async () => {
  const hour = Math.floor(Date.now() / 1000) + 3600;
  await write(
    's.jobs',
    starling.push('gone'),
    starling.push('a'),
    starling.pop,
    starling.push('', hour),
    starling.push('old', 5),
  );
  await write('s.torn', starling.push('whole'), starling.push('half a record').subarray(0, 12));
  await write('s.empty', starling.push('x'), starling.pop);
  // It was being rotated: all of it had been consumed.
  await write('s.jobs.1700000000', starling.push('rotated'));
  const { code, stdout, stderr } = await server.run(['import', 'starling', directory]);
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toBe(
    's.empty: 0 messages\ns.jobs: 2 messages; 1 left out: expired\ns.torn: 1 messages; the last 12 B left out: cut off in the middle of a write\n',
  );
  const [first, second] = [await client.queue('s.jobs').get(), await client.queue('s.jobs').get()];
  expect([first!.text, first!.expiresInSeconds, second!.text]).toEqual(['a', undefined, '']);
  expect(second!.expiresInSeconds).toBeGreaterThan(3500);
  expect(await texts('s.torn')).toEqual(['whole']);
});

test('a Starling journal that stops making sense gives what is before, and says where; the exit code is 1', async () => {
  await write('s.bad', starling.push('whole'), Buffer.from([7, 7, 7]), starling.push('lost'));
  const { code, stdout } = await server.run(['import', 'starling', directory, '--json']);
  expect(code).toBe(1);
  expect(jsonLines(stdout)).toEqual([
    {
      queue: 's.bad',
      messages: 1,
      returned: 0,
      expired: 0,
      torn_bytes: 0,
      damaged: { file: join(directory, 's.bad'), position: 14 },
    },
  ]);
  expect(await texts('s.bad')).toEqual(['whole']);
});

test('Kestrel’s queues come with what was open, first and in its order, over all their files', async () => {
  // Packed: stands for all before it, which were still to be deleted.
  await write('k_jobs.50', kestrel.addx('before the pack'));
  await write('k_jobs.100.pack', kestrel.addx('gone'), kestrel.addx('one'));
  await write('k_jobs.200', kestrel.remove, kestrel.add('two'), kestrel.addx('three'), kestrel.saveXid(10));
  await write(
    'k_jobs',
    ...[kestrel.removeTentative, kestrel.removeTentativeXid(40), kestrel.removeTentative],
    ...[kestrel.unremove(41), kestrel.addx('four'), kestrel.addx('five'), kestrel.addx('due', 1)],
    ...[kestrel.removeTentativeXid(50), kestrel.removeTentativeXid(51), kestrel.confirmRemove(51)],
    ...[kestrel.removeTentativeXid(52), kestrel.continue(52, 'six'), kestrel.addx('torn').subarray(0, 20)],
  );
  await write('k_jobs~~300', kestrel.addx('a rewrite that did not end'));
  const { code, stdout } = await server.run(['import', 'kestrel', directory, '--json']);
  expect(code).toBe(0);
  expect(jsonLines(stdout)).toMatchObject([
    { queue: 'k_jobs', messages: 4, returned: 3, expired: 1, torn_bytes: 20, damaged: null },
  ]);
  expect(await texts('k_jobs')).toEqual(['one', 'two', 'three', 'six']);
});

test('Kestrel’s rewritten journals: the open ones are written with their numbers, before the queue', async () => {
  await write(
    'k_rewritten',
    ...[kestrel.addXid(7, 'a'), kestrel.removeTentative, kestrel.addXid(9, 'b'), kestrel.removeTentative],
    ...[kestrel.saveXid(9), kestrel.addx('c'), kestrel.confirmRemove(7), kestrel.unremove(9), kestrel.remove],
    ...[kestrel.removeTentative],
  );
  const replayed = await replayKestrel([join(directory, 'k_rewritten')]);
  expect([replayed.messages.length, replayed.returned]).toEqual([1, 1]);
});

test('a fanout child of Kestrel’s gets what is its own, and goes on getting what its parent gets', async () => {
  await write('k_orders', kestrel.addx('a'));
  await write('k_orders+audit', kestrel.addx('x'), kestrel.addx('y'));
  expect((await server.run(['import', 'kestrel', directory])).stdout).toBe(
    'k_orders: 1 messages\nk_orders+audit: 2 messages\n',
  );
  await client.queue('k_orders').put('b');
  expect(await texts('k_orders')).toEqual(['a', 'b']);
  expect(await texts('k_orders+audit')).toEqual(['x', 'y', 'b']);
  expect((await client.queues()).filter(({ name }) => name.endsWith('-import'))).toEqual([]);
});

test('into the data folder of a server that does not run', async () => {
  await write('jobs', ...Array.from({ length: 3000 }, (_, index) => starling.push(`job ${index}`)));
  const data = join(folder.path, 'offline');
  const { code, stdout } = await server.run(['import', 'starling', directory, '--data', data]);
  expect([code, stdout]).toEqual([0, 'jobs: 3000 messages\n']);
  const started = await startQueue({ dataDirectory: data });
  const other = await connect(started);
  const found = [];
  const jobs = other.queue('jobs');
  for (let batch = await jobs.getBatch(1000); batch.length > 0; batch = await jobs.getBatch(1000))
    found.push(...batch);
  expect(found.map(({ text }) => text)).toEqual(Array.from({ length: 3000 }, (_, index) => `job ${index}`));
  await other.close();
  expect(await started.stop()).toBe(0);
});

test('a folder that is none, or empty, is told', async () => {
  for (const wrong of [directory, join(directory, 'none')]) {
    const { code, stdout, stderr } = await server.run(['import', 'kestrel', wrong]);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(wrong);
  }
  expect((await server.run(['import', 'darner', directory])).code).toBe(2);
});

test('a journal cut at any byte gives a beginning of what was written, and never anything else', async () => {
  const random = new Random(1, 'journals');
  for (let seed = 0; seed < 30; seed++) {
    const bodies = Array.from({ length: 6 }, (_, index) => `${index}${'x'.repeat(random.below(40))}`);
    const whole = {
      starling: Buffer.concat(bodies.map((body) => starling.push(body))),
      kestrel: Buffer.concat(bodies.map((body) => kestrel.addx(body))),
    };
    for (const kind of ['starling', 'kestrel'] as const) {
      const path = join(directory, kind);
      const cut = random.below(whole[kind].length + 1);
      await writeFile(path, whole[kind].subarray(0, cut));
      const { messages, tornBytes, damaged } = await (kind === 'starling' ? replayStarling : replayKestrel)([
        path,
      ]);
      expect(damaged).toBeUndefined();
      expect(messages.map(({ length }) => length)).toEqual(
        bodies.slice(0, messages.length).map(({ length }) => length),
      );
      const kept = messages.reduce((sum, { length }) => sum + length + (kind === 'starling' ? 9 : 21), 0);
      expect(kept + tornBytes).toBe(cut);
    }
  }
});

test('Kestrel’s files of several queues are told apart by their names', () => {
  const names = ['/d/a', '/d/a.2', '/d/a.10', '/d/b+c.5', '/d/b+c', '/d/x~~1'];
  expect([...kestrelQueues(names)]).toEqual([
    ['a', ['/d/a.2', '/d/a.10', '/d/a']],
    ['b+c', ['/d/b+c.5', '/d/b+c']],
  ]);
});

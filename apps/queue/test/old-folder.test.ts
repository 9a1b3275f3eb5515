import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { temporaryFolder } from '@rookery/testkit';
import { expect, test } from 'vitest';
import { startQueue } from './queue-process.ts';
import { connectText, type Received, type TextClient } from './text-client.ts';

// A folder as the release before messages had priorities, delays and ids wrote it (commit b3a9eb6), segments of 64 KiB:
// 300 messages put into `jobs`, 100 of them read and one held open when it stopped; `events` with a child and a cursor
// that has read the first of two; a queue that was deleted.
const fixture = fileURLToPath(new URL('./fixtures/folder-0.1/', import.meta.url));

test('a folder of the release before opens with all that waited in it, and takes what is new', async () => {
  await using folder = await temporaryFolder();
  const segments = join(folder.path, 'log', 'segments');
  await mkdir(segments, { recursive: true });
  for (const name of await readdir(fixture)) {
    await writeFile(join(segments, name.slice(0, -3)), gunzipSync(await readFile(join(fixture, name))));
  }
  const options = {
    dataDirectory: folder.path,
    flags: ['--segment-bytes', '64KiB', '--max-body-bytes', '16KiB', '--sync', '1000'],
  };
  let server = await startQueue(options);
  let client = await connectText(server.port);
  const expected = (number: number) => ({ flags: number, body: `message ${number} ${'x'.repeat(300)}` });
  expect(await hundred(client)).toMatchObject(Array.from({ length: 100 }, (_, at) => expected(101 + at)));
  expect(await client.values('get events/cursor=reader\r\n')).toMatchObject([{ body: 'second' }]);
  const events = [await client.values('get events\r\n'), await client.values('get events\r\n')].flat();
  expect(events).toMatchObject([{ flags: 7, body: 'first' }, { body: 'second' }]);
  const copies = [await client.values('get events+audit\r\n'), await client.values('get events+audit\r\n')];
  expect(copies.flat().map(({ body }) => body)).toEqual(['first', 'second']);
  expect(await client.values('get gone\r\n')).toEqual([]);
  expect(await client.line('set jobs/priority=0/id=new 0 0 6\r\nurgent\r\n')).toBe('STORED');
  expect(await server.stop()).toBe(0);

  server = await startQueue(options);
  client = await connectText(server.port);
  expect(await client.values('get jobs\r\n')).toMatchObject([{ body: 'urgent' }]);
  expect(await hundred(client)).toMatchObject(Array.from({ length: 100 }, (_, at) => expected(201 + at)));
  expect(await client.values('get jobs\r\n')).toEqual([]);
  expect(await server.stop()).toBe(0);
});

async function hundred(client: TextClient): Promise<Received[]> {
  return (await Promise.all(Array.from({ length: 100 }, () => client.values('get jobs\r\n')))).flat();
}

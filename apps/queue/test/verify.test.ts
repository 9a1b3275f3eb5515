import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type RunningProcess, startProcess, temporaryFolder } from '@rookery/testkit';
import { expect, test } from 'vitest';
import { queueCommand, startQueue } from './queue-process.ts';
import { connectText } from './text-client.ts';

async function command(...args: string[]): Promise<RunningProcess> {
  const running = await startProcess(queueCommand(...args));
  await running.waitForExit();
  return running;
}

test('verify finds one flipped bit, which costs one message, told and set aside, and no other', async () => {
  await using folder = await temporaryFolder();
  let server = await startQueue({ dataDirectory: folder.path });
  let client = await connectText(server.port);
  for (let number = 100; number < 200; number += 1) {
    await client.line(`set q 0 0 12\r\nmessage ${number}!\r\n`);
  }
  const busy = await command('verify', folder.path);
  expect(busy.exit?.code).toBe(1);
  expect(busy.stderr).toMatch(/in use|another/i);
  expect(await server.stop()).toBe(0);

  const whole = await command('verify', folder.path, '--json');
  expect(whole.exit?.code).toBe(0);
  expect(JSON.parse(whole.stdout)).toMatchObject({
    whole: true,
    queues: [{ name: 'q', messages_on_disk: 100 }],
    damaged: [],
  });

  const segments = join(folder.path, 'log', 'segments');
  for (const name of await readdir(segments)) {
    const bytes = await readFile(join(segments, name));
    const at = bytes.indexOf('message 150!');
    if (at < 0) continue;
    bytes[at + 3]! ^= 0x10;
    await writeFile(join(segments, name), bytes);
  }
  const damaged = await command('verify', folder.path);
  expect(damaged.exit?.code).toBe(1);
  expect(damaged.stdout).toMatch(/^damaged: records, segment \d+ at \d+, \d+/m);

  server = await startQueue({ dataDirectory: folder.path });
  client = await connectText(server.port);
  const found: string[] = [];
  for (;;) {
    const [message] = await client.values('get q\r\n');
    if (message === undefined) break;
    found.push(message.body);
  }
  const expected = Array.from({ length: 100 }, (_, index) => `message ${100 + index}!`);
  expect(found).toEqual(expected.filter((body) => body !== 'message 150!'));
  expect(server.process.output).toContain('damaged bytes set aside');
  const metrics = await (await fetch(`${server.adminUrl}/metrics`)).text();
  expect(metrics).toMatch(/^rookery_queue_log_damaged_records_total 1$/m);
  expect(await readdir(join(folder.path, 'log', 'quarantine'))).toHaveLength(1);
  expect(await server.stop()).toBe(0);
});

test('verify of a folder without a log says so and exits with 2', async () => {
  await using folder = await temporaryFolder();
  const none = await command('verify', folder.path);
  expect(none.exit?.code).toBe(2);
  expect(none.stderr).toContain('holds no log');
});

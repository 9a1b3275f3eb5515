import { execFileSync } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TemporaryFolder, temporaryFolder, waitFor } from '@rookery/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startQueue } from './queue-process.ts';
import { connectText } from './text-client.ts';

// A real file system that is really full: a tmpfs of 48 MiB.

let folder: TemporaryFolder;
let small: string;
let whyNot: string | undefined;

beforeAll(async () => {
  folder = await temporaryFolder();
  small = join(folder.path, 'small');
  await mkdir(small);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=48m', 'tmpfs', small], { stdio: 'pipe' });
  } catch (error) {
    whyNot = `no small file system can be mounted here: ${(error as Error).message.split('\n').at(-1)}`;
  }
});

afterAll(async () => {
  if (whyNot === undefined) execFileSync('umount', ['--lazy', small]);
  await folder.remove();
});

test('on a full disk puts are refused, reads and closes go on, and puts resume by themselves when there is room', async (context) => {
  if (whyNot !== undefined) context.skip(whyNot);
  const flags = ['--max-body-bytes', '64KiB', '--segment-bytes', '1MiB', '--reserve-bytes', '12MiB'];
  const server = await startQueue({ dataDirectory: join(small, 'data'), flags });
  try {
    const client = await connectText(server.port);
    const body = 'x'.repeat(50_000);
    let stored = 0;
    let refusal = '';
    while (refusal === '' && stored < 5000) {
      try {
        expect(
          await client.line(`set q 0 0 ${body.length + 6}\r\n${String(stored).padStart(6, '0')}${body}\r\n`),
        ).toBe('STORED');
        stored += 1;
      } catch (error) {
        refusal = (error as Error).message;
      }
    }
    expect(refusal).toMatch(/SERVER_ERROR|out of disk space/);
    expect(stored).toBeGreaterThan(300);
    // Another program takes what is left.
    await writeFile(join(small, 'filler'), Buffer.alloc(64 * 1024 * 1024)).catch(() => undefined);

    let read = 0;
    for (; read < 50; read += 1) {
      const [message] = await client.values('get q/close/open\r\n');
      expect(message?.body.slice(0, 6)).toBe(String(read).padStart(6, '0'));
    }
    expect(await client.line('get q/close\r\n')).toBe('END');
    await expect(client.line('set q 0 0 1\r\nx\r\n')).rejects.toThrow(/out of disk space/);

    await rm(join(small, 'filler'), { force: true });
    for (; read < stored - 100; read += 1) await client.values('get q\r\n');
    await waitFor(
      async () => {
        try {
          return (await client.line('set q 0 0 4\r\nlast\r\n')) === 'STORED';
        } catch {
          return false;
        }
      },
      { what: 'puts to be accepted again', withinMs: 15_000 },
    );

    await server.kill();
    const again = await startQueue({ dataDirectory: join(small, 'data'), flags });
    const reader = await connectText(again.port);
    for (; read < stored; read += 1) {
      const [message] = await reader.values('get q\r\n');
      expect(message?.body.slice(0, 6)).toBe(String(read).padStart(6, '0'));
    }
    expect((await reader.values('get q\r\n'))[0]?.body).toBe('last');
    expect(await reader.values('get q\r\n')).toEqual([]);
    await again.kill();
  } finally {
    await server.kill();
  }
}, 120_000);

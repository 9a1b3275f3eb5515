import { execFileSync } from 'node:child_process';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
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

/** Another program takes all that is left. */
function fill(path: string): void {
  const file = openSync(path, 'w');
  try {
    for (let size = 256 * 1024; size >= 4096; size /= 2) {
      try {
        for (;;) writeSync(file, Buffer.alloc(size));
      } catch {
        // It no longer fits; a smaller piece may.
      }
    }
  } finally {
    closeSync(file);
  }
}

test('on a full disk puts are refused, reads and closes go on, and puts resume by themselves when there is room', async (context) => {
  if (whyNot !== undefined) context.skip(whyNot);
  // A segment is larger than what is read while the disk is full, so that reading frees nothing.
  const flags = ['--max-body-bytes', '64KiB', '--segment-bytes', '8MiB', '--reserve-bytes', '12MiB'];
  const server = await startQueue({ dataDirectory: join(small, 'data'), flags });
  try {
    const client = await connectText(server.port);
    const body = 'x'.repeat(50_000);
    const put = (number: number): Promise<string> =>
      client.line(`set q 0 0 ${body.length + 6}\r\n${String(number).padStart(6, '0')}${body}\r\n`);
    let stored = 0;
    for (; stored < 200; stored += 1) expect(await put(stored)).toBe('STORED');
    fill(join(small, 'filler'));
    let refusal = '';
    while (refusal === '' && stored < 1000) {
      try {
        expect(await put(stored)).toBe('STORED');
        stored += 1;
      } catch (error) {
        refusal = (error as Error).message;
      }
    }
    expect(refusal).toMatch(/out of disk space/);

    let read = 0;
    for (; read < 50; read += 1) {
      const [message] = await client.values('get q/close/open\r\n');
      expect(message?.body.slice(0, 6)).toBe(String(read).padStart(6, '0'));
    }
    expect(await client.line('get q/close\r\n')).toBe('END');
    await expect(client.line('set q 0 0 1\r\nx\r\n')).rejects.toThrow(/out of disk space/);

    rmSync(join(small, 'filler'));
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

import { execFileSync } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '@rookery/testkit';
import { expect, test } from 'vitest';
import { nodeDisk } from '../disk/node-disk.ts';
import { openLog } from './open.ts';
import type { LogEvent } from './types.ts';

const MIB = 2 ** 20;
const NONE = new Uint8Array(0);

test('a real file system that fills up is survived, and its room used again', async (context) => {
  await using folder = await temporaryFolder();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', folder.path], { stdio: 'pipe' });
  } catch (error) {
    return context.skip(`a small file system could not be mounted: ${(error as Error).message.trim()}`);
  }
  try {
    const events: LogEvent[] = [];
    const options = {
      disk: nodeDisk,
      directory: join(folder.path, 'log'),
      sync: 'always',
      segmentBytes: MIB,
      maxPayloadBytes: 64 * 1024,
      backlogBytes: 256 * 1024,
      reserveBytes: MIB,
      onEvent: (event: LogEvent) => events.push(event),
    } as const;
    const log = await openLog(options);
    const stream = log.createStream('work');
    // Somebody else's file takes most of the room.
    const other = join(folder.path, 'other');
    await writeFile(other, Buffer.alloc(4 * MIB));
    const body = Buffer.alloc(10_000, 'm');
    let taken = 0;
    await expect(async () => {
      for (;;) {
        stream.append(NONE, body, 0, body.length);
        taken++;
        await log.sync();
      }
    }).rejects.toMatchObject({ code: 'log-full' });
    await log.sync();
    expect(stream.liveCount).toBe(taken);
    const entries = await stream.read(0, { maxEntries: 50, maxBytes: MIB });
    for (const entry of entries) {
      expect(entry.end - entry.start).toBe(body.length);
      stream.acknowledge(entry);
    }
    await log.sync();
    expect(() => stream.append(NONE, body, 0, body.length)).toThrow(
      expect.objectContaining({ code: 'log-full' }),
    );

    await rm(other);
    await expect.poll(() => log.full, { timeout: 10_000 }).toBe(false);
    stream.append(NONE, body, 0, body.length);
    await log.sync();
    await log.close();
    expect(events.map((event) => event.type)).toContain('writable');
    const again = await openLog(options);
    expect(again.streams.get('work')!.liveCount).toBe(taken - entries.length + 1);
    await again.close();
  } finally {
    execFileSync('umount', [folder.path]);
  }
});

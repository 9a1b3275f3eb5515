import { Random, SimulatedClock, SimulatedDisk } from '@rookery/testkit';
import { expect, test } from 'vitest';
import { DiskError } from '../disk/disk.ts';
import { openLog } from './open.ts';
import type { Log, LogEvent } from './types.ts';

const NONE = new Uint8Array(0);
const BODY = Buffer.alloc(1000, 'm');
const SEGMENT = '/log/segments/0000000000000001.segment';

test.each(['ENOSPC', 'EIO'])(
  'damaged bytes that %s kept out of quarantine are put there at the next opening',
  async (code) => {
    const clock = new SimulatedClock();
    const disk = new SimulatedDisk({
      clock,
      random: new Random(1),
      shortWriteChance: 0,
      makeError: (code, message) => new DiskError(code, message),
    });
    const events: LogEvent[] = [];
    const open = (): Promise<Log> =>
      openLog({
        disk,
        clock: clock.life(),
        directory: '/log',
        sync: 'always',
        segmentBytes: 16_384,
        maxPayloadBytes: 1024,
        backlogBytes: 8192,
        reserveBytes: 16_384,
        onEvent: (event) => events.push(event),
      });
    const log = await clock.run(open());
    const stream = log.createStream('work');
    for (let i = 0; i < 3; i++) stream.append(NONE, BODY, 0, BODY.length);
    await clock.run(log.sync());
    await clock.run(log.close());
    disk.flip(SEGMENT, disk.contentOf(SEGMENT).indexOf(BODY) + 5, 1);

    const kept = () => disk.files().find((file) => file.path.includes('/quarantine/'));
    disk.inject({ operation: 'write', path: (path) => path.includes('/quarantine/'), code });
    const opened = await clock.run(open().catch(() => undefined));
    if (opened !== undefined) await clock.run(opened.close());
    expect(kept()?.bytes).toBeLessThan(BODY.length);
    const again = await clock.run(open());
    expect(events.findLast((event) => event.type === 'damaged')?.quarantinePath).toBe(kept()?.path);
    const bytes = disk.contentOf(kept()!.path);
    expect(bytes.length).toBeGreaterThan(BODY.length);
    expect(disk.contentOf(SEGMENT).includes(bytes)).toBe(true);
    await clock.run(again.close());
  },
);

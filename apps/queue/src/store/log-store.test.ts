import { DiskError, nodeDisk, type SyncMode } from '@rookery/storage';
import {
  Random,
  SimulatedClock,
  SimulatedDisk,
  type TemporaryFolder,
  temporaryFolder,
} from '@rookery/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { storeCompliance } from './compliance.ts';
import { openLogStore } from './log-store.ts';

let folder: TemporaryFolder;
let used = 0;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

/** Small, so that many stores can be made quickly; a segment is full after a few hundred messages. */
const sizes = {
  segmentBytes: 262_144,
  maxPayloadBytes: 2 * 1024 * 1024,
  backlogBytes: 1024 * 1024,
  reserveBytes: 6 * 1024 * 1024,
};
const modes: readonly SyncMode[] = ['always', { everyMs: 20 }, 'never'];

for (const sync of modes) {
  storeCompliance(`LogStore on files, sync ${JSON.stringify(sync)}`, async () => {
    used += 1;
    const options = { disk: nodeDisk, directory: `${folder.path}/${used}`, sync, ...sizes };
    const store = await openLogStore(options);
    return {
      store,
      async reopen() {
        await store.close();
        return openLogStore(options);
      },
    };
  });

  storeCompliance(`LogStore on a simulated disk, sync ${JSON.stringify(sync)}`, async () => {
    used += 1;
    const clock = new SimulatedClock();
    const disk = new SimulatedDisk({
      clock,
      random: new Random(used),
      shortWriteChance: 0.1,
      makeError: (code, message) => new DiskError(code, message),
    });
    let life = clock.life();
    const start = () => clock.run(openLogStore({ disk, directory: '/data', sync, ...sizes, clock: life }));
    const store = await start();
    return {
      store,
      settle: (promise) => clock.run(promise),
      async reopen() {
        await clock.run(store.close());
        return start();
      },
      crash() {
        disk.crash();
        life.end();
        life = clock.life();
        disk.restart();
        return start();
      },
    };
  });
}

test('a message that is read back before its put is committed waits for that, as one just put does', async () => {
  const store = await openLogStore({
    disk: nodeDisk,
    directory: `${folder.path}/waits`,
    sync: 'always',
    ...sizes,
  });
  const { main } = store.createQueue('q', '');
  const put = main.append({ flags: 0, addedAt: 1, expiresAt: 0 }, Buffer.from('a'), 0, 1);
  // It stands in the buffer for the next write, so no turn of the event loop passes.
  const [read] = await main.read(0, 1, 1000);
  expect(store.committedPosition).toBeLessThan(put.position);
  expect(read!.position).toBe(put.position);
  await store.close();
});

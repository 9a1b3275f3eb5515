import { temporaryFolder } from '@rookery/testkit';
import { expect, it } from 'vitest';
import { openPublisher } from '../../src/spool/index.ts';

const MIB = 1024 * 1024;
/** Nobody listens there: all that is published waits. */
const NOWHERE = 'ws://127.0.0.1:1';

it('calls that wait for the disk are kept one after the other, however many wait; those without room are refused', async () => {
  await using folder = await temporaryFolder('rookery-publisher-');
  await using publisher = await openPublisher({
    urls: NOWHERE,
    folder: folder.path,
    spoolBytes: 32 * MIB + MIB / 2,
  });
  const calls = Array.from({ length: 40 }, () => publisher.publish('g', new Uint8Array(MIB - 1024)));
  const outcomes = (await Promise.allSettled(calls)).map((outcome) =>
    outcome.status === 'fulfilled' ? 'kept' : (outcome.reason as { code: string }).code,
  );
  expect(outcomes).toEqual([...Array(32).fill('kept'), ...Array(8).fill('SPOOL_FULL')]);
});

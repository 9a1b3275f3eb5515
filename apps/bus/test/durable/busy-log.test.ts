import { decodeEvent } from '@rookery/protocol/bus';
import { nodeDisk } from '@rookery/storage';
import { temporaryFolder, waitFor } from '@rookery/testkit';
import { expect, it } from 'vitest';
import { Durable } from '../../src/durable/durable.ts';
import type { Ordered } from '../../src/groups/types.ts';

const MIB = 1024 * 1024;
const ID = 1;
const ring = { representative: ID, sequence: 5 };
const KEPT = { retentionMs: 0, retentionBytes: 0, lastValue: false, lastValueKeys: 0 };

function message(order: number): Ordered {
  return {
    message: {
      kind: 'message',
      session: '#a#d1',
      groups: ['g'],
      messageType: 0,
      bigEndian: false,
      selfDiscard: false,
      key: '',
      origin: undefined,
      data: Buffer.alloc(15 * MIB, order),
    },
    service: 'agreed',
    groupIndex: 0,
    stamp: { ringSequence: ring.sequence, representative: ID, sender: ID, order },
  };
}

it('what is under way when the log asks senders to wait is kept, however much it is, and confirmed when it is', async () => {
  await using folder = await temporaryFolder('rookery-durable-');
  const failures: Error[] = [];
  const pressed: boolean[] = [];
  const said: Uint8Array[] = [];
  const durable = new Durable({
    id: ID,
    patterns: { g: KEPT },
    log: { disk: nodeDisk, directory: folder.path, sync: 'never', maxPayloadBytes: 16 * MIB },
    maxGroups: 10,
    findingMs: 0,
    submit: (payload) => said.push(payload) > 0,
    queuedBytes: () => 0,
    now: () => Date.now(),
    press: (_group, on) => pressed.push(on),
    isPressed: () => pressed.at(-1) === true,
    onLogEvent: () => undefined,
    onNotKept: () => undefined,
    onFailure: (error) => failures.push(error),
  });
  await durable.open();
  durable.onConfiguration({ kind: 'regular', ring, previous: undefined, members: [ID] });
  for (const payload of said.splice(0)) durable.onEvent(ID, decodeEvent(Buffer.from(payload)) as never);
  await waitFor(() => durable.group('g')?.whole, { what: 'the group to be whole' });
  // All in one turn, as they come from several daemons.
  const confirmed: number[] = [];
  for (let order = 1; order <= 5; order++) {
    durable.onMessage('g', message(order));
    durable.whenCommitted(() => confirmed.push(order));
  }
  expect(pressed).toEqual([true]);
  await waitFor(() => confirmed.length === 5 || failures.length > 0, { what: 'all to be kept' });
  expect(failures).toEqual([]);
  expect(confirmed).toEqual([1, 2, 3, 4, 5]);
  expect(durable.group('g')!.count).toBe(5);
  expect(durable.isCommitted).toBe(true);
  expect(pressed).toEqual([true, false]);
  // One that stops keeps what it was given, too.
  for (let order = 6; order <= 9; order++) durable.onMessage('g', message(order));
  await durable.close();
  expect(durable.group('g')!.count).toBe(9);
  expect(failures).toEqual([]);
});

import { expect, test } from 'vitest';
import { createTracker } from '../../src/swarm/tracker/tracker.ts';

test('a swarm that is full answers its own peers, lets them go, and takes another in their place', async () => {
  await using tracker = await createTracker({ host: '127.0.0.1', port: 0, peersMax: 2 });
  const announce = async (port: number, more = ''): Promise<string> => {
    const peer = `info_hash=${'%01'.repeat(20)}&peer_id=${'%02'.repeat(18)}${port}`;
    const url = `http://127.0.0.1:${tracker.port}/announce?${peer}&port=${port}&left=1&compact=1${more}`;
    return (await fetch(url)).text();
  };
  const isIn = (answer: string): boolean => answer.includes('8:interval');

  expect(isIn(await announce(11, '&event=started'))).toBe(true);
  expect(isIn(await announce(22, '&event=started'))).toBe(true);
  expect(await announce(33, '&event=started')).toContain('as many peers as it may have');
  expect(isIn(await announce(11))).toBe(true);
  expect(isIn(await announce(22, '&event=stopped'))).toBe(true);
  expect(isIn(await announce(33, '&event=started'))).toBe(true);
  expect(tracker.swarms()).toMatchObject([{ peers: 2 }]);
});

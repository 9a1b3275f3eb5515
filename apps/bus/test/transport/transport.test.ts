import { afterEach, describe, expect, it } from 'vitest';
import { seed, startDaemon, stopAll, untilHeard, untilKnown } from './daemons.ts';

afterEach(stopAll);

describe.each([
  ['no secret', { secret: undefined }],
  ['a secret', {}],
  ['a secret and encryption', { encrypt: true }],
])('two daemons with %s', (_what, options) => {
  it('talk in both directions when only one has the other as a peer', async () => {
    const a = await startDaemon(1, options);
    const b = await startDaemon(2, { ...options, peers: seed(a) });
    await Promise.all([untilKnown(a, 2), untilKnown(b, 1)]);
    a.transport.multicast(Buffer.from('to all'));
    a.transport.unicast(2, Buffer.from('to b'));
    b.transport.unicast(1, Buffer.from('to a'));
    await Promise.all([untilHeard(b, 'to all'), untilHeard(b, 'to b'), untilHeard(a, 'to a')]);
    expect(b.heard).toEqual(['to all', 'to b']);
    expect(a.transport.peers).toMatchObject([{ id: 2, name: 'd2', address: `127.0.0.1:${b.port}` }]);
  });
});

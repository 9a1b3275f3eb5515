import { temporaryFolder } from '@rookery/testkit';
import { expect, it } from 'vitest';
import { connect } from '../../src/client/index.ts';
import { BusDaemon } from '../../src/index.ts';

it('a message that is sent again with the same origin is confirmed, and heard once', async () => {
  await using folder = await temporaryFolder();
  const daemon = new BusDaemon({
    settings: {
      data: folder.path,
      listen: { host: '127.0.0.1', port: 0 },
      ws: { host: '127.0.0.1', port: 0 },
      adminPort: 0,
    },
  });
  await daemon.start();
  try {
    const publisher = '0123456789abcdef'.repeat(2);
    const listener = await connect(daemon.webSocketUrl!);
    const group = await listener.join('g');
    for (const sequence of [1, 2]) {
      const sender = await connect(daemon.webSocketUrl!);
      for (let repeat = 1; repeat <= sequence; repeat++) {
        await sender.multicast('g', `m${repeat}`, { origin: { publisher, sequence: repeat } });
      }
      await sender.close();
    }
    await listener.multicast('g', 'last');
    const heard: string[] = [];
    for await (const event of group) {
      if (event.kind === 'message') heard.push(event.text);
      if (heard.at(-1) === 'last') break;
    }
    expect(heard).toEqual(['m1', 'm2', 'last']);
    await listener.close();
  } finally {
    await daemon.stop();
  }
});

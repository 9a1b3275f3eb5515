import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort, startProcess, temporaryFolder } from '@rookery/testkit';
import { expect, test } from 'vitest';
import { connect } from '../../src/client/index.ts';
import { openPublisher } from '../../src/spool/index.ts';
import { shellCommand } from '../cli/bus-command.ts';
import { startDaemonAgain } from '../daemon-process.ts';

// ROOKERY_TEST_PUBLISHES=50000 ROOKERY_TEST_KILLS=10 is the full size: so many of each publisher.
const COUNT = Number(process.env.ROOKERY_TEST_PUBLISHES ?? 3000);
const KILLS = Number(process.env.ROOKERY_TEST_KILLS ?? 3);

test(
  `the daemon is killed ${KILLS} times while the library and the command line publish ${COUNT} each: all arrive, in order, none twice`,
  async () => {
    await using folder = await temporaryFolder('rookery-killed-');
    const data = join(folder.path, 'data');
    const spool = join(folder.path, 'spool');
    const input = join(folder.path, 'lines');
    await writeFile(input, Array.from({ length: COUNT }, (_, index) => `cli ${index}\n`).join(''));
    const port = await freePort();
    const url = `ws://127.0.0.1:${port}`;
    let daemon = await startDaemonAgain(port, data, 'g');
    try {
      // Fed as slowly as the daemon dies, so that each death meets messages on their way.
      const slowly = `split -l ${Math.ceil(COUNT / 200)} --filter='cat; sleep 0.05' '${input}'`;
      await using cli = await startProcess({
        command: 'sh',
        args: [
          '-c',
          `${slowly} | ${shellCommand('pub', '-g', 'g', '--lines', '--spool', spool, '--url', url)}`,
        ],
      });
      const publisher = await openPublisher({ urls: url, folder: spool, settings: { retryMaxMs: 200 } });
      let published = 0;
      const publishing = (async () => {
        while (published < COUNT) {
          const batch = Math.min(Math.ceil(COUNT / 200), COUNT - published);
          for (let index = 0; index < batch; index++) await publisher.publish('g', `library ${published++}`);
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
      })();
      for (let kill = 1; kill <= KILLS; kill++) {
        const bus = await connect(url, { settings: { connectAttempts: 50 } });
        const events = await bus.subscribe('g');
        // In the middle of what it orders, whatever that takes here.
        for (let heard = 0; heard < 20 && published < COUNT; heard++) await events.next();
        await bus.close();
        daemon.kill('SIGKILL');
        await daemon.waitForExit();
        daemon = await startDaemonAgain(port, data, 'g');
      }
      await publishing;
      await publisher.sent();
      await publisher.close();
      expect(await cli.waitForExit(120_000)).toEqual({ code: 0, signal: null });

      const bus = await connect(url);
      const seen: Record<string, number[]> = { cli: [], library: [] };
      const replay = await bus.subscribe('g', { from: 'start' });
      for await (const event of replay) {
        if (event.kind === 'caught_up') break;
        if (event.kind !== 'message') continue;
        const [who, number] = event.text.split(' ');
        seen[who!]!.push(Number(number));
      }
      const wanted = Array.from({ length: COUNT }, (_, index) => index);
      expect(seen.library).toEqual(wanted);
      expect(seen.cli).toEqual(wanted);
      await bus.close();
    } finally {
      await daemon[Symbol.asyncDispose]();
    }
  },
  120_000 + KILLS * 60_000,
);

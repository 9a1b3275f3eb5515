import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { temporaryFolder } from '@rookery/testkit';
import { expect, test } from 'vitest';

const index = fileURLToPath(new URL('../index.ts', import.meta.url));

test.skipIf(process.platform === 'win32')(
  'a process that is out of file descriptors for a moment keeps its log',
  async () => {
    await using folder = await temporaryFolder();
    const script = `
      import { closeSync, openSync } from 'node:fs';
      const { openLog, nodeDisk } = await import(${JSON.stringify(index)});
      const events = [];
      const log = await openLog({
        disk: nodeDisk, directory: ${JSON.stringify(folder.path)}, sync: 'always',
        segmentBytes: 4096, maxPayloadBytes: 1024, backlogBytes: 8192, reserveBytes: 16384,
        onEvent: (event) => events.push(event.type),
      });
      const stream = log.createStream('work');
      const body = Buffer.alloc(1000);
      const add = async () => {
        stream.append(new Uint8Array(0), body, 0, body.length);
        await log.sync();
      };
      await add();
      const taken = [];
      try {
        for (;;) taken.push(openSync('/dev/null'));
      } catch (error) {
        console.log(error.code);
      }
      // Enough for the spare segment to be used up, and for the next one to be wanted.
      for (let n = 0; n < 50; n++) await add();
      for (const descriptor of taken) closeSync(descriptor);
      const { segments } = log.stats;
      while (log.stats.segments < segments + 2) await add();
      await log.close();
      console.log(events.includes('failed'));`;
    const node = `ulimit -n 64; exec "$0" --input-type=module --eval "$1"`;
    const ran = await promisify(execFile)('sh', ['-c', node, process.execPath, script], { timeout: 60_000 });
    expect(ran.stdout.trim().split('\n')).toEqual(['EMFILE', 'false']);
  },
  60_000,
);

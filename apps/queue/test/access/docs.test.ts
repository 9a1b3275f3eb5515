import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startProcess, temporaryFolder } from '@rookery/testkit';
import { expect, test } from 'vitest';
import { QueueServer } from '../../src/index.ts';
import { shellCommand } from '../cli/queue-command.ts';
import { makeCertificate } from './certificates.ts';

const path = (name: string): string => fileURLToPath(new URL(`../../../../${name}`, import.meta.url));

test('the sessions of the chapter on security print what they say, and so does the client’s example', async () => {
  await using folder = await temporaryFolder();
  const { certificate, key } = await makeCertificate(folder.path, 'queue');
  const text = await readFile(path('docs/run-the-queue.md'), 'utf8');
  const [making, using] = [...text.matchAll(/```console-security\n([\s\S]*?)```/g)].map((match) => match[1]!);
  const exported: string[] = [];
  const run = async (session: string, address: string): Promise<void> => {
    for (const step of session.split(/^\$ /m).slice(1)) {
      const [line, ...printed] = step.replaceAll('127.0.0.1:22122', address).split('\n');
      if (line!.startsWith('export ')) exported.push(line!);
      const script = [
        `cd '${folder.path}'`,
        `rookery-queue() { ${shellCommand()} "$@"; }`,
        ...exported,
        line,
      ].join('; ');
      await using ran = await startProcess({ command: 'bash', args: ['-c', `{ ${script}; } 2>&1`] });
      await ran.waitForExit(60_000);
      expect([line, ran.stdout]).toEqual([line, printed.join('\n')]);
    }
  };
  await run(making!, '');
  const server = new QueueServer({
    settings: {
      ...{ port: 0, adminPort: 0, data: join(folder.path, 'data') },
      ...{ authFile: join(folder.path, 'users'), tlsCertificate: certificate, tlsKey: key },
    },
  });
  await server.start();
  try {
    const { host, port } = server.address!;
    await run(using!, `${host}:${port}`);
    const page = await readFile(path('docs/queue-client.md'), 'utf8');
    const example = /```ts secure\n([\s\S]*?)```/
      .exec(page)![1]!
      .replace('queue.example.org:22122', `${host}:${port}`)
      .replace('/etc/rookery/queue.crt', certificate);
    const token = (await readFile(join(folder.path, 'shop.token'), 'utf8')).trim();
    await promisify(execFile)(
      process.execPath,
      [
        '--conditions=@rookery/source',
        '--input-type=module-typescript',
        '--eval',
        `${example}; await client.queue('orders').put('a coat');`,
      ],
      { cwd: path('apps/queue'), env: { ...process.env, ROOKERY_QUEUE_TOKEN: token } },
    );
  } finally {
    await server.stop();
  }
}, 120_000);

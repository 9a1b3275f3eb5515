import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Hosts } from '@rookery/testkit';
import { nodeClient, stopAll } from '../programs.ts';
import type { RunningSystem, System } from '../system.ts';

const cli = fileURLToPath(new URL('../../../apps/bus/src/cli.ts', import.meta.url));
const run = [
  '--conditions=@rookery/source',
  '-e',
  `import(${JSON.stringify(cli)}).then((m) => m.main(process.argv))`,
];

/** What its own users have: the client library over WebSocket. */
export const rookery: System = bus('rookery', 'rookery', [], 'our client library over WebSocket, in Node');
/** What Spread's users have: its client protocol over TCP. */
export const rookerySpread: System = bus(
  'rookery-spread',
  'spread',
  [],
  'Spread’s client protocol over TCP, our codec in Node',
);
/** As users should run it on a network: every datagram authenticated. The others here have nothing like it. */
export const rookerySecret: System = bus(
  'rookery-secret',
  'spread',
  ['secret'],
  'as rookery-spread, with every datagram under HMAC-SHA-256',
);

/** For a network that loses next to nothing: fewer and larger datagrams, in IP fragments where the MTU is 1,500. */
export const rookeryLarge: System = bus(
  'rookery-large',
  'spread',
  ['large'],
  'as rookery-spread, with --datagram-bytes 8932',
);

type Extra = 'secret' | 'large';

function bus(name: string, client: 'rookery' | 'spread', extras: readonly Extra[], remark: string): System {
  return {
    name,
    remark,
    services: ['agreed', 'safe'],
    totalOrder: true,
    whyMissing: () => undefined,
    start: (hosts, folder) => start(client, extras, hosts, folder),
  };
}

async function start(
  client: string,
  extras: readonly Extra[],
  hosts: Hosts,
  folder: string,
): Promise<RunningSystem> {
  const secretFile = join(folder, 'secret');
  await writeFile(secretFile, randomBytes(32));
  // A receiver that falls behind slows the senders, as with the others.
  await writeFile(join(folder, 'bus.toml'), '[group_defaults]\nslow_policy = "slow"\n');
  const servers = await Promise.all(
    hosts.all.map((host, index) =>
      host.run(
        process.execPath,
        [
          ...[
            ...run,
            'rookery-bus',
            'daemon',
            '--name',
            `h${index + 1}`,
            '--data',
            join(folder, `h${index + 1}`),
          ],
          ...['--ring', `${host.address}:4805`, '--multicast', '239.192.0.7:4806'],
          ...(extras.includes('secret') ? ['--secret-file', secretFile] : ['--insecure-ring']),
          ...(extras.includes('large') ? ['--datagram-bytes', '8932'] : []),
          ...['--config', join(folder, 'bus.toml')],
        ],
        { readyPattern: /listening on/ },
      ),
    ),
  );
  return {
    servers,
    client: (_host, _index, service, measurement) => ({
      program: process.execPath,
      before: nodeClient(client),
      after: [client === 'spread' ? '4803' : 'ws://127.0.0.1:4804', measurement, service],
    }),
    [Symbol.asyncDispose]: () => stopAll(servers),
  };
}

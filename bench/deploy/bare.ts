/**
 * What the machine itself allows: as many processes as hosts, each doing the least that a host must (clients/bare.ts),
 * behind the same limits. As root:
 * `chrt -r 10 npm exec -- node --conditions=@rookery/source bench/deploy/bare.ts [--hosts 40] [--size-mib 5]
 * [--rate-mbits 10] [--neighbours 10] [--block-kib 8]`.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { waitFor } from '@rookery/testkit';
import { cpuSeconds } from './measure.ts';
import { createNetwork } from './network.ts';

const { values: options } = parseArgs({
  options: {
    hosts: { type: 'string', default: '40' },
    'size-mib': { type: 'string', default: '5' },
    'rate-mbits': { type: 'string', default: '10' },
    neighbours: { type: 'string', default: '10' },
    'block-kib': { type: 'string', default: '8' },
  },
});
// The origin is one more.
const count = Number(options.hosts) + 1;
const bytes = Number(options['size-mib']) * 2 ** 20;
const bitsPerSecond = Number(options['rate-mbits']) * 1e6;
const client = fileURLToPath(new URL('clients/bare.ts', import.meta.url));

await using stack = new AsyncDisposableStack();
const work = await mkdtemp('/dev/shm/rookery-bench-');
stack.defer(() => rm(work, { recursive: true, force: true }));
const { hosts } = stack.use(await createNetwork(count, bitsPerSecond));
const clients = await Promise.all(
  hosts.all.map(async (host, number) => {
    const args = [number, count, options.neighbours, bytes, Number(options['block-kib']) * 1024];
    const all = [client, ...args.map(String), `${work}/${number}`];
    return stack.use(await host.run(process.execPath, all, { readyPattern: /^ready$/m }));
  }),
);
const before = await cpuSeconds(clients);
const began = performance.now();
for (const one of clients) one.kill('SIGUSR2');
await waitFor(() => clients.every(({ stdout }) => stdout.includes('done')), {
  what: 'all to have everything',
  withinMs: 120_000,
  everyMs: 5,
});
const seconds = (performance.now() - began) / 1000;
const each = ((await cpuSeconds(clients)) - before) / count;
const ideal = (bytes * 8) / bitsPerSecond;
console.log(
  `last ${seconds.toFixed(2)} s, ${(seconds / ideal).toFixed(2)} of the ideal; CPU ${each.toFixed(3)} s each`,
);

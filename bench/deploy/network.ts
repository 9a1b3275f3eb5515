import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { createHosts, type Host, type Hosts } from '@rookery/testkit';

const execute = promisify(execFile);

// Linux counts the neighbours of all namespaces together, and refuses more than 1,024 by default.
const NEIGHBOURS = '/proc/sys/net/ipv4/neigh/default/gc_thresh3';

/** Seconds that each plain copy of the check takes at the limit: the full bucket at its start hardly counts then. */
const CHECK_SECONDS = 2;

export interface Network extends AsyncDisposable {
  readonly hosts: Hosts;
  /** What plain TCP gets from the first host to the second, and back, in parts of the limit; none without a limit. */
  readonly reached: readonly number[];
}

/** Hosts of which each can send and receive so much; `Infinity` for no limit. */
export async function createNetwork(count: number, bitsPerSecond: number): Promise<Network> {
  const allowed = await readFile(NEIGHBOURS, 'utf8');
  const needed = count * count * 2;
  const raise = needed > Number(allowed);
  if (raise) await writeFile(NEIGHBOURS, String(needed));
  const stack = new AsyncDisposableStack();
  if (raise) stack.defer(() => writeFile(NEIGHBOURS, allowed));
  try {
    const hosts = stack.use(await createHosts({ count }));
    const reached: number[] = [];
    if (bitsPerSecond !== Infinity) {
      for (const host of hosts.all) await host.limitRate({ bitsPerSecond });
      const ways = [
        [hosts.host(0), hosts.host(1)],
        [hosts.host(1), hosts.host(0)],
      ] as const;
      for (const [from, to] of ways) reached.push((await plainCopy(from, to, bitsPerSecond)) / bitsPerSecond);
      if (reached.some((part) => part < 0.85 || part > 1.05)) {
        throw new Error(
          `plain TCP gets ${reached.map((part) => part.toFixed(2)).join(' and ')} of the limit`,
        );
      }
    }
    return { hosts, reached, [Symbol.asyncDispose]: () => stack.disposeAsync() };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

/** Bits a second of payload. */
async function plainCopy(from: Host, to: Host, bitsPerSecond: number): Promise<number> {
  const bytes = Math.round((bitsPerSecond / 8) * CHECK_SECONDS);
  await using server = await to.run(
    process.execPath,
    [
      '-e',
      `require('net').createServer((socket) => {
         let received = 0;
         const start = performance.now();
         socket.on('data', (chunk) => { received += chunk.length; });
         socket.on('end', () => { console.log('took', performance.now() - start); process.exit(); });
       }).listen(4077, () => console.log('ready'))`,
    ],
    { readyPattern: /ready/ },
  );
  await using _client = await from.run(process.execPath, [
    '-e',
    `require('net').connect(4077, '${to.address}').end(Buffer.alloc(${bytes}))`,
  ]);
  await server.waitForExit(CHECK_SECONDS * 10_000);
  const took = Number(/took (\S+)/.exec(server.stdout)?.[1]);
  return (bytes * 8 * 1000) / took;
}

/** Bytes that a host has sent, headers included. */
export async function sentBytes(host: Host): Promise<number> {
  const { stdout } = await execute('ip', ['-n', host.name, '-s', '-j', 'link', 'show', 'eth0']);
  const [link] = JSON.parse(stdout) as [{ stats64: { tx: { bytes: number } } }];
  return link.stats64.tx.bytes;
}

/** Packets dropped so far: at the hosts' own queues, and at the switch's. */
export async function drops(hosts: Hosts): Promise<{ readonly hosts: number; readonly switch: number }> {
  const [first] = hosts.all;
  const bridge = first!.name.replace(/h1$/, 'bridge');
  const own = await Promise.all(hosts.all.map(({ name }) => droppedIn(name)));
  return { hosts: own.reduce((a, b) => a + b, 0), switch: await droppedIn(bridge) };
}

async function droppedIn(namespace: string): Promise<number> {
  const { stdout } = await execute('tc', ['-n', namespace, '-s', '-j', 'qdisc', 'show']);
  const queues = JSON.parse(stdout) as { kind: string; drops?: number }[];
  return queues.reduce((sum, { kind, drops = 0 }) => sum + (kind === 'tbf' ? drops : 0), 0);
}

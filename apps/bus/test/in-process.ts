import { freeUdpPort, temporaryFolder } from '@rookery/testkit';
import { afterEach } from 'vitest';
import { BusDaemon } from '../src/server.ts';
import type { DaemonSettings } from '../src/settings.ts';
import { connectSpread, type SpreadClient, type SpreadOptions } from './spread-client.ts';
import { connectWebSocket, type WebSocketClient, type WebSocketOptions } from './websocket-client.ts';

export interface InProcess {
  readonly daemon: BusDaemon;
  readonly port: number;
  readonly url: string;
  readonly adminUrl: string;
  spread(options?: SpreadOptions | string): Promise<SpreadClient>;
  webSocket(options?: WebSocketOptions | string): Promise<WebSocketClient>;
}

const free = { host: '127.0.0.1', port: 0 } as const;
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A daemon inside the test's process, stopped after it, its clients cut off. */
export async function startInProcess(settings: Partial<DaemonSettings> = {}): Promise<InProcess> {
  const folder = await temporaryFolder('rookery-bus-');
  const daemon = new BusDaemon({
    settings: { name: 'd1', listen: free, ws: free, adminPort: 0, data: folder.path, ...settings },
  });
  cleanups.push(
    () => folder.remove(),
    () => daemon.stop(),
  );
  await daemon.start();
  const { port } = daemon.address!;
  const url = daemon.webSocketUrl!;
  return {
    daemon,
    port,
    url,
    adminUrl: daemon.adminUrl!,
    async spread(options = {}) {
      const client = await connectSpread({ port }, typeof options === 'string' ? { name: options } : options);
      cleanups.push(() => client.destroy());
      return client;
    },
    async webSocket(options = {}) {
      const client = await connectWebSocket(url, typeof options === 'string' ? { name: options } : options);
      cleanups.push(() => client.cut());
      return client;
    },
  };
}

/** Daemons of one ring over the loopback, `d1` and so on, once each sees all. */
export async function startInProcessRing(
  count: number,
  settings: Partial<DaemonSettings> = {},
): Promise<InProcess[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = await freeUdpPort();
    if (!ports.includes(port)) ports.push(port);
  }
  const peers = ports.map((port) => ({ host: '127.0.0.1', port }));
  const daemons: InProcess[] = [];
  for (const [index, ring] of peers.entries()) {
    daemons.push(await startInProcess({ name: `d${index + 1}`, ring, peers, ...settings }));
  }
  while (
    !daemons.every(({ daemon }) => daemon.parts.engine.status().configuration?.members.length === count)
  ) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return daemons;
}

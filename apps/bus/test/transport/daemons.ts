/** Transports on real sockets of this machine, that write down what they hear. */
import { createLogger, type Log } from '@rookery/service';
import { waitFor } from '@rookery/testkit';
import { createTransport, type Transport, type TransportOptions } from '../../src/transport/transport.ts';

const SECRET: Buffer = Buffer.from('a secret of the test, long enough');

export interface Conflict {
  readonly name: string;
  readonly address: string;
  readonly startedFirst: boolean;
}

export interface TestDaemon {
  readonly transport: Transport;
  readonly port: number;
  readonly heard: string[];
  readonly conflicts: Conflict[];
  readonly logged: string[];
}

/** Started; `stop` it, or let `stopAll`. */
export async function startDaemon(id: number, options: Partial<TransportOptions> = {}): Promise<TestDaemon> {
  const heard: string[] = [];
  const conflicts: Conflict[] = [];
  const logged: string[] = [];
  const log: Log = createLogger({ name: 'test', destination: { write: (line) => logged.push(line) } });
  const transport = createTransport({
    id,
    name: `d${id}`,
    address: { host: '127.0.0.1', port: 0 },
    secret: SECRET,
    encrypt: false,
    allowUnauthenticated: false,
    receiveBufferBytes: 65_536,
    sendBufferBytes: 65_536,
    log,
    onDatagram: (packet) => heard.push(packet.toString()),
    onConflict: (other) => conflicts.push(other),
    ...options,
  });
  await transport.start();
  running.push(transport);
  return { transport, port: transport.address!.port, heard, conflicts, logged };
}

const running: Transport[] = [];

export async function stopAll(): Promise<void> {
  await Promise.all(running.splice(0).map((transport) => transport.stop()));
}

export function seed(...daemons: readonly { readonly port: number }[]): { host: string; port: number }[] {
  return daemons.map(({ port }) => ({ host: '127.0.0.1', port }));
}

export async function untilKnown(daemon: TestDaemon, ...ids: readonly number[]): Promise<void> {
  await waitFor(() => ids.every((id) => daemon.transport.peers.some((peer) => peer.id === id)), {
    what: `daemon on ${daemon.port} to know ${ids}`,
    everyMs: 1,
    detail: () => JSON.stringify({ peers: daemon.transport.peers, stats: daemon.transport.stats }),
  });
}

export async function untilHeard(daemon: TestDaemon, text: string): Promise<void> {
  await waitFor(() => daemon.heard.includes(text), {
    what: `daemon on ${daemon.port} to hear ${text}`,
    everyMs: 1,
    detail: () => JSON.stringify({ heard: daemon.heard, stats: daemon.transport.stats }),
  });
}

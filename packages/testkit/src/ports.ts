import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { threadId } from 'node:worker_threads';

/** Below it are the ports of services that this machine may have. */
const FIRST = 10_000;
/** Where Linux takes them from for whoever binds port 0 or dials: these are lost between being chosen and being bound. */
const DIALLED = 32_768;

/**
 * A TCP port of this machine that nobody listens on, and that the system gives to nobody by itself: it is still free
 * when a server binds it later, or again after its end. Servers that are started once bind port 0.
 */
export function freePort(host = '127.0.0.1'): Promise<number> {
  return unusedPort((port) => {
    const server = createServer().listen(port, host);
    return { opened: once(server, 'listening'), close: () => new Promise((done) => server.close(done)) };
  });
}

/** The same for UDP. */
export function freeUdpPort(host = '127.0.0.1'): Promise<number> {
  return unusedPort((port) => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    const opened = once(socket, 'listening');
    socket.bind(port, host);
    return { opened, close: () => new Promise<void>((done) => socket.close(done)) };
  });
}

interface Binding {
  readonly opened: Promise<unknown>;
  close(): Promise<unknown>;
}

const end = dialledFrom();
let given = 0;

/** Each process goes its own way through the range, so that two seldom meet. */
async function unusedPort(bind: (port: number) => Binding): Promise<number> {
  for (;;) {
    const port = FIRST + (((process.pid + threadId) * 101 + given++) % (end - FIRST));
    const binding = bind(port);
    const failure = await binding.opened.then(
      () => undefined,
      (error: NodeJS.ErrnoException) => error,
    );
    await binding.close();
    if (failure === undefined) return port;
    if (failure.code !== 'EADDRINUSE') throw failure;
  }
}

function dialledFrom(): number {
  try {
    const [from] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split(/\s/);
    return Math.max(FIRST + 1_000, Number(from));
  } catch {
    return DIALLED;
  }
}

/** Where syslog messages come in: UDP, TCP, unix datagrams. Each gives whole messages to a sink. */
import { createSocket } from 'node:dgram';
import { chmod, lstat, readFile, unlink } from 'node:fs/promises';
import { connect, createServer, isIPv6, type Socket } from 'node:net';
import {
  type Address,
  closeServer,
  formatAddress,
  listenError,
  listenTcp,
  ServiceError,
} from '@rookery/service';
import { LINE_BYTES } from '../lines.ts';
import { type Frame, SyslogFraming } from './framing.ts';

export interface SyslogSink {
  /** False if there is no room for it. */
  readonly take: (frame: Frame) => boolean;
  /** Resolves when there may be room again: a TCP connection isn't read until then. */
  readonly room: () => Promise<void>;
  /** A TCP stream was out of step, and its connection was ended. */
  readonly onBroken: (peer: string) => void;
  /** What to do about a queue of the system's that is too short for a web server. */
  readonly onShortQueue: (advice: string) => void;
}

export interface SyslogListener {
  /** As it can be given to `--listen`, with the port that was taken. */
  readonly url: string;
  close(): Promise<void>;
}

export type SyslogAddress =
  | { readonly kind: 'udp' | 'tcp'; readonly address: Address }
  | { readonly kind: 'unixgram'; readonly path: string };

/** Bursts of a web server while this process is held up: Linux gives at most net.core.rmem_max. */
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;
/** Each holds at most one unfinished message of 64 KiB: 64 MiB. */
const CONNECTIONS_MAX = 1024;
/** Any program of this machine may log, as with /dev/log; the folder is what guards it. */
const SOCKET_MODE = 0o666;

export async function listenSyslog(at: SyslogAddress, sink: SyslogSink): Promise<SyslogListener> {
  switch (at.kind) {
    case 'udp':
      return await listenUdp(at.address, sink);
    case 'tcp':
      return await listenStream(at.address, sink);
    case 'unixgram':
      return await listenUnixDatagrams(at.path, sink);
  }
}

function datagram(bytes: Buffer): Frame {
  const cut = bytes.length > LINE_BYTES;
  return { bytes: cut ? bytes.subarray(0, LINE_BYTES) : bytes, cut };
}

async function listenUdp({ host, port }: Address, sink: SyslogSink): Promise<SyslogListener> {
  const socket = createSocket({ type: isIPv6(host) ? 'udp6' : 'udp4', recvBufferSize: RECEIVE_BUFFER_BYTES });
  await new Promise<void>((resolve, reject) => {
    socket.once('error', (error) => reject(listenError(error, 'syslog', host, port)));
    socket.bind(port, host, resolve);
  });
  socket.removeAllListeners('error');
  // A datagram that can't be received is lost, and those behind it are not.
  socket.on('error', () => undefined);
  // hot: once per datagram.
  socket.on('message', (bytes) => sink.take(datagram(bytes)));
  return {
    url: `udp://${formatAddress({ host, port: socket.address().port })}`,
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

async function listenStream({ host, port }: Address, sink: SyslogSink): Promise<SyslogListener> {
  const sockets = new Set<Socket>();
  let closing = false;
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    serve(socket, sink, () => closing);
  });
  server.maxConnections = CONNECTIONS_MAX;
  await listenTcp(server, 'syslog', host, port);
  return {
    url: `tcp://${formatAddress({ host, port: (server.address() as { port: number }).port })}`,
    async close() {
      closing = true;
      for (const socket of sockets) socket.destroy();
      await closeServer(server);
    },
  };
}

function serve(socket: Socket, sink: SyslogSink, closing: () => boolean): void {
  const framing = new SyslogFraming();
  const peer = `${socket.remoteAddress}:${socket.remotePort}`;
  let busy = Promise.resolve();
  const takeAll = async (frames: readonly Frame[]): Promise<void> => {
    // Also when the sender has gone meanwhile: what was read is ours.
    for (const frame of frames) while (!sink.take(frame) && !closing()) await sink.room();
  };
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    const { frames, broken } = framing.push(chunk);
    const waiting = frames.findIndex((frame) => !sink.take(frame));
    if (broken) {
      sink.onBroken(peer);
      socket.destroy();
    }
    if (waiting < 0) return;
    socket.pause();
    busy = takeAll(frames.slice(waiting)).then(() => void socket.resume());
  });
  socket.on('end', () => {
    const last = framing.end();
    if (last !== undefined) void busy.then(() => takeAll([last]));
  });
}

/** The optional dependency's, as far as it is used. */
interface DatagramSocket {
  on(event: 'data', listener: (bytes: Buffer) => void): this;
  on(event: 'error', listener: (error: Error) => void): this;
  bind(path: string): void;
  close(): void;
}

async function listenUnixDatagrams(path: string, sink: SyslogSink): Promise<SyslogListener> {
  const socket = await createUnixDatagramSocket();
  await removeStale(path);
  // hot: once per datagram.
  socket.on('data', (bytes) => void sink.take(datagram(bytes)));
  socket.on('error', () => undefined);
  try {
    socket.bind(path);
  } catch (error) {
    throw listenError(error as NodeJS.ErrnoException, 'syslog', path, 0);
  }
  await chmod(path, SOCKET_MODE);
  await tellShortQueue(sink);
  const waking = setInterval(() => undefined, WAKE_MS);
  return {
    url: `unixgram:${path}`,
    async close() {
      clearInterval(waking);
      socket.close();
      await unlink(path).catch(() => undefined);
    },
  };
}

/**
 * node-unix-socket 0.2.7 looks for datagrams only when something else turns the event loop (measured: p50 25 ms beside a
 * timer of 50 ms). So something does: 200 turns a second of an idle process.
 */
const WAKE_MS = 5;

/** Linux keeps so many datagrams of a socket that isn't read, and who sends more drops them, in silence. */
const QUEUE_DATAGRAMS = 256;

async function tellShortQueue(sink: SyslogSink): Promise<void> {
  const queue = Number(
    await readFile('/proc/sys/net/unix/max_dgram_qlen', 'utf8').catch(() => QUEUE_DATAGRAMS),
  );
  if (queue >= QUEUE_DATAGRAMS) return;
  sink.onShortQueue(
    `Linux keeps only ${queue} datagrams of a unix socket while this is busy, and drops the others: before starting, sysctl net.unix.max_dgram_qlen=1000, or listen on udp://`,
  );
}

async function createUnixDatagramSocket(): Promise<DatagramSocket> {
  try {
    const { DgramSocket } = await import('node-unix-socket');
    return new DgramSocket() as DatagramSocket;
  } catch (error) {
    throw new ServiceError(
      'LISTEN_FAILED',
      'Node has no unix datagram sockets, and the package node-unix-socket, which has, is not there for this platform: listen on udp://127.0.0.1:5514 instead',
      { cause: error },
    );
  }
}

/** A socket file stays when its process is killed. A stream can't connect to it: how it is refused tells which it is. */
async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined || !found.isSocket()) return;
  const refusal = await new Promise<string | undefined>((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve(undefined);
    });
    probe.on('error', (error: NodeJS.ErrnoException) => resolve(error.code));
  });
  if (refusal === 'ECONNREFUSED') await unlink(path);
}

/** The only place that holds UDP sockets: one that everything is sent from, and one that hears the group. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { readFileSync } from 'node:fs';
import { isIPv4, isIPv6, SocketAddress } from 'node:net';
import { networkInterfaces } from 'node:os';
import { type Log, listenError } from '@rookery/service';
import { type Address, addressOf, normalAddress, plainHost, type Reach } from './address.ts';
import { TransportError } from './errors.ts';

export interface MulticastOptions {
  readonly host: string;
  readonly port: number;
  /** An address of the interface, or its name. Default: the one of the bound address, else the system's. */
  readonly interface?: string;
  /** Routers that a datagram may pass, and one. Default 1: it stays in its network. */
  readonly ttl?: number;
}

export interface SocketsOptions {
  readonly address: { readonly host: string; readonly port: number };
  readonly multicast: MulticastOptions | undefined;
  readonly receiveBufferBytes: number;
  readonly sendBufferBytes: number;
  readonly log: Log;
  readonly onDatagram: (datagram: Buffer, from: RemoteInfo) => void;
  /** A datagram could not be sent, or a socket says so of one before. */
  readonly onError: (error: Error) => void;
}

export interface Sockets {
  readonly address: { readonly host: string; readonly port: number };
  readonly reach: Reach;
  readonly group: Address | undefined;
  /** False: too much waits already. The datagram must not be written to afterwards. */
  send(datagram: Buffer, to: Address): boolean;
  /** Whether our multicasts also go to daemons of this machine, and so come back to us. */
  setLoopback(on: boolean): void;
  close(): Promise<void>;
}

/** What may wait in this process while the system's own buffer is full; then datagrams are dropped. */
const WAITING_BYTES_MAX = 4 * 1024 * 1024;

/**
 * @throws ServiceError LISTEN_FAILED
 * @throws TransportError
 */
export async function openSockets(options: SocketsOptions): Promise<Sockets> {
  const { multicast, log, onError } = options;
  const { port } = options.address;
  const host = await addressFor(options.address.host, port);
  const reach = isIPv4(host) ? 'ipv4' : host === '::' ? 'dual' : 'ipv6';
  const group = multicast === undefined ? undefined : groupFor(multicast, reach);
  const main = socketFor(reach, false);
  const sockets = [main];
  let open = true;
  let loopback = true;
  const close = async (): Promise<void> => {
    open = false;
    await Promise.all(sockets.map((socket) => new Promise<void>((resolve) => socket.close(resolve))));
  };
  try {
    await bind(main, host, port);
    if (multicast !== undefined) {
      const over = interfaceFor(
        multicast.interface ?? (host === '0.0.0.0' || host === '::' ? undefined : host),
        multicast.host,
      );
      const hearing = socketFor(reach, true);
      sockets.push(hearing);
      // Bound to the group, it hears nothing else on that port; Windows can't.
      const hears = process.platform === 'win32' ? anyHost(reach) : inZone(multicast.host, over);
      await bind(hearing, hears, multicast.port);
      joinGroup(main, hearing, multicast, over);
    }
  } catch (error) {
    await close();
    throw error;
  }
  for (const socket of sockets) {
    socket.on('message', options.onDatagram);
    socket.on('error', onError);
    setBuffers(socket, options.receiveBufferBytes, options.sendBufferBytes, log);
  }
  const bound = main.address();
  const onSent = (error: Error | null): void => {
    if (error !== null) onError(error);
  };
  return {
    address: { host: bound.address, port: bound.port },
    reach,
    group,
    // hot: once per datagram sent. One callback for all: without any, errors would not be told.
    send(datagram, to) {
      if (!open || main.getSendQueueSize() > WAITING_BYTES_MAX) return false;
      main.send(datagram, to.port, to.host, onSent);
      return true;
    },
    setLoopback(on) {
      if (open && group !== undefined && on !== loopback) main.setMulticastLoopback(on);
      loopback = on;
    },
    close,
  };
}

function socketFor(reach: Reach, reuseAddr: boolean): Socket {
  const type = reach === 'ipv4' ? 'udp4' : 'udp6';
  return createSocket({
    type,
    reuseAddr,
    ipv6Only: reach === 'ipv6',
    // Addresses are resolved already, and the system's resolver costs a turn for each datagram.
    lookup: (address, _options, done) => done(null, address, reach === 'ipv4' ? 4 : 6),
  });
}

function bind(socket: Socket, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error): void => reject(listenError(error, "The ring's socket", host, port));
    socket.once('error', onError);
    socket.bind({ address: host, port, exclusive: true }, () => {
      socket.removeListener('error', onError);
      resolve();
    });
  });
}

async function addressFor(host: string, port: number): Promise<string> {
  const plain = plainHost(host);
  if (isIPv4(plain) || isIPv6(plain)) return plain;
  try {
    return (await lookup(plain)).address;
  } catch (error) {
    throw listenError(error as NodeJS.ErrnoException, "The ring's socket", host, port);
  }
}

function anyHost(reach: Reach): string {
  return reach === 'ipv4' ? '0.0.0.0' : '::';
}

function groupFor({ host, port }: MulticastOptions, reach: Reach): Address {
  const isGroup = isIPv4(host) ? /^2(2[4-9]|3\d)\./.test(host) : isIPv6(host) && /^ff/i.test(host);
  if (!isGroup || port < 1 || port > 65_535) {
    throw new TransportError(
      'TRANSPORT_ADDRESSES',
      `${host}:${port} is no multicast group: take an address from 224.0.0.0 to 239.255.255.255 or of ff00::/8, and a port.`,
    );
  }
  if (isIPv4(host) !== (reach === 'ipv4')) {
    const wildcard = isIPv4(host) ? '0.0.0.0' : '::';
    throw new TransportError(
      'TRANSPORT_ADDRESSES',
      `The multicast group ${host} needs a socket of its own address family: bind ${wildcard} or an address like it.`,
    );
  }
  return normalAddress(host, port, reach) ?? addressOf(host, port);
}

/** A group of one link or one machine (RFC 4291, 2.7) is a different one on each interface. */
function inZone(group: string, over: string | undefined): string {
  if (!/^ff[0-9a-f][12]:/i.test(group) || group.includes('%')) return group;
  if (over !== undefined) return group + over.slice(over.indexOf('%'));
  throw new TransportError(
    'TRANSPORT_MULTICAST',
    `The multicast group ${group} is another one on each interface: bind the ring to an address of one of them, or take a group like ff05::${group.split(':').at(-1)}.`,
  );
}

function joinGroup(
  main: Socket,
  hearing: Socket,
  multicast: MulticastOptions,
  over: string | undefined,
): void {
  const { host: group, ttl = 1 } = multicast;
  try {
    hearing.addMembership(group, over);
    if (over !== undefined) main.setMulticastInterface(over);
    main.setMulticastTTL(ttl);
    // Other daemons of this machine are to hear us too.
    main.setMulticastLoopback(true);
  } catch (error) {
    const by = over === undefined ? '' : ` over ${over}`;
    throw new TransportError(
      'TRANSPORT_MULTICAST',
      `The multicast group ${group} can't be joined${by}: name an interface of this machine that can multicast, or use peers instead.`,
      error,
    );
  }
}

/** How the system wants it: an address for IPv4, `::%name` for IPv6. */
function interfaceFor(wanted: string | undefined, group: string): string | undefined {
  if (wanted === undefined) return undefined;
  if (isIPv4(group) && isIPv4(wanted)) return wanted;
  const family = isIPv4(group) ? 'IPv4' : 'IPv6';
  for (const [name, addresses = []] of Object.entries(networkInterfaces())) {
    if (name !== wanted && !addresses.some(({ address }) => address === wanted)) continue;
    if (family === 'IPv6') return `::%${name}`;
    const own = addresses.find((address) => address.family === family);
    if (own !== undefined) return own.address;
  }
  const unplugged = family === 'IPv6' && isIPv6(wanted) ? unpluggedInterface(wanted) : undefined;
  if (unplugged !== undefined) return `::%${unplugged}`;
  throw new TransportError(
    'TRANSPORT_MULTICAST',
    `This machine has no interface ${wanted} with an ${family} address: name one for the multicast group ${group}.`,
  );
}

/** Node doesn't list an interface whose cable is out, but a daemon may start before its network does. */
function unpluggedInterface(address: string): string | undefined {
  const normal = (text: string): string => new SocketAddress({ address: text, family: 'ipv6' }).address;
  let table: string;
  try {
    table = readFileSync('/proc/net/if_inet6', 'utf8');
  } catch {
    return undefined;
  }
  // Address, index, length of the prefix, scope, flags, name: proc(5).
  return table
    .split('\n')
    .map((line) => line.split(/ +/))
    .find(([digits = '']) => digits !== '' && normal(digits.match(/.{4}/g)!.join(':')) === normal(address))
    ?.at(-1);
}

function setBuffers(socket: Socket, receiveBytes: number, sendBytes: number, log: Log): void {
  const given = { receive: 0, send: 0 };
  try {
    socket.setRecvBufferSize(receiveBytes);
    socket.setSendBufferSize(sendBytes);
  } catch (error) {
    log.debug({ err: error }, "can't set the buffers of a socket");
  }
  // Linux says twice of what there is room for.
  const scale = process.platform === 'linux' ? 2 : 1;
  given.receive = socket.getRecvBufferSize() / scale;
  given.send = socket.getSendBufferSize() / scale;
  if (given.receive < receiveBytes || given.send < sendBytes) {
    log.info(
      {
        receiveBytes: given.receive,
        wantedReceiveBytes: receiveBytes,
        sendBytes: given.send,
        wantedSendBytes: sendBytes,
      },
      'the system gives the ring smaller socket buffers than wanted, so bursts may be lost: raise net.core.rmem_max and net.core.wmem_max',
    );
  }
}

/**
 * Datagrams between the daemons of a bus: whole, fresh and from a friend, over UDP. The talk by which they find and
 * prove themselves is in `exchange.ts` and `directory.ts`; docs/internals/bus.md, "Transport".
 */
import { NAME_BYTES_MAX } from '@rookery/protocol/bus';
import { isLoopback, type Log } from '@rookery/service';
import { ownHosts, plainHost, showAddress } from './address.ts';
import { Complaints } from './complaints.ts';
import { TransportError } from './errors.ts';
import { Exchange, type ExchangeEvent } from './exchange.ts';
import { createSeals } from './seal.ts';
import { followSeeds, type Seeds } from './seeds.ts';
import { type MulticastOptions, openSockets, type Sockets } from './sockets.ts';
import { createStats, type TransportStats } from './stats.ts';

export interface TransportOptions {
  /** This daemon's id in the ring. */
  readonly id: number;
  /** 1 to 64 bytes of UTF-8. */
  readonly name: string;
  /** What is bound: port 0 takes a free one, `::` is for both families. */
  readonly address: { readonly host: string; readonly port: number };
  /** All daemons hear this group. Or: */
  readonly multicast?: MulticastOptions | undefined;
  /** Some daemons; any live one is enough to find the others. Names are resolved, again and again. */
  readonly peers?: readonly { readonly host: string; readonly port: number }[] | undefined;
  /** What all daemons know and nobody else. None: datagrams carry no seal. */
  readonly secret?: Buffer | undefined;
  /** AES-256-GCM instead of HMAC-SHA-256. */
  readonly encrypt: boolean;
  /** Without a secret: be open to more than this machine. */
  readonly allowUnauthenticated: boolean;
  readonly receiveBufferBytes: number;
  readonly sendBufferBytes: number;
  readonly log: Log;
  /** A packet of the ring, opened and fresh. The receiver may keep it. */
  readonly onDatagram: (packet: Buffer) => void;
  /** Somebody else lives under our id; told once of each. `startedFirst`: that one, before us. */
  readonly onConflict: (other: {
    readonly name: string;
    readonly address: string;
    readonly startedFirst: boolean;
  }) => void;
}

export interface TransportPeer {
  readonly id: number;
  readonly name: string;
  readonly address: string;
  /** How long ago. */
  readonly lastHeardMs: number;
}

export interface Transport {
  /**
   * @throws TransportError
   * @throws ServiceError LISTEN_FAILED
   */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** To all: the group, or each peer that has proven itself. Never throws; nobody may be there. */
  multicast(packet: Uint8Array): void;
  /** Dropped and counted if the member isn't known. */
  unicast(to: number, packet: Uint8Array): void;
  /** While started. */
  readonly address: { readonly host: string; readonly port: number } | undefined;
  /** What header and seal add to a packet. */
  readonly overheadBytes: number;
  readonly peers: readonly TransportPeer[];
  readonly stats: Readonly<TransportStats>;
}

/** Shorter ones can be guessed. */
const SECRET_BYTES_MIN = 16;
const TICK_MS = 100;
/** Interfaces come and go seldom, and asking for them costs a system call for each. */
const OWN_HOSTS_TICKS = 50;

export function createTransport(options: TransportOptions): Transport {
  return new UdpTransport(options);
}

class UdpTransport implements Transport {
  readonly overheadBytes: number;
  readonly #options: TransportOptions;
  readonly #complaints = new Complaints();
  #sockets: Sockets | undefined;
  #exchange: Exchange | undefined;
  #seeds: Seeds | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: TransportOptions) {
    check(options);
    this.#options = options;
    this.overheadBytes = createSeals(options.secret, options.encrypt).overheadBytes;
  }

  async start(): Promise<void> {
    const { address, multicast, peers = [], receiveBufferBytes, sendBufferBytes, log } = this.#options;
    const sockets = await openSockets({
      address,
      multicast,
      receiveBufferBytes,
      sendBufferBytes,
      log,
      onDatagram: (datagram, from) => {
        this.#exchange?.receive(performance.now(), datagram, from.address, from.port);
      },
      onError: (error) => this.#onSendError(error),
    });
    this.#sockets = sockets;
    const exchange = this.#createExchange(sockets);
    this.#exchange = exchange;
    // Asks the group, if there is one.
    exchange.tick(performance.now());
    let own = ownHosts();
    let ticks = 0;
    this.#timer = setInterval(() => {
      exchange.tick(performance.now());
      if (++ticks % OWN_HOSTS_TICKS === 0) own = ownHosts();
      // Hearing oneself is a third of what a ring of three would receive. Who starts on this machine makes itself heard.
      const hosts = [...exchange.holders].map(({ address }) => plainHost(address.host).split('%')[0]!);
      sockets.setLoopback(hosts.length === 0 || hosts.some((host) => own.has(host)));
    }, TICK_MS);
    const { reach } = sockets;
    if (peers.length > 0) {
      const onAddresses = exchange.setSeeds.bind(exchange);
      this.#seeds = followSeeds({
        peers,
        reach,
        log,
        onAddresses: (addresses) => onAddresses(performance.now(), addresses),
      });
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#seeds?.close();
    const sockets = this.#sockets;
    this.#sockets = undefined;
    await sockets?.close();
  }

  multicast(packet: Uint8Array): void {
    if (this.#sockets !== undefined) this.#exchange?.multicast(packet);
  }

  unicast(to: number, packet: Uint8Array): void {
    if (this.#sockets !== undefined) this.#exchange?.unicast(to, packet);
  }

  get address(): { readonly host: string; readonly port: number } | undefined {
    return this.#sockets?.address;
  }

  get peers(): readonly TransportPeer[] {
    const now = performance.now();
    const peers: TransportPeer[] = [];
    for (const { id, name, address, heardMs } of this.#exchange?.holders ?? []) {
      peers.push({ id, name, address: showAddress(address), lastHeardMs: now - heardMs });
    }
    return peers;
  }

  get stats(): Readonly<TransportStats> {
    return this.#exchange?.stats ?? createStats();
  }

  #createExchange(sockets: Sockets): Exchange {
    const { id, name, secret, encrypt, onDatagram } = this.#options;
    const exchange: Exchange = new Exchange({
      id,
      name,
      now: performance.now(),
      secret,
      encrypt,
      reach: sockets.reach,
      group: sockets.group,
      send: (datagram, to) => {
        if (sockets.send(datagram, to)) {
          exchange.stats.sent++;
          exchange.stats.sentBytes += datagram.length;
        } else exchange.stats.sendDropped++;
      },
      onPacket: onDatagram,
      onEvent: (event) => this.#onEvent(event),
    });
    return exchange;
  }

  #onEvent(event: ExchangeEvent): void {
    const { log, onConflict } = this.#options;
    switch (event.kind) {
      case 'met':
        log.info(
          { peer: event.name, peerId: event.id, address: showAddress(event.address) },
          'a daemon proved itself',
        );
        return;
      case 'conflict':
        onConflict({
          name: event.name,
          address: showAddress(event.address),
          startedFirst: event.startedFirst,
        });
        return;
      case 'rivals':
        if (!this.#complaints.due(performance.now(), `rivals ${event.id}`)) return;
        log.error(
          { peer: event.name, peerId: event.id, addresses: event.addresses.map(showAddress) },
          'two daemons live under one name: stop one, or give it another name',
        );
        return;
      case 'stranger': {
        const { from, why } = event;
        if (!this.#complaints.due(performance.now(), `${why} ${from.host} ${from.port}`)) return;
        log.warn({ address: showAddress(from) }, STRANGER[why]);
        return;
      }
    }
  }

  #onSendError(error: NodeJS.ErrnoException): void {
    const exchange = this.#exchange;
    if (exchange !== undefined) exchange.stats.sendErrors++;
    if (!this.#complaints.due(performance.now(), `send ${error.code}`)) return;
    this.#options.log.warn({ err: error }, 'a datagram could not be sent');
  }
}

const STRANGER = {
  otherSeal:
    'datagrams that are sealed in another way than ours: give all daemons the same secret and the same choice of encryption',
  badSeal: 'datagrams whose seal is wrong: another secret, or somebody alters or forges them',
} as const;

function check(options: TransportOptions): void {
  const { name, address, multicast, peers, secret, encrypt, allowUnauthenticated } = options;
  const nameBytes = Buffer.byteLength(name);
  if (nameBytes === 0 || nameBytes > NAME_BYTES_MAX) {
    throw new RangeError(`A daemon's name has 1 to ${NAME_BYTES_MAX} bytes, not ${nameBytes}.`);
  }
  if (multicast !== undefined && peers !== undefined && peers.length > 0) {
    throw new TransportError(
      'TRANSPORT_ADDRESSES',
      'Give the ring a multicast group or peers, not both: with a group, everybody is found by it.',
    );
  }
  if (secret === undefined && encrypt) {
    throw new TransportError(
      'TRANSPORT_SECRET',
      'The ring can only be encrypted with a secret: give it one.',
    );
  }
  if (secret !== undefined && secret.length < SECRET_BYTES_MIN) {
    throw new TransportError(
      'TRANSPORT_SECRET',
      `The ring's secret has ${secret.length} bytes: give it at least ${SECRET_BYTES_MIN} that nobody can guess.`,
    );
  }
  const over = multicast?.interface;
  const isOpen =
    !isLoopback(plainHost(address.host)) || (over !== undefined && !isLoopback(over) && over !== 'lo');
  if (secret === undefined && isOpen && !allowUnauthenticated) {
    throw new TransportError(
      'TRANSPORT_UNPROTECTED',
      `Without a secret anybody who reaches ${address.host} could forge the ring's messages: give the ring a secret, or bind 127.0.0.1, or allow it to be insecure.`,
    );
  }
}

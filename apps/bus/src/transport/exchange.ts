/**
 * Datagrams as bytes on the one side, ring packets on the other: seals, freshness, and the talk by which daemons get
 * to know each other. No sockets and no clock.
 */
import { randomBytes } from 'node:crypto';
import {
  ADDRESSES_MAX,
  counterOf,
  decodeAddresses,
  decodeProof,
  decodeQuestion,
  EnvelopeKind,
  encodeAddresses,
  encodeProof,
  encodeQuestion,
  INSTANCE_AT,
  INSTANCE_BYTES,
  isEnvelope,
  kindOf,
  NONCE_BYTES,
  SealCode,
  sealCodeOf,
} from '@rookery/protocol/bus';
import { type Address, normalAddress, plainHost, type Reach } from './address.ts';
import { Directory, type DirectoryOutput, type Instance } from './directory.ts';
import { createSeals, type Opener, type Sealer, type Seals } from './seal.ts';
import { createStats, type TransportStats } from './stats.ts';

export interface ExchangeOptions {
  readonly id: number;
  readonly name: string;
  readonly now: number;
  readonly secret: Buffer | undefined;
  readonly encrypt: boolean;
  readonly reach: Reach;
  /** Where one datagram reaches all; else each peer gets one. */
  readonly group: Address | undefined;
  /** Must not keep the datagram for longer than the system takes to send it. */
  readonly send: (datagram: Buffer, to: Address) => void;
  readonly onPacket: (packet: Buffer) => void;
  readonly onEvent: (event: ExchangeEvent) => void;
}

/** What people may want to know. */
export type ExchangeEvent =
  | Extract<DirectoryOutput, { kind: 'met' | 'conflict' | 'rivals' }>
  /** Somebody whose datagrams can't be opened. */
  | { readonly kind: 'stranger'; readonly why: 'badSeal' | 'otherSeal'; readonly from: Address };

export class Exchange {
  readonly stats: TransportStats = createStats();
  readonly #options: ExchangeOptions;
  readonly #instance: Buffer = randomBytes(INSTANCE_BYTES);
  readonly #key: string = this.#instance.toString('latin1');
  readonly #seals: Seals;
  readonly #seal: Sealer;
  readonly #directory: Directory<Opener>;
  #counter = 0;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.#seals = createSeals(options.secret, options.encrypt);
    this.#seal = this.#seals.sealer(this.#instance);
    this.#directory = new Directory({
      id: options.id,
      key: this.#key,
      now: options.now,
      nonce: () => randomBytes(NONCE_BYTES),
      group: options.group,
    });
  }

  get overheadBytes(): number {
    return this.#seals.overheadBytes;
  }

  get holders(): IterableIterator<Instance<Opener>> {
    return this.#directory.holders;
  }

  // hot: once per packet of the ring.
  multicast(packet: Uint8Array): void {
    const { group, send } = this.#options;
    const targets = this.#directory.targets;
    if (group === undefined && targets.length === 0) return;
    const datagram = this.#seal(EnvelopeKind.packet, ++this.#counter, packet);
    if (group !== undefined) send(datagram, group);
    else for (const address of targets) send(datagram, address);
  }

  // hot: once per token.
  unicast(to: number, packet: Uint8Array): void {
    const holder = this.#directory.holder(to);
    if (holder === undefined) this.stats.unknownMember++;
    else this.#options.send(this.#seal(EnvelopeKind.packet, ++this.#counter, packet), holder.address);
  }

  // hot: once per datagram received.
  /** Any bytes, from anybody. The datagram is kept. Never throws. */
  receive(now: number, datagram: Buffer, host: string, port: number): void {
    const { stats } = this;
    stats.received++;
    stats.receivedBytes += datagram.length;
    if (!isEnvelope(datagram)) {
      stats.malformed++;
      return;
    }
    // Nearly all are from the few members: comparing bytes is cheaper than making a key of them.
    let known = this.#directory.holderOf(datagram, INSTANCE_AT);
    const key = known?.key ?? datagram.toString('latin1', INSTANCE_AT, INSTANCE_AT + INSTANCE_BYTES);
    // Our own multicast, before anything that costs.
    if (key === this.#key) {
      stats.own++;
      return;
    }
    known ??= this.#directory.find(key);
    const from =
      known !== undefined && known.address.port === port && known.address.host === host
        ? known.address
        : { host, port, key: `${host} ${port}` };
    if (sealCodeOf(datagram) !== this.#seals.code) {
      stats.otherSeal++;
      this.#options.onEvent({ kind: 'stranger', why: 'otherSeal', from });
      return;
    }
    const open = known === undefined ? this.#seals.opener(datagram) : known.open;
    const body = open(datagram);
    if (body === undefined) {
      stats.badSeal++;
      this.#options.onEvent({ kind: 'stranger', why: 'badSeal', from });
      return;
    }
    const instance = known ?? this.#directory.add(now, key, open, from);
    const counter = counterOf(datagram);
    const admission = this.#directory.admit(now, instance, from, counter);
    const kind = kindOf(datagram);
    if (admission === 'replayed') {
      stats.replayed++;
      if (this.#seals.code !== SealCode.none) return;
      // Anybody can have used up the counters that this instance has before it: both go on asking and answering, until
      // a proof shows where it is.
      this.#directory.doubt(now, instance, from, counter);
      if (kind !== EnvelopeKind.whoAreYou && kind !== EnvelopeKind.thisIsMe) {
        this.#act(now);
        return;
      }
    }
    if (kind === EnvelopeKind.packet && admission === 'fresh') {
      stats.packets++;
      this.#options.onPacket(body);
    } else this.#talk(now, instance, from, kind, body, counter, admission === 'fresh');
    if (admission === 'fresh' && from.key !== instance.address.key)
      this.#directory.wonder(now, instance, from);
    this.#act(now);
  }

  setSeeds(now: number, seeds: readonly Address[]): void {
    this.#directory.setSeeds(now, seeds);
    this.#act(now);
  }

  tick(now: number): void {
    this.#directory.tick(now);
    this.#act(now);
  }

  #talk(
    now: number,
    instance: Instance<Opener>,
    from: Address,
    kind: EnvelopeKind,
    body: Buffer,
    counter: number,
    proven: boolean,
  ): void {
    const { stats } = this;
    switch (kind) {
      case EnvelopeKind.packet:
        stats.unproven++;
        this.#directory.wonder(now, instance, from);
        return;
      case EnvelopeKind.whoAreYou: {
        const nonce = decodeQuestion(body);
        if (nonce === undefined) stats.malformed++;
        else this.#directory.question(now, instance, from, nonce);
        return;
      }
      case EnvelopeKind.thisIsMe: {
        const proof = decodeProof(body);
        if (proof === undefined) stats.malformed++;
        else if (!this.#directory.proof(now, instance, from, proof, counter)) stats.badProof++;
        return;
      }
      case EnvelopeKind.others: {
        const addresses = decodeAddresses(body);
        if (!proven) {
          stats.unproven++;
          this.#directory.wonder(now, instance, from);
        } else if (addresses === undefined) stats.malformed++;
        else this.#directory.others(now, this.#reachable(addresses));
        return;
      }
    }
  }

  #reachable(addresses: readonly { host: string; port: number }[]): Address[] {
    const reachable: Address[] = [];
    for (const { host, port } of addresses) {
      const address = normalAddress(host, port, this.#options.reach);
      if (address !== undefined) reachable.push(address);
    }
    return reachable;
  }

  #act(now: number): void {
    for (const output of this.#directory.take()) {
      switch (output.kind) {
        case 'ask':
          this.stats.asked++;
          this.#say(EnvelopeKind.whoAreYou, encodeQuestion(output.nonce), output.to);
          break;
        case 'answer': {
          const { id, name, now: startedMs } = this.#options;
          this.stats.answered++;
          const proof = { nonce: output.nonce, id, name, ageMs: now - startedMs };
          this.#say(EnvelopeKind.thisIsMe, encodeProof(proof), output.to);
          break;
        }
        case 'tell':
          this.#tell(output.addresses, output.to);
          break;
        case 'conflict':
        case 'rivals':
          this.stats.conflicts++;
          this.#options.onEvent(output);
          break;
        case 'met':
          this.#options.onEvent(output);
          break;
      }
    }
    this.stats.limited = this.#directory.limited;
  }

  #tell(addresses: readonly Address[], to: Address): void {
    const plain = addresses.map(({ host, port }) => ({ host: plainHost(host), port }));
    // One at least, if it is empty.
    for (let at = 0; at === 0 || at < plain.length; at += ADDRESSES_MAX) {
      this.#say(EnvelopeKind.others, encodeAddresses(plain.slice(at, at + ADDRESSES_MAX)), to);
    }
  }

  #say(kind: EnvelopeKind, body: Buffer, to: Address): void {
    this.#options.send(this.#seal(kind, ++this.#counter, body), to);
  }
}

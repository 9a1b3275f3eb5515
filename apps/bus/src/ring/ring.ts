/** The ring as its shell sees it: inputs, outputs, the next deadline. Which file does what: docs/internals/ring.md. */
import { decodePacket, type Packet, PacketType, type Service, serviceCode } from '@rookery/protocol/bus';
import { type Core, createCore, isRepresentative, type RingStats, type State } from './core.ts';
import { goOn, onCommit, storeUpTo } from './membership/commit.ts';
import { enterGather, onJoin } from './membership/gather.ts';
import { onPresence } from './membership/strangers.ts';
import { onData } from './operational.ts';
import { hurry } from './send.ts';
import { checkSettings, DEFAULT_SETTINGS, type RingSettings } from './settings.ts';
import { forgiveStall, nextDeadline, runTimers } from './timers.ts';
import { onHurry, onToken, releaseHeld } from './token.ts';
import type { Configuration, RingOutput } from './types.ts';

export interface RingOptions {
  /** 1 to 2^32 - 1; unique in the network. The lowest of a ring represents it. */
  readonly id: number;
  /** Milliseconds of any clock that never goes back; fractions allowed. */
  readonly now: number;
  /** What the last `store` output of any earlier life of this id was; 0 for the first. */
  readonly storedRingSequence: number;
  readonly settings?: Partial<RingSettings>;
}

export interface RingStatus {
  readonly state: State;
  /** The regular configuration that was installed last. */
  readonly configuration: Configuration | undefined;
  readonly queuedBytes: number;
  readonly stats: Readonly<RingStats>;
}

/**
 * A member of a ring. Every input may leave outputs: `take` them after each and do them in their order. `now` is in
 * milliseconds and never goes back.
 */
export interface Ring {
  /** A datagram came. It is kept: don't write to it afterwards. What is no packet of ours is counted and dropped. */
  receive(now: number, datagram: Uint8Array): void;
  /**
   * A message for everybody, this process included. The payload is read later: don't write to it afterwards.
   * False: it is too large, or too much waits already; try again when `status.queuedBytes` is lower.
   */
  submit(now: number, service: Service, payload: Uint8Array): boolean;
  /** Like `submit`, but calls for the token only at the next `urge`: many small messages then share a packet. */
  enqueue(now: number, service: Service, payload: Uint8Array): boolean;
  /** Calls for the token, if there is something to send. */
  urge(now: number): void;
  /** To be called at `deadline` or soon after. After a stop of the process, first `receive` what the sockets hold. */
  tick(now: number): void;
  /** The sequence of a `store` output is on disk. */
  stored(now: number, ringSequence: number): void;
  take(): readonly RingOutput[];
  /** When `tick` is due; Infinity if it isn't. */
  readonly deadline: number;
  /** Whether a token that waits beside data should be received first (true) or last. */
  readonly prefersToken: boolean;
  readonly status: RingStatus;
}

export function createRing(options: RingOptions): Ring {
  const settings = { ...DEFAULT_SETTINGS, ...options.settings };
  checkSettings(settings);
  if (!Number.isInteger(options.id) || options.id < 1 || options.id > 2 ** 32 - 1) {
    throw new RangeError(`A ring's member needs an id from 1 to 2^32 - 1, not ${options.id}.`);
  }
  return new RingMember(createCore(options.id, options.now, options.storedRingSequence, settings));
}

class RingMember implements Ring {
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
    // Another life of this id: its number is stored before anybody hears of it.
    storeUpTo(core, core.usedSequence);
  }

  receive(now: number, datagram: Uint8Array): void {
    const core = this.#core;
    core.now = now;
    const packet = decodePacket(datagram);
    if (typeof packet === 'string') {
      core.stats.badPackets++;
      return;
    }
    // A multicast that came back.
    if (packet.sender === core.id) return;
    forgiveStall(core);
    handle(core, packet);
    settle(core);
  }

  submit(now: number, service: Service, payload: Uint8Array): boolean {
    if (!this.enqueue(now, service, payload)) return false;
    this.urge(now);
    return true;
  }

  enqueue(now: number, service: Service, payload: Uint8Array): boolean {
    const { settings, queue } = this.#core;
    this.#core.now = now;
    if (payload.length > settings.messageBytes) return false;
    if (queue.bytes + payload.length > settings.queueBytes) return false;
    queue.push(serviceCode(service), payload);
    return true;
  }

  urge(now: number): void {
    const core = this.#core;
    const { queue, current } = core;
    core.now = now;
    if (queue.bytes === 0) return;
    if (core.held !== undefined) releaseHeld(core);
    else if (core.state === 'operational' && current.idle && !current.hurried && !isRepresentative(core)) {
      hurry(core);
    }
    settle(core);
  }

  tick(now: number): void {
    const core = this.#core;
    core.now = now;
    forgiveStall(core);
    runTimers(core);
    settle(core);
  }

  stored(now: number, ringSequence: number): void {
    const core = this.#core;
    core.now = now;
    core.storedSequence = Math.max(core.storedSequence, ringSequence);
    if (core.state === 'starting') enterGather(core);
    else goOn(core);
    settle(core);
  }

  // hot: twice per packet received.
  take(): readonly RingOutput[] {
    const { outputs } = this.#core;
    if (outputs.length === 0) return NOTHING;
    this.#core.outputs = [];
    return outputs;
  }

  get deadline(): number {
    return nextDeadline(this.#core.deadlines);
  }

  get prefersToken(): boolean {
    return this.#core.tokenFirst;
  }

  get status(): RingStatus {
    const { state, configuration, queue, stats } = this.#core;
    return { state, configuration, queuedBytes: queue.bytes, stats };
  }
}

const NOTHING: readonly RingOutput[] = [];

function handle(core: Core, packet: Packet): void {
  switch (packet.type) {
    case PacketType.data:
      onData(core, packet);
      return;
    case PacketType.token:
      onToken(core, packet);
      return;
    case PacketType.hurry:
      onHurry(core, packet);
      return;
    case PacketType.join:
      onJoin(core, packet);
      return;
    case PacketType.commit:
      onCommit(core, packet);
      return;
    case PacketType.presence:
      onPresence(core, packet);
      return;
  }
}

/** A ring of one passes the token to itself until nothing is left to do. */
function settle(core: Core): void {
  for (let packet = core.looped.shift(); packet !== undefined; packet = core.looped.shift()) {
    handle(core, packet);
  }
}

/** The shell of one simulated member: a ring, its socket's buffer, its timer, its disk of one number, its lives. */
import type { Random, SimulatedClock, SimulatedNetwork } from '@rookery/testkit';
import { createRing, type Ring, type RingSettings, type Service } from '../../src/index.ts';
import { messageName, type ProcessHistory, type SentMessage, Violation } from './history.ts';
import type { Plan } from './plan.ts';

/** What the members of a cluster share. */
export interface World {
  readonly clock: SimulatedClock;
  readonly network: SimulatedNetwork;
  readonly random: Random;
  readonly settings: Partial<RingSettings>;
  /** Bounds of the time that storing a ring sequence takes. */
  readonly storeMs: readonly [number, number];
  readonly processes: ProcessHistory[];
  /** All messages of all processes, by key. */
  readonly messages: SentMessage[];
  readonly trace: (text: string) => void;
  /** Bends what a member sees or does; for tests of the checker. */
  readonly bend: Bend;
  /** Told after each thing a member did; for an adversary that waits for the worst moment. */
  readonly watch: (member: Member, installed: boolean) => void;
  toleratesForgeries: boolean;
  /** An error inside a member, to be thrown by whoever drives the clock. */
  failure: unknown;
}

export interface Bend {
  /** Around the ring of a member. */
  readonly ring?: (ring: Ring, id: number) => Ring;
  readonly forgetsRingSequence?: boolean;
  /** Instead of what the seed draws. */
  readonly plan?: Partial<Plan>;
}

/** Datagrams that a stopped process's socket keeps. */
const SOCKET_DATAGRAMS = 400;
const KEY_BYTES = 4;

export class Member {
  readonly id: number;
  readonly #world: World;
  #ring: Ring | undefined;
  #history: ProcessHistory | undefined;
  #life = 0;
  #stored = 0;
  #stopped = false;
  #socket: Uint8Array[] = [];
  #timer: unknown;
  #timerAtMs = Number.POSITIVE_INFINITY;
  submitted = 0;
  delivered = 0;

  constructor(id: number, world: World) {
    this.id = id;
    this.#world = world;
  }

  get ring(): Ring | undefined {
    return this.#ring;
  }

  get history(): ProcessHistory | undefined {
    return this.#history;
  }

  get isStopped(): boolean {
    return this.#stopped;
  }

  start(): void {
    const world = this.#world;
    const history: ProcessHistory = {
      id: this.id,
      name: `${this.id}#${this.#life++}`,
      crashed: false,
      events: [],
    };
    world.processes.push(history);
    this.#history = history;
    const ring = createRing({
      id: this.id,
      now: world.clock.elapsedMs,
      storedRingSequence: this.#stored,
      settings: world.settings,
    });
    this.#ring = world.bend.ring?.(ring, this.id) ?? ring;
    this.submitted = 0;
    this.delivered = 0;
    world.network.attach(this.id, (bytes) => this.#arrive(bytes));
    this.#drain();
  }

  /** Memory is lost; what is stored stays. */
  crash(): void {
    if (this.#history !== undefined) this.#history.crashed = true;
    this.#ring = undefined;
    this.#history = undefined;
    this.#stopped = false;
    this.#socket = [];
    this.#world.network.detach(this.id);
    this.#disarm();
  }

  stop(): void {
    if (this.#ring === undefined) return;
    this.#stopped = true;
    this.#disarm();
  }

  resume(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    const waiting = this.#socket;
    this.#socket = [];
    for (const bytes of waiting) this.#receive(bytes);
    this.#drain();
  }

  /** False if the ring refused it. */
  submit(service: Service, length: number): boolean {
    const ring = this.#ring;
    const history = this.#history;
    if (ring === undefined || history === undefined || this.#stopped) return false;
    const { messages, clock } = this.#world;
    const key = messages.length;
    const payload = Buffer.alloc(Math.max(KEY_BYTES, length), key & 0xff);
    payload.writeUInt32LE(key);
    const message: SentMessage = { key, sender: history, service, payload };
    messages.push(message);
    // Before the ring sees it: a ring of one delivers at once.
    history.events.push({ kind: 'submit', message });
    if (!ring.submit(clock.elapsedMs, service, payload)) {
      history.events.splice(
        history.events.findLastIndex((event) => event.kind === 'submit'),
        1,
      );
      return false;
    }
    this.submitted++;
    this.#drain();
    return true;
  }

  /** A datagram out of nowhere. */
  inject(bytes: Uint8Array): void {
    if (this.#ring !== undefined) this.#arrive(bytes);
  }

  #arrive(bytes: Uint8Array): void {
    if (this.#stopped) {
      if (this.#socket.length < SOCKET_DATAGRAMS) this.#socket.push(bytes);
      return;
    }
    this.#receive(bytes);
    this.#drain();
  }

  #receive(bytes: Uint8Array): void {
    try {
      this.#ring?.receive(this.#world.clock.elapsedMs, bytes);
    } catch (error) {
      this.#world.failure ??= error;
    }
  }

  #tick(): void {
    this.#timer = undefined;
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    try {
      this.#ring?.tick(this.#world.clock.elapsedMs);
    } catch (error) {
      this.#world.failure ??= error;
    }
    this.#drain();
  }

  #disarm(): void {
    this.#world.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#timerAtMs = Number.POSITIVE_INFINITY;
  }

  #drain(): void {
    const { network } = this.#world;
    const ring = this.#ring;
    if (ring === undefined) return;
    let installed = false;
    for (const output of ring.take()) {
      switch (output.kind) {
        case 'multicast':
          network.multicast(this.id, output.bytes);
          break;
        case 'unicast':
          network.send(this.id, output.to, output.bytes);
          break;
        case 'store':
          this.#store(output.ringSequence);
          break;
        case 'configuration': {
          const { configuration } = output;
          installed = true;
          this.#history?.events.push({ kind: 'configuration', configuration });
          this.#world.trace(
            `${this.#history?.name} ${configuration.kind} ${configuration.ring.representative}/${configuration.ring.sequence} [${configuration.members}]`,
          );
          break;
        }
        case 'deliver':
          this.#deliver(output.sender, output.service, output.payload, output.configuration);
          break;
      }
    }
    this.#world.watch(this, installed);
    this.#arm(ring);
  }

  #arm(ring: Ring): void {
    const { clock } = this.#world;
    if (ring !== this.#ring) return;
    const deadline = ring.deadline;
    // A timer that is too early only asks again; so most need not be moved.
    if (deadline >= this.#timerAtMs) return;
    clock.clearTimeout(this.#timer);
    this.#timerAtMs = deadline;
    this.#timer =
      deadline === Number.POSITIVE_INFINITY
        ? undefined
        : clock.schedule(() => this.#onTimer(), Math.max(0, deadline - clock.elapsedMs));
  }

  #onTimer(): void {
    const ring = this.#ring;
    if (ring !== undefined && ring.deadline > this.#world.clock.elapsedMs) {
      this.#timerAtMs = Number.POSITIVE_INFINITY;
      this.#timer = undefined;
      this.#drain();
      return;
    }
    this.#tick();
  }

  #store(ringSequence: number): void {
    const { clock, random, storeMs } = this.#world;
    const history = this.#history;
    clock.schedule(
      () => {
        // A crash meanwhile: it may be on disk or not.
        if (this.#history !== history && !random.chance(0.5)) return;
        if (!this.#world.bend.forgetsRingSequence) this.#stored = Math.max(this.#stored, ringSequence);
        if (this.#history !== history) return;
        this.#ring?.stored(clock.elapsedMs, ringSequence);
        if (!this.#stopped) this.#drain();
      },
      storeMs[0] + random.float() * (storeMs[1] - storeMs[0]),
    );
  }

  #deliver(
    sender: number,
    service: Service,
    payload: Buffer,
    configuration: import('../../src/index.ts').Configuration,
  ): void {
    const { messages } = this.#world;
    const message = payload.length < KEY_BYTES ? undefined : messages[payload.readUInt32LE()];
    if (
      message === undefined ||
      message.sender.id !== sender ||
      message.service !== service ||
      !message.payload.equals(payload)
    ) {
      if (this.#world.toleratesForgeries) return;
      const name = message === undefined ? 'something' : messageName(message);
      this.#world.failure ??= new Violation(
        '1 no creation',
        `${this.#history?.name} delivered what nobody sent: ${name}`,
      );
      return;
    }
    this.delivered++;
    this.#history?.events.push({ kind: 'deliver', message, configuration });
  }
}

/** The ring over datagrams: drives the pure ring with a clock, a transport and a file for its number. */
import { PacketType } from '@rookery/protocol/bus';
import { createRing, type Ring } from '../ring/ring.ts';
import { DEFAULT_SETTINGS, type RingSettings } from '../ring/settings.ts';
import type { RingOutput, Service } from '../ring/types.ts';
import type { Engine, EngineOutput, EngineStatus } from './engine.ts';

/** What the engine needs of a transport; none for a daemon that is alone by configuration. */
export interface RingTransport {
  multicast(packet: Uint8Array): void;
  unicast(to: number, packet: Uint8Array): void;
  readonly peers: EngineStatus['peers'];
  readonly stats: Readonly<Record<string, number>>;
}

export interface RingEngineOptions {
  readonly id: number;
  readonly settings: Partial<RingSettings>;
  /** From the last life; see `sequence-file.ts`. */
  readonly storedSequence: () => Promise<number>;
  /** Resolves when it is kept. */
  readonly storeSequence: (sequence: number) => Promise<void>;
  readonly transport: RingTransport | undefined;
  /** The engine can't go on; `stop` is the caller's. */
  readonly onFailure: (error: Error) => void;
}

/** How long `stop` waits for what was submitted to come round. */
const LEAVE_MS = 500;

export interface RingEngine extends Engine {
  /** A packet from the transport; it is kept. */
  receive(packet: Buffer): void;
}

export function createRingEngine(options: RingEngineOptions): RingEngine {
  const { id, transport } = options;
  const settings = { ...DEFAULT_SETTINGS, ...options.settings };
  let ring: Ring | undefined;
  let onOutput: (output: EngineOutput) => void = () => undefined;
  let timer: NodeJS.Timeout | undefined;
  let timerAtMs = Number.POSITIVE_INFINITY;
  let draining = false;
  let started = false;
  let storing: Promise<void> = Promise.resolve();
  const firstStored = Promise.withResolvers<void>();
  /** Something was submitted since the token was last called for. */
  let urging = false;
  /** Tokens that wait for the data which may still lie in the socket beside them. */
  let tokens: Buffer[] = [];
  let released: NodeJS.Immediate | undefined;
  const now = (): number => performance.now();

  function receive(packet: Buffer): void {
    if (ring === undefined) return;
    if (packet[1] === PacketType.token && !ring.prefersToken) {
      tokens.push(packet);
      released ??= setImmediate(releaseTokens);
      return;
    }
    ring.receive(now(), packet);
    drain();
  }

  function releaseTokens(): void {
    released = undefined;
    const waiting = tokens;
    tokens = [];
    for (const packet of waiting) ring?.receive(now(), packet);
    drain();
  }

  function submit(service: Service, payload: Uint8Array): boolean {
    if (ring === undefined || !ring.enqueue(now(), service, payload)) return false;
    if (!urging) {
      urging = true;
      // What a client sends in one piece goes out together.
      if (!draining) queueMicrotask(drain);
    }
    return true;
  }

  function drain(): void {
    if (ring === undefined || draining) return;
    draining = true;
    try {
      for (;;) {
        const outputs = ring.take();
        for (const output of outputs) carryOut(output);
        if (urging) {
          urging = false;
          ring.urge(now());
        } else if (outputs.length === 0) break;
      }
    } finally {
      draining = false;
    }
    arm();
  }

  function carryOut(output: RingOutput): void {
    switch (output.kind) {
      case 'multicast':
        transport?.multicast(output.bytes);
        break;
      case 'unicast':
        transport?.unicast(output.to, output.bytes);
        break;
      case 'store':
        store(output.ringSequence);
        break;
      default:
        onOutput(output);
    }
  }

  /** One after the other: a ring that can't wait for a slow disk asks for the next number, and the lower one must not win. */
  function store(ringSequence: number): void {
    storing = storing
      .then(() => options.storeSequence(ringSequence))
      .then(
        () => {
          ring?.stored(now(), ringSequence);
          drain();
          firstStored.resolve();
        },
        (error: Error) => {
          firstStored.reject(error);
          if (started) options.onFailure(error);
        },
      );
  }

  /** One timer, moved only to an earlier time: deadlines are put off with nearly every packet. */
  function arm(): void {
    if (ring === undefined) return;
    const { deadline } = ring;
    if (deadline >= timerAtMs || deadline === Number.POSITIVE_INFINITY) return;
    clearTimeout(timer);
    timerAtMs = deadline;
    timer = setTimeout(tick, Math.max(0, deadline - now()));
  }

  function tick(): void {
    timerAtMs = Number.POSITIVE_INFINITY;
    if (ring === undefined) return;
    if (ring.deadline <= now()) ring.tick(now());
    drain();
  }

  return {
    name: 'engine',
    id,
    async start() {
      const storedRingSequence = await options.storedSequence();
      ring = createRing({ id, now: now(), storedRingSequence, settings: options.settings });
      drain();
      // Whose number can't be kept has no ring, and shouldn't say that it listens.
      await firstStored.promise;
      started = true;
    },
    async stop() {
      const until = now() + LEAVE_MS;
      while (ring !== undefined && ring.status.queuedBytes > 0 && now() < until) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      ring = undefined;
      firstStored.reject(new Error('stopped before the ring could form'));
      clearTimeout(timer);
      if (released !== undefined) clearImmediate(released);
    },
    get onOutput() {
      return onOutput;
    },
    set onOutput(value) {
      onOutput = value;
    },
    receive,
    submit,
    get queuedBytes() {
      return ring?.status.queuedBytes ?? 0;
    },
    payloadBytesMax: settings.messageBytes,
    status() {
      const status = ring?.status;
      return {
        state: status?.state ?? 'stopped',
        configuration: status?.configuration,
        queuedBytes: status?.queuedBytes ?? 0,
        counters: { ...status?.stats, ...transport?.stats },
        peers: transport?.peers ?? [],
      };
    },
  };
}

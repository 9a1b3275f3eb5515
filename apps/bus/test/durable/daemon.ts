/** A simulated daemon that keeps a group: a ring, groups, and a log on a simulated disk, which outlives crashes. */

import { DiskError, openLog, type SyncMode } from '@rookery/storage';
import {
  type CrashKind,
  type ProgramLife,
  type Random,
  type SimulatedClock,
  SimulatedDisk,
  type SimulatedNetwork,
} from '@rookery/testkit';
import { Durable } from '../../src/durable/durable.ts';
import type { KeptGroup } from '../../src/durable/group.ts';
import type { Reader, Reading, ReadRequest } from '../../src/durable/reading/reading.ts';
import type { Stored } from '../../src/durable/stored.ts';
import { Vector } from '../../src/durable/vector.ts';
import type { EngineOutput } from '../../src/engine/engine.ts';
import { Groups } from '../../src/groups/groups.ts';
import { createRing, type Ring, type RingSettings } from '../../src/index.ts';
import type { Configuration } from '../../src/ring/types.ts';

const GROUP = 'events';

export interface DurableWorld {
  readonly clock: SimulatedClock;
  readonly network: SimulatedNetwork;
  readonly random: Random;
  readonly settings: Partial<RingSettings>;
  readonly sync: SyncMode;
  /** Changes what a daemon hears, for tests of the checker. */
  readonly bend: (output: EngineOutput, daemon: number) => EngineOutput[];
}

/** A configuration that a daemon lived in, with what it held when it began. */
export interface Begun {
  readonly members: readonly number[];
  readonly held: Vector;
}

/** One append to a log, with the configuration of that moment. */
export interface Appended {
  readonly ring: string;
}

export class Daemon {
  readonly id: number;
  readonly keeps: boolean;
  /** By the ring's name. */
  readonly begun = new Map<string, Begun>();
  /** What stands in the log: appended in this life and those before, but for what a crash took. */
  readonly appended = new Map<number, Appended>();
  /** Messages that it was delivered by the ring, by stamp. */
  readonly delivered = new Set<string>();
  /** Times that senders were asked to wait for its log. */
  pressed = 0;
  readonly #world: DurableWorld;
  readonly #disk: SimulatedDisk;
  #ring: Ring | undefined;
  #groups: Groups | undefined;
  #durable: Durable | undefined;
  #programClock: ProgramLife | undefined;
  #stored = 0;
  #life = 0;
  #timer: unknown;
  #current = '';
  /** Called in the order of sending, when a message is confirmed. */
  #confirming: (() => void)[] = [];

  constructor(id: number, keeps: boolean, world: DurableWorld) {
    this.id = id;
    this.keeps = keeps;
    this.#world = world;
    this.#disk = new SimulatedDisk({
      clock: world.clock,
      random: world.random.fork(`disk ${id}`),
      makeError: (code, message) => new DiskError(code, message),
    });
  }

  get ring(): Ring | undefined {
    return this.#ring;
  }

  get group(): KeptGroup | undefined {
    return this.#durable?.group(GROUP);
  }

  /** Also where it doesn't keep the group; `undefined` if it doesn't live, or has found no keeper yet. */
  read(request: Omit<ReadRequest, 'group' | 'filter'>, reader: Reader): Reading | undefined {
    const reading = this.#durable?.read({ group: GROUP, filter: {}, ...request }, reader);
    return typeof reading === 'object' ? reading : undefined;
  }

  /** Senders to the group are to wait. */
  get isPressed(): boolean {
    return this.#groups?.isPressed(GROUP) ?? false;
  }

  get queuedBytes(): number {
    return this.#ring?.status.queuedBytes ?? 0;
  }

  async start(): Promise<void> {
    const { clock, network, settings, sync } = this.#world;
    const life = ++this.#life;
    const programClock = clock.life();
    this.#programClock = programClock;
    const durable = new Durable({
      id: this.id,
      patterns: this.keeps
        ? { 'ev*': { retentionMs: 0, retentionBytes: 0, lastValue: true, lastValueKeys: 1000 } }
        : {},
      log: {
        disk: this.#disk,
        directory: '/data',
        sync,
        clock: programClock,
        segmentBytes: 16 * 1024,
        maxPayloadBytes: 4096,
        backlogBytes: 2 * 1024,
        // A fill and little more: less than what is under way when senders are asked to wait.
        reserveBytes: 128 * 1024,
        randomBytes: (size) => this.#world.random.bytes(size),
      },
      maxGroups: 10,
      findingMs: 1000,
      checkpointMessages: 10,
      submit: (payload) => {
        const taken = this.#ring?.submit(clock.elapsedMs, 'agreed', Buffer.from(payload)) ?? false;
        if (taken) programClock.defer(() => this.#drain());
        return taken;
      },
      queuedBytes: () => this.queuedBytes,
      now: () => clock.now(),
      press: (group, on) => {
        if (on) this.pressed++;
        this.#groups?.press(group, on, 'log');
        programClock.defer(() => this.#drain());
      },
      isPressed: (group) => this.#groups?.isPressed(group) ?? false,
      onLogEvent: () => undefined,
      onNotKept: () => undefined,
      onFailure: (error) => {
        if (life === this.#life) throw error;
      },
      open: async (options) => {
        const log = await openLog(options);
        const create = log.createStream.bind(log);
        const watch = (stream: ReturnType<typeof create>): typeof stream => {
          if (!stream.name.startsWith('k:')) return stream;
          const append = stream.append.bind(stream);
          const watched = (...given: Parameters<typeof append>) => {
            const entry = append(...given);
            this.appended.set(entry.sequence, { ring: this.#current });
            return entry;
          };
          stream.append = watched as typeof append;
          return stream;
        };
        for (const stream of log.streams.values()) watch(stream);
        log.createStream = (name, attributes) => watch(create(name, attributes));
        return log;
      },
    });
    await clock.run(durable.open());
    if (life !== this.#life) return;
    this.#durable = durable;
    programClock.setTimeout(function trim() {
      durable.trim();
      programClock.setTimeout(trim, 50);
    }, 50);
    await this.#forgetLost();
    this.#groups = new Groups({ id: this.id, name: `d${this.id}`, keeps: (group) => durable.keeps(group) });
    this.#groups.connect('p', false);
    this.#confirming = [];
    this.#ring = createRing({
      id: this.id,
      now: clock.elapsedMs,
      storedRingSequence: this.#stored,
      settings,
    });
    network.attach(this.id, (bytes) => {
      if (life === this.#life) this.#do((ring) => ring.receive(clock.elapsedMs, bytes));
    });
    this.#drain();
  }

  /** What a crash took from the log no longer counts as appended, nor as delivered. */
  async #forgetLost(): Promise<void> {
    const { group } = this;
    if (group === undefined) return;
    for (const stamp of this.delivered) {
      const [ringSequence, representative, sender, order] = stamp.split('.').map(Number) as [
        number,
        number,
        number,
        number,
      ];
      if (!group.vector.has({ ringSequence, representative, sender, order })) this.delivered.delete(stamp);
    }
  }

  /** All that stands in its log. */
  async log(): Promise<Stored[]> {
    const records: Stored[] = [];
    for (let at = 0; ; ) {
      const entries = await this.#world.clock.run(this.group!.read(at));
      if (entries.length === 0) return records;
      records.push(...entries);
      at = entries.at(-1)!.sequence;
    }
  }

  crash(kind: CrashKind): void {
    this.#life++;
    this.#programClock?.end();
    this.#ring = undefined;
    this.#groups = undefined;
    this.#durable = undefined;
    this.#confirming = [];
    this.#world.network.detach(this.id);
    if (kind === 'kill') this.#disk.kill();
    else this.#disk.crash();
    this.#disk.restart();
  }

  publish(
    data: Buffer,
    key: string,
    origin: { publisher: string; sequence: number } | undefined,
    confirmed: () => void,
  ): void {
    this.#confirming.push(confirmed);
    this.#groups?.multicast(`#p#d${this.id}`, {
      service: 'agreed',
      groups: [GROUP],
      messageType: 0,
      bigEndian: false,
      selfDiscard: false,
      key,
      data,
      ...(origin === undefined ? {} : { origin }),
    });
    this.#drain();
  }

  #do(act: (ring: Ring) => void): void {
    if (this.#ring !== undefined) act(this.#ring);
    this.#drain();
  }

  #drain(): void {
    const { clock, network } = this.#world;
    const [ring, groups, durable] = [this.#ring, this.#groups, this.#durable];
    if (ring === undefined || groups === undefined || durable === undefined) return;
    const life = this.#life;
    for (let again = true; again; ) {
      again = false;
      for (const output of ring.take()) {
        again = true;
        if (output.kind === 'multicast') network.multicast(this.id, output.bytes);
        else if (output.kind === 'unicast') network.send(this.id, output.to, output.bytes);
        else if (output.kind === 'store') this.#store(output.ringSequence);
        else {
          for (const bent of this.#world.bend(output, this.id)) {
            groups.onRing(bent);
            this.#carryOut(groups, durable, ring, life);
            if (bent.kind === 'configuration') this.#onConfiguration(bent.configuration, durable);
            durable.onOutput();
          }
        }
      }
      again = this.#carryOut(groups, durable, ring, life) || again;
    }
    clock.clearTimeout(this.#timer);
    const { deadline } = ring;
    if (deadline < Number.POSITIVE_INFINITY) {
      this.#timer = clock.schedule(
        () => {
          if (life === this.#life) this.#do((one) => one.tick(clock.elapsedMs));
        },
        Math.max(0, deadline - clock.elapsedMs),
      );
    }
  }

  #onConfiguration(configuration: Configuration, durable: Durable): void {
    if (configuration.kind === 'regular') {
      const { representative, sequence } = configuration.ring;
      this.#current = `${sequence}.${representative}`;
      const held = new Vector(this.group?.vector ?? []);
      this.begun.set(this.#current, { members: configuration.members, held });
    }
    durable.onConfiguration(configuration);
  }

  #carryOut(groups: Groups, durable: Durable, ring: Ring, life: number): boolean {
    const outputs = groups.take();
    for (const output of outputs) {
      if (output.kind === 'submit') {
        if (!ring.submit(this.#world.clock.elapsedMs, output.service, output.payload))
          throw new Error('the ring is full');
      } else if (output.kind === 'keep') {
        const { ringSequence, representative, sender, order } = output.ordered.stamp;
        this.delivered.add(`${ringSequence}.${representative}.${sender}.${order}`);
        durable.onMessage(output.group, output.ordered);
      } else if (output.kind === 'durable') durable.onEvent(output.sender, output.event);
      else if (output.kind === 'confirmed') {
        const confirmed = this.#confirming.shift()!;
        durable.whenCommitted(() => {
          if (life === this.#life) confirmed();
        });
      }
    }
    return outputs.length > 0;
  }

  #store(ringSequence: number): void {
    const { clock, random } = this.#world;
    const life = this.#life;
    clock.schedule(() => {
      this.#stored = Math.max(this.#stored, ringSequence);
      if (life === this.#life) this.#do((ring) => ring.stored(clock.elapsedMs, ringSequence));
    }, random.float());
  }
}

/** A simulated daemon: a ring, groups on it, and sessions whose histories the checker reads. */
import type { Random, SimulatedClock, SimulatedNetwork } from '@rookery/testkit';
import type { EngineOutput } from '../../src/engine/engine.ts';
import { Groups } from '../../src/groups/groups.ts';
import type { GroupOutput, View } from '../../src/groups/types.ts';
import { createRing, type Ring, type RingSettings, type Service } from '../../src/index.ts';

export interface SessionHistory {
  readonly name: string;
  /** It, or its daemon, is gone. */
  gone: boolean;
  readonly events: SessionEvent[];
}

export type SessionEvent =
  | { readonly kind: 'sent'; readonly message: number; readonly groups: readonly string[] }
  | {
      readonly kind: 'message';
      readonly message: number;
      readonly groups: readonly string[];
      readonly service: Service;
    }
  | { readonly kind: 'view'; readonly view: View }
  | { readonly kind: 'transition'; readonly group: string }
  | { readonly kind: 'left'; readonly group: string };

export interface GroupWorld {
  readonly clock: SimulatedClock;
  readonly network: SimulatedNetwork;
  readonly random: Random;
  readonly settings: Partial<RingSettings>;
  readonly histories: SessionHistory[];
  messages: number;
  /** Changes what the groups of a daemon hear from its ring; for tests of the checker. */
  readonly bend: (output: EngineOutput, daemon: number) => EngineOutput[];
}

export class Daemon {
  readonly id: number;
  readonly #world: GroupWorld;
  #ring: Ring | undefined;
  #groups: Groups | undefined;
  #stored = 0;
  #life = 0;
  #timer: unknown;
  readonly sessions = new Map<string, SessionHistory>();

  constructor(id: number, world: GroupWorld) {
    this.id = id;
    this.#world = world;
  }

  get ring(): Ring | undefined {
    return this.#ring;
  }

  get groups(): Groups | undefined {
    return this.#groups;
  }

  start(): void {
    const { clock, network, settings } = this.#world;
    const life = ++this.#life;
    this.#groups = new Groups({ id: this.id, name: `d${this.id}` });
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

  crash(): void {
    this.#life++;
    this.#ring = undefined;
    this.#groups = undefined;
    this.#world.network.detach(this.id);
    for (const history of this.sessions.values()) history.gone = true;
    this.sessions.clear();
  }

  connect(name: string): void {
    const session = this.#groups?.connect(name, true);
    if (session === undefined) return;
    const history: SessionHistory = { name: session, gone: false, events: [] };
    this.#world.histories.push(history);
    this.sessions.set(session, history);
  }

  disconnect(session: string): void {
    this.#groups?.disconnect(session);
    const history = this.sessions.get(session);
    if (history !== undefined) history.gone = true;
    this.sessions.delete(session);
    this.#drain();
  }

  join(session: string, group: string): void {
    this.#groups?.join(session, group);
    this.#drain();
  }

  leave(session: string, group: string): void {
    this.#groups?.leave(session, group);
    this.#drain();
  }

  send(session: string, service: Service, groups: readonly string[]): void {
    const history = this.sessions.get(session);
    if (history === undefined || this.#ring === undefined) return;
    const message = this.#world.messages++;
    const data = Buffer.alloc(20);
    data.writeUInt32LE(message);
    history.events.push({ kind: 'sent', message, groups });
    const rest = { messageType: 7, bigEndian: false, selfDiscard: false, key: '' };
    this.#groups?.multicast(session, { service, groups, data, ...rest });
    this.#drain();
  }

  #do(act: (ring: Ring) => void): void {
    if (this.#ring !== undefined) act(this.#ring);
    this.#drain();
  }

  #drain(): void {
    const { clock, network } = this.#world;
    const [ring, groups] = [this.#ring, this.#groups];
    if (ring === undefined || groups === undefined) return;
    for (let again = true; again; ) {
      again = false;
      for (const output of ring.take()) {
        again = true;
        if (output.kind === 'multicast') network.multicast(this.id, output.bytes);
        else if (output.kind === 'unicast') network.send(this.id, output.to, output.bytes);
        else if (output.kind === 'store') this.#store(output.ringSequence);
        else for (const bent of this.#world.bend(output, this.id)) groups.onRing(bent);
      }
      for (const output of groups.take()) {
        again = true;
        if (output.kind === 'submit') {
          if (!ring.submit(clock.elapsedMs, output.service, output.payload))
            throw new Error('the ring is full');
        } else if ('to' in output && output.kind !== 'confirmed') {
          const event = toEvent(output);
          const receivers = typeof output.to === 'string' ? [output.to] : output.to;
          for (const to of receivers) this.sessions.get(to)?.events.push(event);
        }
      }
    }
    clock.clearTimeout(this.#timer);
    const { deadline } = ring;
    const life = this.#life;
    if (deadline < Number.POSITIVE_INFINITY) {
      this.#timer = clock.schedule(
        () => {
          if (life === this.#life) this.#do((ring) => ring.tick(clock.elapsedMs));
        },
        Math.max(0, deadline - clock.elapsedMs),
      );
    }
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

type ToSession = Extract<GroupOutput, { kind: 'message' | 'view' | 'transition' | 'left' }>;

function toEvent(output: ToSession): SessionEvent {
  switch (output.kind) {
    case 'message': {
      const message = Buffer.from(output.data.buffer, output.data.byteOffset, 4).readUInt32LE();
      return { kind: 'message', message, groups: output.groups, service: output.service };
    }
    case 'view':
      return { kind: 'view', view: output.view };
    case 'transition':
      return { kind: 'transition', group: output.group };
    case 'left':
      return { kind: 'left', group: output.group };
  }
}

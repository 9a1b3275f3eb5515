import { DiskError } from '@rookery/storage';
import { type ProgramLife, Random, SimulatedClock, SimulatedDisk } from '@rookery/testkit';
import { Broker, later } from '../../src/broker/broker.ts';
import { Session } from '../../src/broker/session.ts';
import { dialects } from '../../src/dialect.ts';
import { type LogStore, openLogStore } from '../../src/store/log-store.ts';
import { handleOf, type Message, ordinaryPriority, type StoredQueue } from '../../src/store/store.ts';
import {
  applied,
  candidates,
  type Effect,
  emptyModel,
  type Known,
  knownIds,
  type Model,
  type Settings,
  told,
} from './model.ts';

const windowItems = 6;
const windowMs = 60_000;
const configuration = {
  defaults: { maxMemoryBytes: 4000 },
  queues: {
    q: {
      maxDeliveries: emptyModel.settings.maxDeliveries,
      deadLetterQueue: 'dead',
      deduplicationWindowItems: windowItems,
      deduplicationWindowMs: windowMs,
    },
  },
  aliases: {},
};

/** A read that is open over several steps. */
interface HeldRead {
  readonly message: Message;
  readonly body: string;
  /** 0: none. */
  deadline: number;
}

export class Simulation {
  readonly trace: string[] = [];
  readonly counts = {
    crashes: 0,
    dead: 0,
    duplicates: 0,
    delayed: 0,
    redriven: 0,
    heldOverCrashes: 0,
    timedOut: 0,
    paused: 0,
    fannedOut: 0,
  };
  readonly #random: Random;
  readonly #clock = new SimulatedClock();
  readonly #disk: SimulatedDisk;
  readonly #errors: Error[] = [];
  #life: ProgramLife;
  #store!: LogStore;
  #broker!: Broker;
  #session = new Session();
  #held: HeldRead[] = [];
  #model: Model = emptyModel;
  /** Not committed yet. */
  #underWay: Effect[] = [];
  #next = 1;

  constructor(seed: number) {
    this.#random = new Random(seed);
    this.#disk = new SimulatedDisk({
      clock: this.#clock,
      random: this.#random.fork('disk'),
      shortWriteChance: 0.1,
      makeError: (code, message) => new DiskError(code, message),
    });
    this.#life = this.#clock.life();
  }

  async run(steps: number): Promise<void> {
    await this.#openStore();
    this.#startBroker();
    // From now on it gets a copy of each message of `f`.
    await this.#take('f+c');
    await this.#settle();
    for (let step = 0; step < steps; step += 1) {
      await this.#step();
      if (this.#underWay.length >= 3 || this.#random.chance(0.4)) await this.#settle();
      if (this.#errors.length > 0) throw this.#errors[0]!;
    }
    await this.#settle();
    await this.#crash('power');
    this.#broker.close();
  }

  async #step(): Promise<void> {
    const random = this.#random;
    switch (
      random.weighted({
        put: 30,
        putMany: 6,
        get: 6,
        getMany: 6,
        close: 6,
        abort: 10,
        delay: 6,
        bury: 3,
        open: 10,
        end: 8,
        settings: 4,
        redrive: 4,
        wait: 12,
        crash: 5,
      })
    ) {
      case 'put':
        return this.#put();
      case 'putMany':
        return this.#putMany();
      case 'get':
        return this.#read('q', '', (_, { body }) => ({ body, after: undefined }));
      case 'getMany': {
        const queue = random.pick(['f', 'f+c']);
        return this.#read(queue, '', (_, { body }) => ({ body: keyOf(queue, body), after: undefined }));
      }
      case 'close':
        return this.#read('q', '/open', (message, { body }) => this.#close(message, body));
      case 'abort':
        return this.#read('q', '/open', (message, { body }) => this.#abort(message, body, 0));
      case 'delay': {
        const delayMs = random.pick([300, 20_000, 400_000]);
        return this.#read('q', '/open', (message, { body }) => this.#abort(message, body, delayMs));
      }
      case 'bury':
        return this.#read('q', '/open', (message, { body }) => this.#bury(message, body));
      case 'open':
        if (this.#held.length >= 3) return;
        return this.#read('q', '/open', (message, { body }) => {
          this.#held.push({ message, body, deadline: 0 });
          return undefined;
        });
      case 'end':
        return this.#end();
      case 'settings':
        return this.#changeSettings();
      case 'redrive':
        return this.#redrive();
      case 'wait':
        if (applied(this.#model, this.#underWay).settings.paused) this.#changeSettings();
        await this.#settle();
        await this.#advance(random.pick([150, 1000, 9000, 30_000, 300_000, 3_000_000]));
        return;
      case 'crash':
        return this.#crash(random.pick(['power', 'kill']));
    }
  }

  #put(): void {
    const random = this.#random;
    const number = this.#next;
    this.#next += 1;
    const body = `${number}:${'x'.repeat(random.pick([1, 100, 3000]))}`;
    const priority = random.chance(0.5) ? ordinaryPriority : random.below(10);
    const delayMs = random.chance(0.35) ? random.pick([50, 5000, 40_000, 700_000, 30_000_000]) : 0;
    const id = random.chance(0.4) ? `id${random.below(12)}` : undefined;
    const bytes = Buffer.from(body);
    const target = { queues: ['q'], sync: false, options: { delayMs, priority, id } };
    const before = applied(this.#model, this.#underWay);
    const known = knownIds(before, this.#now, windowItems, windowMs);
    const outcome = this.#broker.put(target, 0, 0, bytes, 0, bytes.length);
    const expected = id !== undefined && known.includes(id) ? 'duplicate' : 'stored';
    this.#note(`put ${number} priority ${priority} delay ${delayMs} id ${id}: ${outcome}`);
    if (outcome !== expected) throw new Error(`put ${number} was ${outcome}, not ${expected}`);
    if (outcome === 'duplicate') {
      this.counts.duplicates += 1;
      return;
    }
    if (delayMs > 0) this.counts.delayed += 1;
    const dueAt = delayMs > 0 ? this.#now + delayMs : 0;
    const order = delayMs > 0 ? undefined : number;
    this.#underWay.push({
      body,
      after: { body, queue: 'q', priority, returns: 0, dueAt, id, origin: undefined, order },
      ...(id === undefined ? {} : { id: { id, at: this.#now } }),
    });
  }

  /** Into a queue that is fanned out: two copies, of which a crash may take either. */
  #putMany(): void {
    const number = this.#next;
    this.#next += 1;
    const body = `${number}:many`;
    const bytes = Buffer.from(body);
    const outcome = this.#broker.put(this.#broker.writeTarget('f'), 0, 0, bytes, 0, bytes.length);
    this.#note(`put ${number} into f: ${outcome}`);
    if (outcome !== 'stored') throw new Error(`put ${number} was ${outcome}`);
    this.counts.fannedOut += 1;
    for (const queue of ['f', 'f+c']) {
      const after = { ...ordinary, body, queue, order: number };
      this.#underWay.push({ body: keyOf(queue, body), after });
    }
  }

  #close(message: Message, body: string): Effect {
    this.#broker.held.close(this.#session, this.#target('q'), this.#selection(message));
    return { body, after: undefined };
  }

  #abort(message: Message, body: string, delayMs: number): Effect {
    this.#broker.held.abort(this.#session, this.#target('q'), this.#selection(message), delayMs);
    const known = this.#known(body);
    const back = { ...known, returns: known.returns + 1 };
    return this.#returned(
      known,
      delayMs === 0 ? back : { ...back, dueAt: this.#now + delayMs, order: undefined },
    );
  }

  #bury(message: Message, body: string): Effect {
    this.#broker.held.bury(this.#session, this.#target('q'), this.#selection(message));
    return this.#dead(this.#known(body));
  }

  /** Ends a read that was opened some steps ago, or gives it time. */
  #end(): void {
    const random = this.#random;
    if (this.#held.length === 0) return;
    const read = random.pick(this.#held);
    const { message, body } = read;
    const way = random.pick(['close', 'abort', 'delay', 'bury', 'touch', 'touch', 'touch']);
    this.#note(`${way} of held ${body.slice(0, 6)}`);
    if (way === 'touch') {
      const timeoutMs = random.pick([100, 900, 50_000]);
      if (!this.#broker.held.touch(this.#session, this.#target('q'), timeoutMs, this.#selection(message)))
        throw new Error(`${body.slice(0, 6)} is not held`);
      read.deadline = this.#now + timeoutMs;
      return;
    }
    this.#held = this.#held.filter((other) => other !== read);
    if (way === 'close') this.#underWay.push(this.#close(message, body));
    else if (way === 'bury') this.#underWay.push(this.#bury(message, body));
    else this.#underWay.push(this.#abort(message, body, way === 'delay' ? 30_000 : 0));
  }

  #changeSettings(): void {
    const before = applied(this.#model, this.#underWay).settings;
    // While it is paused little happens.
    const settings: Settings =
      before.paused || this.#random.chance(0.5)
        ? { ...before, paused: !before.paused }
        : { ...before, maxDeliveries: this.#random.pick([2, 3, 5]) };
    this.#broker.changeSettings('q', {
      paused: settings.paused,
      max_deliveries: settings.maxDeliveries,
    });
    if (settings.paused) this.counts.paused += 1;
    this.#note(`settings ${JSON.stringify(settings)}`);
    this.#underWay.push({ settings });
  }

  #known(body: string): Known {
    return applied(this.#model, this.#underWay).messages.get(body)!;
  }

  /** Reads one message, which must be one that may come now, and does with it what `act` does. */
  async #read(
    queue: string,
    verb: string,
    act: (message: Message, known: Known) => Effect | undefined,
  ): Promise<void> {
    const message = await this.#take(`${queue}${verb}`);
    const model = applied(this.#model, this.#underWay);
    const isPaused = queue === 'q' && model.settings.paused;
    const ready = [...model.messages.values()].filter(
      (known) =>
        known.queue === queue &&
        !isPaused &&
        this.#isReady(known) &&
        !this.#held.some(({ body }) => body === known.body),
    );
    if (message === undefined) {
      this.#note(`read ${queue}: nothing`);
      if (ready.length > 0) throw new Error(`nothing came, but ${numberOf(ready[0]!)} is ready`);
      return;
    }
    const body = bodyOf(message);
    const known = model.messages.get(keyOf(queue, body));
    if (known === undefined || !ready.includes(known)) this.#note(`ready: ${ready.map(numberOf).join(' ')}`);
    if (isPaused) throw new Error(`${body.slice(0, 8)} came from a queue that is paused`);
    if (known?.queue !== queue) throw new Error(`${body.slice(0, 8)} came, and is not there`);
    if (!this.#isReady(known)) throw new Error(`${numberOf(known)} came before its time`);
    const urgent = Math.min(...ready.map(({ priority }) => priority));
    if (known.priority !== urgent)
      throw new Error(`${numberOf(known)} came before one of priority ${urgent}`);
    const first = ready.find(
      (other) => other.priority === urgent && other.order !== undefined && other.order < (known.order ?? 0),
    );
    if (first !== undefined) throw new Error(`${numberOf(known)} came before ${numberOf(first)}`);
    if (message.lane.returnsOf(message) !== known.returns) throw new Error(`${numberOf(known)}: deliveries`);
    if (this.#held.some((other) => other.body === body && queue === 'q'))
      throw new Error(`${numberOf(known)} came, and is held`);
    const effect = act(message, known);
    const became = effect === undefined ? 'held' : (JSON.stringify(effect.after)?.slice(-90) ?? 'gone');
    this.#note(`read ${numberOf(known)} of ${queue}${verb}: ${became}`);
    if (effect !== undefined) this.#underWay.push(effect);
  }

  /** A message that came back so often is a dead letter. */
  #returned(known: Known, after: Known): Effect {
    const { maxDeliveries } = applied(this.#model, this.#underWay).settings;
    return after.returns >= maxDeliveries ? this.#dead(known) : { body: known.body, after };
  }

  #dead(known: Known): Effect {
    this.counts.dead += 1;
    const letter = { ...known, queue: 'dead', returns: 0, dueAt: 0, origin: 'q', order: undefined };
    return { body: known.body, after: letter };
  }

  async #redrive(): Promise<void> {
    await this.#settle();
    const moved = await this.#clock.run(this.#broker.redriver.redrive('dead', 2, undefined), 'a redrive');
    const found = await this.#observe();
    const dead = [...this.#model.messages.values()].filter(({ queue }) => queue === 'dead');
    this.#note(`redrive: ${moved} of ${dead.length}`);
    if (moved !== Math.min(2, dead.length))
      throw new Error(`${moved} of ${dead.length} dead letters were redriven`);
    const back = dead.filter(({ body }) => found.some((other) => other.body === body && other.queue === 'q'));
    this.counts.redriven += moved;
    // Which of them stood first is not modelled.
    this.#underWay = back.map((known) => ({
      body: known.body,
      after: { ...known, queue: 'q', origin: undefined, order: undefined },
    }));
    if (back.length !== moved) throw new Error(`${back.length} came back, not ${moved}`);
    await this.#settle();
  }

  async #crash(kind: 'power' | 'kill'): Promise<void> {
    this.#note(`${kind} with ${this.#underWay.length} changes under way`);
    this.counts.crashes += 1;
    this.counts.heldOverCrashes += this.#held.length;
    this.#held = [];
    const possible = candidates(this.#model, this.#underWay);
    if (kind === 'power') this.#disk.crash();
    else this.#disk.kill();
    this.#life.end();
    this.#broker.close();
    this.#life = this.#clock.life();
    this.#disk.restart();
    this.#session = new Session();
    await this.#openStore();
    // Before anything moves.
    const found = await this.#observe();
    this.#startBroker();
    this.#model = this.#check(possible, found);
    this.#underWay = [];
    await this.#advance(200);
  }

  async #openStore(): Promise<void> {
    this.#store = await this.#clock.run(
      openLogStore({
        disk: this.#disk,
        directory: '/data',
        sync: 'always',
        clock: this.#life,
        segmentBytes: 65_536,
        maxPayloadBytes: 64 * 1024,
        backlogBytes: 256 * 1024,
        reserveBytes: 1024 * 1024,
      }),
    );
  }

  #startBroker(): void {
    this.#broker = new Broker({
      store: this.#store,
      clock: this.#life,
      dialect: dialects.memcached,
      limits: {
        maxOpenReads: 5,
        maxQueues: 10,
        maxChildren: 10,
        maxCursors: 10,
        maxWaits: 10,
        maxWindowBytes: 20_000,
        maxBatch: 10,
        maxDelayMs: 1e9,
      },
      configuration,
      onBackgroundError: (error) => this.#errors.push(error),
    });
  }

  /** All that was done is committed. */
  async #settle(): Promise<void> {
    await this.#clock.run(this.#store.sync());
    this.#model = applied(this.#model, this.#underWay);
    this.#underWay = [];
  }

  async #advance(ms: number): Promise<void> {
    this.#note(`${ms} ms pass`);
    await this.#clock.advance(ms);
    // What has just become due may need a read of the disk.
    await this.#clock.advance(100);
    const overdue = this.#held.filter(({ deadline }) => deadline > 0 && deadline <= this.#now);
    if (overdue.length === 0) return;
    // Deadlines are looked at together, some ms apart.
    await this.#clock.advance(100);
    for (const { body, message } of overdue) {
      if (this.#broker.held.close(this.#session, this.#target('q'), this.#selection(message)))
        throw new Error(`${body.slice(0, 6)} is held past its time`);
      this.counts.timedOut += 1;
      const known = this.#known(body);
      this.#underWay.push(this.#returned(known, { ...known, returns: known.returns + 1 }));
    }
    this.#held = this.#held.filter((read) => !overdue.includes(read));
    await this.#settle();
  }

  async #take(key: string): Promise<Message | undefined> {
    const target = this.#target(key);
    return this.#clock.run(
      new Promise<Message | undefined>((resolve, reject) => {
        const found = this.#broker.read(this.#session, target, (message, error) =>
          error === undefined ? resolve(message) : reject(error),
        );
        if (found !== later) resolve(found);
      }),
    );
  }

  // --- what must hold

  async #observe(): Promise<Omit<Known, 'order'>[]> {
    const all: Omit<Known, 'order'>[] = [];
    for (const queue of this.#store.queues.values()) {
      for (const lane of [queue.main, ...queue.lanes.values()]) {
        let after = 0;
        for (;;) {
          const messages = await this.#clock.run(lane.read(after, 100, 1e6));
          if (messages.length === 0) break;
          after = messages.at(-1)!.sequence;
          for (const message of messages) all.push(seen(queue, message));
        }
      }
    }
    return all;
  }

  #check(possible: readonly Model[], found: readonly Omit<Known, 'order'>[]): Model {
    const queue = this.#broker.registry.queues.get('q');
    const ids: string[] = [];
    for (let at = 0; at < 12; at += 1) {
      const options = { delayMs: 0, priority: ordinaryPriority, id: `id${at}` };
      if (queue?.knows(options, this.#now) === true) ids.push(options.id);
    }
    const { paused, maxDeliveries } = queue?.settings ?? emptyModel.settings;
    const actual = told(found, ids.sort(), { paused, maxDeliveries }, this.#now);
    const expected = possible.map((model) =>
      told(
        model.messages.values(),
        knownIds(model, this.#now, windowItems, windowMs),
        model.settings,
        this.#now,
      ),
    );
    const match = expected.indexOf(actual);
    if (match < 0) {
      const [before] = expected;
      const short = (text: string): string => text.replace(/x{9,}/g, 'x…');
      throw new Error(
        `found\n${short(actual)}\nand not\n${short(before!)}\nor with the last:\n${short(expected.at(-1)!)}`,
      );
    }
    const items = found.filter(({ queue: name }) => name === 'q').length;
    if ((queue?.items ?? 0) !== items)
      throw new Error(`${queue?.items} items are counted, ${items} are there`);
    return possible[match]!;
  }

  #isReady({ dueAt }: Known): boolean {
    return dueAt <= this.#now;
  }

  #target(key: string) {
    return this.#broker.readTarget(key);
  }

  #selection(message: Message): { readonly handle: number } {
    return { handle: handleOf(message) };
  }

  get #now(): number {
    return this.#clock.now();
  }

  #note(what: string): void {
    this.trace.push(`${String(this.#now - 1.8e12).padStart(9)} ${what}`);
  }
}

function seen(queue: StoredQueue, message: Message): Omit<Known, 'order'> {
  const { carried } = message;
  return {
    body: bodyOf(message),
    queue: queue.name,
    priority: carried?.priority ?? ordinaryPriority,
    returns: message.lane.returnsOf(message),
    dueAt: carried?.dueAt ?? 0,
    id: carried?.id,
    origin: carried?.origin,
  };
}

/** The copies of one message are told apart by their queue. */
function keyOf(queue: string, body: string): string {
  return queue === 'f+c' ? `${body}@c` : body;
}

const ordinary = { priority: ordinaryPriority, returns: 0, dueAt: 0, id: undefined, origin: undefined };

function bodyOf(message: Message): string {
  return message.buffer.toString('latin1', message.start, message.end);
}

function numberOf({ body }: Known): string {
  return body.slice(0, body.indexOf(':'));
}

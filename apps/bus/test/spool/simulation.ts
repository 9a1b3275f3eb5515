/**
 * One seed of a spool's life: the real store on the simulated disk and the real sender against a daemon that keeps what
 * it has ordered by publisher and number. The publisher and the daemon die at any step, confirmations are lost, the disk
 * loses power. What was promised must arrive, in order, none twice.
 */
import type { MessageRecord, Origin } from '@rookery/protocol/websocket';
import { DiskError } from '@rookery/storage';
import { type ProgramLife, Random, SimulatedClock, SimulatedDisk } from '@rookery/testkit';
import type { SpoolError } from '../../src/spool/errors.ts';
import { encodeStored, type Position } from '../../src/spool/message.ts';
import { type Outcome, Sender } from '../../src/spool/sender.ts';
import { Store } from '../../src/spool/store.ts';

export interface SpoolReport {
  readonly published: number;
  readonly kills: number;
  readonly powerLosses: number;
  readonly daemonDeaths: number;
  readonly duplicatesDropped: number;
  readonly timesFull: number;
}

/** Breaks a rule on purpose, so that a test can see whether the simulation notices. */
export type Sabotage = 'no-numbers' | 'send-before-written' | 'confirm-unordered';

const SYNC_MS = 20;
/** What was promised so long before a power loss is on the device: the interval and the slowest sync. */
const FORGOTTEN_MS = SYNC_MS + 20;

/** A daemon over all its lives: a durable group's log, and who has sent what. */
class Daemon {
  readonly log: string[] = [];
  duplicates = 0;
  readonly #last = new Map<string, number>();
  readonly #keepsNumbers: boolean;

  constructor(keepsNumbers: boolean) {
    this.#keepsNumbers = keepsNumbers;
  }

  order(text: string, { publisher, sequence }: Origin): void {
    if (this.#keepsNumbers && sequence <= (this.#last.get(publisher) ?? 0)) {
      this.duplicates++;
      return;
    }
    this.#last.set(publisher, sequence);
    this.log.push(text);
  }
}

/** One session with the daemon: what is sent takes time, and none of it is certain when the session is lost. */
class Session {
  readonly #daemon: Daemon;
  readonly #clock: SimulatedClock;
  readonly #random: Random;
  #waiting: {
    record: MessageRecord;
    origin: Origin;
    settle: (outcome: Outcome) => void;
    ordered: boolean;
  }[] = [];
  #over = false;

  readonly #dishonest: boolean;

  constructor(daemon: Daemon, clock: SimulatedClock, random: Random, dishonest: boolean) {
    this.#dishonest = dishonest;
    this.#daemon = daemon;
    this.#clock = clock;
    this.#random = random;
  }

  send(record: MessageRecord, origin: Origin, settle: (outcome: Outcome) => void): void {
    this.#waiting.push({ record, origin, settle, ordered: false });
    this.#clock.schedule(() => this.#orderSome(), 1 + this.#random.below(5));
  }

  #orderSome(): void {
    if (this.#over) return;
    const next = this.#waiting.filter(({ ordered }) => !ordered).slice(0, 1 + this.#random.below(4));
    for (const one of next) {
      one.ordered = true;
      if (this.#dishonest && this.#random.chance(0.05)) continue;
      this.#daemon.order(Buffer.from(one.record.data).toString(), one.origin);
    }
    // Its confirmation comes later, or never.
    this.#clock.schedule(() => this.#confirm(), 1 + this.#random.below(10));
  }

  #confirm(): void {
    while (!this.#over && this.#waiting[0]?.ordered) this.#waiting.shift()!.settle('ordered');
  }

  lose(): void {
    this.#over = true;
    for (const { settle } of this.#waiting.splice(0)) settle('lost');
  }

  /** Its client died: nobody is told. */
  end(): void {
    this.#over = true;
  }
}

interface Life {
  readonly clock: ProgramLife;
  readonly store: Store;
  readonly sender: Sender;
  session: Session | undefined;
}

export async function simulateSpool(seed: number, sabotage?: Sabotage): Promise<SpoolReport> {
  const random = new Random(seed);
  const clock = new SimulatedClock();
  const disk = new SimulatedDisk({
    clock,
    random: random.fork('disk'),
    makeError: (code, message) => new DiskError(code, message),
  });
  const daemon = new Daemon(sabotage !== 'no-numbers');
  // Small enough to be full at times, or so large that it never is.
  const spoolBytes = (random.chance(0.3) ? 8 : 64) * 1024;
  const sync = random.chance(0.5) ? ('always' as const) : { everyMs: SYNC_MS };
  /** With the time of the promise. */
  const promised = new Map<string, number>();
  const published = new Set<string>();
  const counts = { kills: 0, powerLosses: 0, daemonDeaths: 0, timesFull: 0 };
  let number = 0;
  /** Up to here texts may have been sent and then forgotten. */
  let floor = 0;
  let diedAtMs = 0;
  let lastDeath: 'kill' | 'power' | 'none' = 'none';
  let life: Life | undefined;
  /** What is written and not promised yet, by sequence: a promise is the commit. */
  let unwritten: { sequence: number; text: string }[] = [];

  const open = async (): Promise<Life> => {
    const program = clock.life();
    let failure: SpoolError | undefined;
    let sender: Sender | undefined;
    const store = await clock.run(
      Store.open({
        disk,
        directory: '/spool/0',
        sync,
        spoolBytes,
        messageBytes: 4096,
        clock: program,
        randomBytes: (size) => random.bytes(size),
        onCommitted: (sequence) => {
          for (const one of unwritten.filter((each) => each.sequence <= sequence))
            promised.set(one.text, clock.elapsedMs);
          unwritten = unwritten.filter((each) => each.sequence > sequence);
          sender?.committed(sequence);
        },
        onForgotten: () => undefined,
        onFailed: (error) => {
          failure = error;
        },
      }),
    );
    if (failure !== undefined) throw failure;
    checkPositions(store.positions);
    sender = new Sender({
      store,
      window: { messages: 8, bytes: 2048 },
      onRefused: () => expectNever('a message was refused'),
      onSettled: () => undefined,
      onFailed: (error) => {
        throw error;
      },
    });
    return { clock: program, store, sender, session: undefined };
  };

  const forget = (text: string): void => {
    promised.delete(text);
    published.delete(text);
  };

  /** A position is that of the last message that was kept: it is neither behind a message that is lost, nor before one that is there. */
  const checkPositions = (positions: Readonly<Record<string, string>>): void => {
    const at = Number(positions.input ?? 0);
    const mayForget = lastDeath === 'power' && sync !== 'always';
    // Of those that the power loss may have taken any may be lost, not only the last.
    for (const [text, atMs] of mayForget ? promised : []) {
      if (atMs >= diedAtMs - FORGOTTEN_MS) forget(text);
    }
    const kept = [...promised.keys()].reduce((last, text) => Math.max(last, Number(text)), 0);
    if (at < kept) throw new Error(`the input goes on at ${at}, before ${kept}, which was promised`);
    // An input that can be read again publishes what comes behind it again; where the promise was of 20 ms, it may have
    // been sent before the power failed.
    if (mayForget) floor = number;
    number = Math.max(at, floor);
    for (const text of [...published]) if (Number(text) > at) forget(text);
  };

  const connect = (): void => {
    if (life === undefined || life.session !== undefined) return;
    life.session = new Session(daemon, clock, random, sabotage === 'confirm-unordered');
    life.sender.use(life.session);
  };
  const loseSession = (): void => {
    const session = life?.session;
    if (life === undefined || session === undefined) return;
    life.session = undefined;
    life.sender.use(undefined);
    session.lose();
  };
  const publish = (): void => {
    const text = String(number + 1);
    const position: Position = { name: 'input', at: text };
    try {
      const payload = encodeStored('g', text, {}, position);
      const sequence = life!.store.append(payload, position);
      number++;
      published.add(text);
      unwritten.push({ sequence, text });
      if (sabotage === 'send-before-written') life!.sender.committed(sequence);
    } catch (error) {
      if ((error as SpoolError).code !== 'SPOOL_FULL') throw error;
      counts.timesFull++;
    }
  };
  const die = (kind: 'kill' | 'power'): void => {
    lastDeath = kind;
    diedAtMs = clock.elapsedMs;
    life?.session?.end();
    life?.clock.end();
    life = undefined;
    unwritten = [];
    if (kind === 'kill') disk.kill();
    else disk.crash();
    disk.restart();
    counts[kind === 'kill' ? 'kills' : 'powerLosses']++;
  };

  for (let step = 0; step < 300; step++) {
    if (life === undefined) life = await open();
    const drawn = random.float();
    if (drawn < 0.6) for (let count = 1 + random.below(12); count > 0; count--) publish();
    else if (drawn < 0.7) connect();
    else if (drawn < 0.74) {
      loseSession();
      counts.daemonDeaths++;
    } else if (drawn < 0.77) die(random.chance(0.7) ? 'kill' : 'power');
    else if (drawn < 0.78) {
      life.session?.end();
      const { store, clock: program } = life;
      life.sender.use(undefined);
      await clock.run(store.close());
      program.end();
      life = undefined;
      unwritten = [];
      lastDeath = 'none';
    } else await clock.advance(random.below(30));
    if (random.chance(0.2)) await clock.advance(random.below(5));
  }

  life ??= await open();
  loseSession();
  connect();
  const last = life;
  await clock.runUntil(() => last.sender.idle && unwritten.length === 0, 'all to be ordered', 600_000);
  check(daemon.log, promised, published);
  await clock.run(last.store.close());
  return { published: published.size, ...counts, duplicatesDropped: daemon.duplicates };
}

function check(
  log: readonly string[],
  promised: ReadonlyMap<string, number>,
  published: ReadonlySet<string>,
): void {
  const numbers = log.map(Number);
  for (let index = 1; index < numbers.length; index++) {
    if (numbers[index]! <= numbers[index - 1]!) {
      throw new Error(`${numbers[index]} came after ${numbers[index - 1]}: out of order, or twice`);
    }
  }
  const arrived = new Set(log);
  for (const text of promised.keys())
    if (!arrived.has(text)) throw new Error(`${text} was promised and never came`);
  for (const text of published)
    if (!arrived.has(text)) throw new Error(`${text} was published and never came`);
}

function expectNever(what: string): never {
  throw new Error(what);
}

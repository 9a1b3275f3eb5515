/** One seed: daemons that keep a group, publishers and readers that go from one to another, an adversary, then peace. */
import { Random, SimulatedClock, SimulatedNetwork } from '@rookery/testkit';
import type { Stored } from '../../src/durable/stored.ts';
import { Violation } from '../ring/history.ts';
import { checkLogs, checkStepsBack, numberOf, shown, shownValues, textOf } from './checker.ts';
import { Daemon, type DurableWorld } from './daemon.ts';
import { Follower, PairReader, Reader } from './reader.ts';

export interface Report {
  readonly events: number;
  readonly given: number;
  readonly filled: number;
  readonly restated: number;
  /** Of what was given, at daemons that keep nothing. */
  readonly elsewhere: number;
  readonly crashes: number;
  /** Times that senders were asked to wait for a log. */
  readonly pressed: number;
}

interface Publisher {
  readonly id: string | undefined;
  daemon: Daemon | undefined;
  /** Sequences and numbers that are not confirmed, oldest first. */
  unconfirmed: { readonly sequence: number; readonly number: number; readonly key: string }[];
  sequence: number;
  /** Counts its connections. */
  connection: number;
}

export async function simulateDurable(
  seed: number,
  bend: DurableWorld['bend'] = (output) => [output],
): Promise<Report> {
  const random = new Random(seed, 'durable');
  const clock = new SimulatedClock();
  const network = new SimulatedNetwork({
    clock,
    random: random.fork('network'),
    delayMs: random.pick([
      [0.2, 0.5],
      [0.5, 5],
    ] as const),
    lossChance: random.pick([0, 0.01, 0.1]),
    reorderChance: random.pick([0, 0.1]),
  });
  const sync = random.pick(['always', { everyMs: 20 }, 'never'] as const);
  const powerLosses = random.chance(0.5);
  const settings = { windowPackets: 20, visitPackets: 10, acceleratedPackets: 3, spanPackets: 40 };
  const world: DurableWorld = { clock, network, random: random.fork('daemons'), settings, sync, bend };
  const count = random.between(2, 4);
  const daemons = Array.from(
    { length: count },
    (_, index) => new Daemon(index + 1, index < 2 || random.chance(0.6), world),
  );
  const keepers = daemons.filter(({ keeps }) => keeps);
  for (const daemon of daemons) await daemon.start();
  const publishers: Publisher[] = [0, 1, 2, undefined].map((id) => ({
    id: id === undefined ? undefined : String(id).repeat(32),
    daemon: undefined,
    unconfirmed: [],
    sequence: 0,
    connection: 0,
  }));
  const readers = [0, 1].map(() => new Reader());
  const pair = new PairReader();
  const followers = [new Follower(), new Follower()];
  const audience = new Random(seed, 'audience');
  const confirmed = new Set<number>();
  let numbers = 0;
  let crashes = 0;
  /** Without it a message may be lost with the power, and come again under another stamp. */
  const certain = sync === 'always' || !powerLosses;

  const untilMs = random.pick([800, 2000]);
  const faultEveryMs = random.pick([100, 300, 600]);
  let nextFaultMs = 200;
  while (clock.elapsedMs < untilMs) {
    await clock.advance(random.float() * 10);
    act();
    if (random.chance(0.1)) read(random.pick(readers));
    for (const { seat } of readers) seat.turn(random.chance(0.7));
    follow();
    if (clock.elapsedMs < nextFaultMs) continue;
    nextFaultMs = clock.elapsedMs + 2 * faultEveryMs * random.float();
    await strike(random.pick(daemons));
  }

  network.heal();
  network.conditions = {
    delayMs: [0.2, 0.5],
    lossChance: 0,
    duplicateChance: 0,
    reorderChance: 0,
    reorderMs: 0,
  };
  for (const daemon of daemons) if (daemon.ring === undefined) await daemon.start();
  for (const publisher of publishers)
    if (publisher.id !== undefined) connect(publisher, random.pick(daemons));
  await until(settled, 'the keepers are not whole, or publishers without confirmation');
  await clock.advance(300);
  await until(settled, 'the keepers did not stay whole');
  for (const { seat } of followers) {
    if (seat.daemon === undefined || audience.chance(0.5)) seat.move(audience.pick(daemons));
    seat.turn(true);
  }
  for (const daemon of daemons) pair.listen(daemon);
  for (const { seat } of readers) {
    if (seat.daemon === undefined || random.chance(0.5)) seat.move(random.pick(daemons));
    seat.turn(true);
  }
  await clock.advance(400);

  const logs = new Map<Daemon, readonly Stored[]>();
  for (const keeper of keepers) logs.set(keeper, await keeper.log());
  checkLogs(logs, certain ? confirmed : new Set());
  const all = new Set(shown([...logs.values()][0]!).map(numberOf));
  // All keepers show the same by now.
  const expected = shownValues(keepers[0]!);
  for (const { seat, values, stepsBack } of followers) {
    if (certain) checkStepsBack([...logs.values()][0]!, stepsBack);
    if (textOf(values) !== expected) {
      throw new Violation(
        'followers',
        `one at d${seat.daemon?.id} has ${textOf(values)}, and shown is ${expected}`,
      );
    }
  }
  for (const reader of [...readers, pair]) {
    const given = new Set(reader.numbers);
    for (const number of all) {
      if (!given.has(number)) throw new Violation('readers', `a reader was never given ${number}`);
    }
    if (certain && given.size !== reader.numbers.length) {
      throw new Violation('readers', `a reader was given twice: ${doubles(reader.numbers)}`);
    }
  }
  return {
    events: all.size,
    given: readers.reduce((sum, reader) => sum + reader.numbers.length, 0),
    filled: keepers.reduce((sum, keeper) => sum + keeper.group!.counters.filled, 0),
    elsewhere: [...readers, ...followers].reduce((sum, { seat }) => sum + seat.elsewhere, 0),
    restated: keepers.reduce((sum, keeper) => sum + keeper.group!.counters.restated, 0),
    crashes,
    pressed: keepers.reduce((sum, { pressed }) => sum + pressed, 0),
  };

  function act(): void {
    const publisher = random.pick(publishers);
    const { daemon } = publisher;
    if (daemon?.ring === undefined || random.chance(0.02)) {
      const living = daemons.filter(({ ring }) => ring !== undefined);
      if (living.length > 0) connect(publisher, random.pick(living));
      return;
    }
    if (publisher.unconfirmed.length > 20 || daemon.queuedBytes > 100_000 || daemon.isPressed) return;
    for (let left = random.between(1, 5); left > 0; left--) {
      const message = {
        sequence: ++publisher.sequence,
        number: ++numbers,
        key: random.pick(['', 'a', 'b', 'c']),
      };
      if (publisher.id !== undefined) publisher.unconfirmed.push(message);
      send(publisher, message);
    }
  }

  /** As after a broken connection: what has no confirmation is sent again. */
  function connect(publisher: Publisher, daemon: Daemon): void {
    publisher.daemon = daemon;
    publisher.connection++;
    for (const message of [...publisher.unconfirmed]) send(publisher, message);
  }

  function send(publisher: Publisher, message: Publisher['unconfirmed'][number]): void {
    const { connection, id } = publisher;
    const daemon = publisher.daemon!;
    const data = Buffer.alloc(8);
    data.writeUInt32LE(message.number);
    const origin = id === undefined ? undefined : { publisher: id, sequence: message.sequence };
    daemon.publish(data, message.key, origin, () => {
      if (daemon.keeps) confirmed.add(message.number);
      if (publisher.connection !== connection || id === undefined) return;
      const at = publisher.unconfirmed.indexOf(message);
      if (at > 0)
        throw new Violation('confirming', `${message.number} was confirmed before one that was sent before`);
      publisher.unconfirmed.shift();
    });
  }

  function read({ seat }: Reader): void {
    const living = daemons.filter(({ ring }) => ring !== undefined);
    if (seat.daemon?.ring === undefined || random.chance(0.2)) {
      if (living.length > 0) seat.move(random.pick(living));
    }
  }

  function follow(): void {
    const living = daemons.filter(({ ring }) => ring !== undefined);
    for (const { seat } of followers) {
      seat.turn(audience.chance(0.7));
      if (living.length > 0 && (seat.daemon?.ring === undefined || audience.chance(0.03))) {
        seat.move(audience.pick(living));
      }
    }
    if (living.length === 0 || audience.chance(0.95)) return;
    if (audience.chance(0.3)) pair.leave(audience.pick(living));
    else pair.listen(audience.pick(living));
  }

  async function strike(daemon: Daemon): Promise<void> {
    switch (random.weighted({ partition: 3, heal: 3, crash: 2, crashAll: 0.4, start: 3 })) {
      case 'partition': {
        const ids = random.shuffle(daemons.map(({ id }) => id));
        const cut = random.between(1, ids.length - 1);
        network.partition([ids.slice(0, cut), ids.slice(cut)]);
        break;
      }
      case 'heal':
        network.heal();
        break;
      case 'crash':
        crash(daemon);
        break;
      case 'crashAll':
        for (const one of daemons) crash(one);
        break;
      case 'start':
        if (daemon.ring === undefined) await daemon.start();
        break;
    }
  }

  function crash(daemon: Daemon): void {
    if (daemon.ring === undefined) return;
    crashes++;
    for (const { seat } of [...readers, ...followers]) if (seat.daemon === daemon) seat.leave();
    pair.leave(daemon);
    for (const publisher of publishers) if (publisher.daemon === daemon) publisher.daemon = undefined;
    daemon.crash(powerLosses && random.chance(0.6) ? 'power' : 'kill');
  }

  function settled(): boolean {
    return (
      daemons.every((daemon) => {
        const status = daemon.ring?.status;
        return (
          status?.state === 'operational' &&
          status.configuration?.members.length === daemons.length &&
          status.queuedBytes === 0
        );
      }) &&
      keepers.every(({ group, isPressed }) => group?.whole === true && group.heldCount === 0 && !isPressed) &&
      publishers.every(({ unconfirmed }) => unconfirmed.length === 0)
    );
  }

  async function until(holds: () => boolean, what: string): Promise<void> {
    for (let i = 0; !holds(); i++) {
      if (i > 2000) throw new Violation('liveness', `seed ${seed}: ${what}`);
      await clock.advance(5);
    }
  }
}

function doubles(numbers: readonly number[]): number[] {
  return numbers.filter((number, index) => numbers.indexOf(number) !== index);
}

/** Connections that break at every moment, without a network and without waiting. */
import { Random, SimulatedClock } from '@rookery/testkit';
import { expect, it } from 'vitest';
import { type Bus, BusError, connect, type Group, type SessionEvent } from '../../src/client/index.ts';
import { seedsToRun } from '../ring/seeds.ts';
import { FakeDaemon, type FakeSession } from './fake-daemon.ts';
import { MemoryNetwork } from './memory-network.ts';

const URL = 'ws://h1';

interface Client {
  readonly bus: Bus;
  readonly read: string[];
  readonly sent: Map<string, 'unknown' | 'confirmed' | 'lost'>;
}

interface World {
  readonly random: Random;
  readonly clock: SimulatedClock;
  readonly daemon: FakeDaemon;
  readonly network: MemoryNetwork;
  readonly clients: readonly Client[];
}

/** As the daemon's `given` is shown by `shown`. */
function lineOf(event: SessionEvent): string {
  switch (event.kind) {
    case 'message':
      return `${event.sender} ${event.text.slice(0, 12)}`;
    case 'view':
      return `view ${event.group} ${event.id}`;
    case 'lost':
      return 'lost';
    default:
      return `${event.kind} ${event.group}`;
  }
}

function shown({ given }: FakeSession): string[] {
  return given.flatMap(({ delivery }) => {
    if (delivery.kind === 'refused') return [];
    if (delivery.kind === 'message') {
      return [`${delivery.sender} ${Buffer.from(delivery.data).toString().slice(0, 12)}`];
    }
    return delivery.kind === 'view'
      ? [`view ${delivery.group} ${delivery.id}`]
      : [`${delivery.kind} ${delivery.group}`];
  });
}

/** Three clients that send and read in groups, while connections break; then peace, until all is quiet. */
async function run(seed: number, disturb: (world: World) => void): Promise<World> {
  const random = new Random(seed, 'resume');
  const clock = new SimulatedClock();
  const confirms = random.pick([0, 0.3, 1]);
  const daemon = new FakeDaemon({ confirmsAtOnce: () => random.chance(confirms) });
  const network = new MemoryNetwork({ clock, random: random.fork('network'), daemons: { [URL]: daemon } });
  const settings = {
    readWindowBytes: random.pick([0, 200, 2000]),
    writeWindowBytes: random.pick([100, 1000]),
    frameBytes: random.pick([1, 120, 1000]),
    connectAttempts: Number.POSITIVE_INFINITY,
    acknowledgeBytes: random.pick([1, 500]),
    acknowledgeMs: random.pick([5, 100]),
    retryMs: 10,
    retryMaxMs: 50,
    handshakeMs: 100,
    silenceMs: 100,
    answerMs: 50,
  };
  const clients: Client[] = [];
  for (let index = 0; index < 3; index++) {
    const draws = random.fork(`client ${index}`);
    const bus = await clock.run(
      connect(URL, {
        name: `c${index}`,
        clock,
        random: () => draws.float(),
        WebSocket: network.WebSocket,
        settings,
      }),
    );
    const client: Client = { bus, read: [], sent: new Map() };
    clients.push(client);
    void read(bus, client.read, draws);
    void live(client, draws);
  }
  const world = { random, clock, daemon, network, clients };
  let done = 0;

  async function read(bus: Bus, into: string[], draws: Random): Promise<void> {
    for await (const event of bus) {
      into.push(lineOf(event));
      if (draws.chance(0.2)) await pause(draws.float() * 20);
    }
  }

  async function live({ bus, sent }: Client, draws: Random): Promise<void> {
    const groups: Group[] = [];
    for (let step = 0; step < 12; step++) {
      await pause(draws.float() * 30);
      const act = draws.weighted({ send: 8, join: 2, leave: 1 });
      if (act === 'join') {
        await bus.join(draws.pick(['g', 'h'])).then(
          (group) => groups.push(group),
          (error) => expect(error).toMatchObject({ code: 'ALREADY_A_MEMBER' }),
        );
      } else if (act === 'leave') {
        await groups.pop()?.leave();
      } else {
        for (let count = draws.between(1, 4); count > 0; count--) {
          const id = `${bus.session.slice(1, 3)}-${sent.size}`;
          sent.set(id, 'unknown');
          bus.multicast(draws.pick(['g', ['g', 'h']]), id.padEnd(12) + 'x'.repeat(draws.below(80))).then(
            () => sent.set(id, 'confirmed'),
            (error) => {
              if (!(error instanceof BusError) || error.code !== 'SESSION_LOST') throw error;
              sent.set(id, 'lost');
            },
          );
        }
        if (draws.chance(0.5)) await bus.drained();
      }
    }
    done++;
  }

  function pause(ms: number): Promise<void> {
    return new Promise((resolve) => clock.setTimeout(resolve, ms));
  }

  const untilMs = clock.elapsedMs + 400;
  while (clock.elapsedMs < untilMs) {
    disturb(world);
    await clock.advance(10);
  }
  network.cutChance = 0;
  network.toldChance = 1;
  await clock.runUntil(() => {
    daemon.confirm();
    return done === clients.length && clients.every(isQuiet);
  }, 'peace');
  return world;

  function isQuiet({ bus, read, sent }: Client): boolean {
    if (bus.unconfirmedBytes > 0 || [...sent.values()].includes('unknown')) return false;
    const session = daemon.session(bus.session);
    return session !== undefined && afterLoss(read).length >= shown(session).length;
  }
}

function afterLoss(read: readonly string[]): readonly string[] {
  return read.slice(read.lastIndexOf('lost') + 1);
}

async function eachSeed(
  usual: number,
  disturb: (world: World) => void,
  check: (world: World) => void,
): Promise<string> {
  const sum = { frames: 0, cuts: 0, events: 0, lost: 0 };
  for (const seed of seedsToRun(usual)) {
    try {
      const world = await run(seed, disturb);
      check(world);
      sum.frames += world.network.frames;
      sum.cuts += world.network.cuts;
      for (const { read } of world.clients) {
        sum.events += read.length;
        sum.lost += read.filter((line) => line === 'lost').length;
      }
      for (const { bus } of world.clients) await world.clock.run(bus.close());
    } catch (error) {
      throw new Error(`seed ${seed}: replay with ROOKERY_TEST_SEED=${seed}`, { cause: error });
    }
  }
  return `${sum.frames} frames, ${sum.cuts} cuts, ${sum.events} events, ${sum.lost} sessions lost`;
}

it('connections break anywhere: nothing is lost, nothing comes twice, the order stays', {
  timeout: 3_600_000,
}, async () => {
  const summary = await eachSeed(
    1000,
    ({ network, random }) => {
      network.cutChance = random.pick([0, 0.02, 0.1, 0.3]);
      network.toldChance = random.pick([0, 1]);
    },
    ({ daemon, clients }) => {
      for (const { bus, read, sent } of clients) {
        expect(read).toEqual(shown(daemon.session(bus.session)!));
        expect([...sent.values()]).not.toContain('lost');
      }
    },
  );
  console.log(summary);
});

it('sessions are lost: what was confirmed was given once, what was not at most once, and where it broke is told', {
  timeout: 3_600_000,
}, async () => {
  const summary = await eachSeed(
    500,
    ({ network, random, daemon }) => {
      network.cutChance = random.pick([0, 0.02, 0.1]);
      const alive = daemon.sessions.filter((session) => session.alive);
      if (random.chance(0.03) && alive.length > 0) {
        daemon.end(random.pick(alive), random.pick([undefined, 'TOO_SLOW', 'STOPPING'] as const));
        network.cutAll();
      }
    },
    ({ daemon, clients }) => {
      const everything = daemon.sessions.map((session) => shown(session).map((line) => line.trimEnd()));
      clients.forEach(({ read, sent }, index) => {
        const lives = daemon.sessions.filter(({ name }) => name === `#c${index}#h1`);
        const parts = read
          .join('\n')
          .split(/^lost$/m)
          .map((part) => part.split('\n').filter((line) => line !== ''));
        // Lives that ended before the client heard of them leave nothing.
        const last = parts.pop()!;
        expect(last).toEqual(shown(lives.at(-1)!));
        let life = 0;
        for (const part of parts) {
          while (life < lives.length - 1 && !isPrefix(part, shown(lives[life]!))) life++;
          expect(life).toBeLessThan(lives.length - 1);
          life++;
        }
        for (const [id, fate] of sent) {
          const times = everything.map(
            (lines) => lines.filter((line) => line === `#c${index}#h1 ${id}`).length,
          );
          expect(Math.max(...times), id).toBeLessThanOrEqual(1);
          expect(fate).not.toBe('unknown');
        }
      });
    },
  );
  console.log(summary);
});

function isPrefix(part: readonly string[], whole: readonly string[]): boolean {
  return part.every((line, index) => whole[index] === line);
}

/** One seed of the groups' simulator: daemons on rings, sessions that come and go, an adversary, then peace. */
import { Random, SimulatedClock, SimulatedNetwork } from '@rookery/testkit';
import { Violation } from '../ring/history.ts';
import { checkGroups } from './checker.ts';
import { Daemon, type GroupWorld } from './daemon.ts';

const GROUPS = ['a', 'b', 'c', 'd'];

export async function simulateGroups(
  seed: number,
  bend: GroupWorld['bend'] = (output) => [output],
): Promise<{ readonly views: number; readonly messages: number }> {
  const random = new Random(seed, 'groups');
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
  const settings = { windowPackets: 20, visitPackets: 10, acceleratedPackets: 3, spanPackets: 40 };
  const world: GroupWorld = { clock, network, random, settings, histories: [], messages: 0, bend };
  const daemons = Array.from({ length: random.between(2, 5) }, (_, index) => new Daemon(index + 1, world));
  for (const daemon of daemons) daemon.start();

  const untilMs = random.pick([1500, 3000]);
  const faultEveryMs = random.pick([100, 300, 600]);
  let names = 0;
  let nextFaultMs = 200;
  while (clock.elapsedMs < untilMs) {
    await clock.advance(random.float() * 20);
    act(random.pick(daemons), random);
    if (clock.elapsedMs < nextFaultMs) continue;
    nextFaultMs = clock.elapsedMs + 2 * faultEveryMs * random.float();
    strike(random.pick(daemons));
  }

  network.heal();
  network.conditions = {
    delayMs: [0.2, 0.5],
    lossChance: 0,
    duplicateChance: 0,
    reorderChance: 0,
    reorderMs: 0,
  };
  for (const daemon of daemons) if (daemon.ring === undefined) daemon.start();
  for (let i = 0; !settled(); i++) {
    if (i > 1200) throw new Violation('liveness', `seed ${seed}: the daemons don't agree on their groups`);
    await clock.advance(5);
  }
  await clock.advance(300);
  if (!settled()) throw new Violation('liveness', `seed ${seed}: the daemons did not stay in agreement`);
  checkLast();
  checkGroups(world.histories);
  const events = world.histories.flatMap((history) => history.events);
  return {
    views: events.filter(({ kind }) => kind === 'view').length,
    messages: events.filter(({ kind }) => kind === 'message').length,
  };

  function act(daemon: Daemon, from: Random): void {
    if (daemon.ring === undefined) return;
    const sessions = [...daemon.sessions.keys()];
    if (sessions.length === 0 || (sessions.length < 4 && from.chance(0.2))) {
      daemon.connect(`s${names++}`);
      return;
    }
    const session = from.pick(sessions);
    switch (from.weighted({ join: 3, leave: 1, disconnect: 0.3, send: 10, private: 1 })) {
      case 'join':
        daemon.join(session, from.pick(GROUPS));
        break;
      case 'leave':
        daemon.leave(session, from.pick(GROUPS));
        break;
      case 'disconnect':
        daemon.disconnect(session);
        break;
      case 'send':
        for (let left = from.between(1, 3); left > 0; left--) {
          const groups = from.shuffle([...GROUPS]).slice(0, from.between(1, 3));
          daemon.send(session, from.pick(['agreed', 'safe'] as const), groups);
        }
        break;
      case 'private': {
        const other = from.pick(world.histories);
        daemon.send(session, 'agreed', [other.name]);
        break;
      }
    }
  }

  function strike(daemon: Daemon): void {
    switch (random.weighted({ partition: 3, heal: 3, crash: 1, start: 2 })) {
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
        if (daemon.ring !== undefined) daemon.crash();
        break;
      case 'start':
        if (daemon.ring === undefined) daemon.start();
        break;
    }
  }

  function settled(): boolean {
    const [first] = daemons as [Daemon];
    const picture = (daemon: Daemon): string =>
      JSON.stringify(GROUPS.map((group) => daemon.groups?.members(group)));
    return daemons.every((daemon) => {
      const status = daemon.ring?.status;
      return (
        status?.state === 'operational' &&
        status.configuration?.members.length === daemons.length &&
        status.queuedBytes === 0 &&
        picture(daemon) === picture(first)
      );
    });
  }

  /** The last view that each living session was told is what the daemons say. */
  function checkLast(): void {
    for (const daemon of daemons) {
      for (const history of daemon.sessions.values()) {
        for (const group of GROUPS) {
          const members = daemon.groups!.members(group);
          if (!members.includes(history.name)) continue;
          const last = history.events.findLast(
            (event) => event.kind === 'view' && event.view.group === group,
          );
          if (last?.kind !== 'view' || last.view.members.join() !== members.join()) {
            throw new Violation(
              'last view',
              `${history.name} was last told ${JSON.stringify(last)} of ${group}, but it is [${members}]`,
            );
          }
        }
      }
    }
  }
}

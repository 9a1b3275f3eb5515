/** One seed: members of a room on daemons that part and meet, then peace. */
import { Random } from '@rookery/testkit';
import { FlushCore, type FlushEvent, type FlushStep, type RoomView } from '../../../src/client/flush/core.ts';
import type { Message, View } from '../../../src/client/index.ts';
import { check, type History, Violation } from './checker.ts';
import { OrderedNetwork } from './ordered-network.ts';

/** Changes what a member's core is told; for tests of the checker. */
export type Bend = (told: View | Message, member: string, random: Random) => readonly (View | Message)[];

interface Member {
  readonly session: string;
  readonly daemon: number;
  readonly core: FlushCore;
  readonly history: History;
  isIn: boolean;
  mustFlush: boolean;
}

const GROUP = 'room';

export function simulateFlush(
  seed: number,
  bend: Bend = (told) => [told],
): { readonly views: number; readonly messages: number } {
  const random = new Random(seed, 'flush');
  const network = new OrderedNetwork(random.fork('network'), random.between(2, 5));
  const members: Member[] = [];
  const histories: History[] = [];
  let sent = 0;

  const weights = {
    deliver: random.pick([10, 40]),
    read: random.pick([20, 40]),
    send: random.pick([5, 20]),
    flush: random.pick([2, 10]),
    split: random.pick([0.3, 1, 4]),
    leave: 0.2,
    enter: 0.4,
  };
  for (let count = random.between(2, 6); count > 0; count--) enter();
  for (let step = random.between(100, 400); step > 0; step--) act(random.weighted(weights));

  network.split([network.ids]);
  for (const member of members) if (!member.isIn) remove(member);
  if (members.length === 0) enter();
  for (let rounds = 0; !settled(); rounds++) {
    if (rounds > 100_000) throw new Violation('liveness', 'the members do not come together');
    while (network.step());
    for (const member of members) while (read(member));
    for (const member of members) if (member.mustFlush) flush(member);
  }
  check(histories);
  const last = members.map(({ core }) => core.view!);
  for (const view of last) {
    if (view.id !== last[0]!.id || view.members.length !== members.length) {
      throw new Violation('liveness', `some are in ${view.id} at last, others in ${last[0]!.id}`);
    }
  }
  const events = histories.flatMap((history) => history.events);
  return {
    views: events.filter(({ kind }) => kind === 'view').length,
    messages: events.filter(({ kind }) => kind === 'message').length,
  };

  function act(what: 'deliver' | 'read' | 'send' | 'flush' | 'split' | 'leave' | 'enter'): void {
    if (what === 'deliver') for (let left = random.between(1, 20); left > 0; left--) network.step();
    else if (what === 'split') split();
    else if (what === 'enter') enter();
    else if (members.length > 0) {
      const member = random.pick(members);
      if (what === 'read') for (let left = random.between(1, 5); left > 0; left--) read(member);
      else if (what === 'send') send(member);
      else if (what === 'flush' && member.mustFlush) flush(member);
      else if (what === 'leave' && member.isIn) remove(member);
    }
  }

  function split(): void {
    const parts: number[][] = [[], [], []];
    const count = random.between(1, 3);
    for (const id of network.ids) parts[random.below(count)]!.push(id);
    network.split(parts.filter((part) => part.length > 0));
  }

  function enter(): void {
    const daemon = random.pick(network.ids);
    const session = network.connect(daemon, `m${histories.length}`);
    const history: History = { session, gone: false, events: [] };
    histories.push(history);
    members.push({ session, daemon, core: new FlushCore(), history, isIn: true, mustFlush: false });
    network.act(daemon, (groups) => groups.join(session, GROUP));
  }

  function remove(member: Member): void {
    members.splice(members.indexOf(member), 1);
    member.history.gone = true;
    network.act(member.daemon, (groups) => groups.disconnect(member.session));
  }

  function read(member: Member): boolean {
    const told = network.inboxes.get(member.session)?.shift();
    if (told === undefined) return false;
    for (const bent of bend(told, member.session, random)) {
      take(
        member,
        bent.kind === 'view' ? member.core.onView(bent, member.session) : member.core.onMessage(bent),
      );
    }
    return true;
  }

  function flush(member: Member): void {
    member.mustFlush = false;
    take(member, member.core.flush());
  }

  function send(member: Member): void {
    const id = sent;
    const data = member.core.wrap(Uint8Array.of(id & 0xff, id >> 8));
    if (data === undefined) return;
    sent++;
    member.history.events.push({ kind: 'sent', message: id, view: member.core.view!.id });
    multicast(member, data);
  }

  function take(member: Member, { event, send }: FlushStep): void {
    if (send !== undefined) multicast(member, send);
    if (event === undefined) return;
    if (event.kind === 'flush_request') member.mustFlush = true;
    note(member.history, event);
  }

  function note({ events }: History, event: FlushEvent): void {
    if (event.kind === 'flush_request') events.push({ kind: 'flush_request' });
    else if (event.kind === 'view') events.push({ kind: 'view', view: event as RoomView });
    else if (event.kind === 'message') {
      events.push({ kind: 'message', message: event.data[0]! | (event.data[1]! << 8), from: event.sender });
    }
  }

  function multicast({ daemon, session }: Member, data: Uint8Array): void {
    network.act(daemon, (groups) =>
      groups.multicast(session, {
        service: random.pick(['agreed', 'safe']),
        groups: [GROUP],
        messageType: 0,
        bigEndian: false,
        selfDiscard: false,
        key: '',
        data,
      }),
    );
  }

  function settled(): boolean {
    return (
      network.idle &&
      members.every(
        ({ session, core, mustFlush }) =>
          network.inboxes.get(session)!.length === 0 &&
          !mustFlush &&
          core.view?.members.length === members.length,
      )
    );
  }
}

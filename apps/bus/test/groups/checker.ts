/** Holds what sessions saw to what groups promise. It knows nothing of rings. */
import type { View } from '../../src/groups/types.ts';
import { Violation } from '../ring/history.ts';
import type { SessionHistory } from './daemon.ts';

/** A session's stay in one view of a group. */
interface Stay {
  readonly session: string;
  readonly view: View;
  readonly messages: number[];
  /** Of these, the safe ones that came before the view's transition. */
  readonly safe: number[];
  parting: boolean;
  next: View | undefined;
}

/** Indices of views that were made after a transition: some of their members may be out of reach already. */
const MADE_IN_TRANSITION = 2 ** 30;

/** @throws Violation */
export function checkGroups(histories: readonly SessionHistory[]): void {
  const stays = histories.flatMap(staysOf);
  checkViews(stays);
  checkSets(stays);
  checkSafe(stays, histories);
  checkOrder(histories);
  for (const history of histories) checkOwn(history);
}

function staysOf({ name, events }: SessionHistory): Stay[] {
  const stays: Stay[] = [];
  const current = new Map<string, Stay>();
  const seen = new Set<number>();
  for (const event of events) {
    if (event.kind === 'view') {
      const { view } = event;
      if (!view.members.includes(name))
        throw new Violation('view', `${name} was told a view of ${view.group} without it`);
      const before = current.get(view.group);
      if (before !== undefined) before.next = view;
      const parting = view.id.index >= MADE_IN_TRANSITION;
      const stay: Stay = { session: name, view, messages: [], safe: [], parting, next: undefined };
      current.set(view.group, stay);
      stays.push(stay);
    } else if (event.kind === 'left') {
      current.delete(event.group);
    } else if (event.kind === 'transition') {
      const stay = current.get(event.group);
      if (stay !== undefined) stay.parting = true;
    } else if (event.kind === 'message') {
      if (seen.has(event.message)) throw new Violation('once', `${name} was given ${event.message} twice`);
      seen.add(event.message);
      let wanted = event.groups.includes(name);
      for (const group of event.groups) {
        const stay = current.get(group);
        stay?.messages.push(event.message);
        if (event.service === 'safe' && stay?.parting === false) stay.safe.push(event.message);
        wanted ||= stay !== undefined;
      }
      if (!wanted)
        throw new Violation(
          'open groups',
          `${name} was given ${event.message}, but is in none of its groups`,
        );
    }
  }
  return stays;
}

/** A view's name stands for one list of members. */
function checkViews(stays: readonly Stay[]): void {
  const byId = new Map<string, View>();
  for (const { view, session } of stays) {
    const name = `${view.group} ${view.id.daemon}/${view.id.time}/${view.id.index}`;
    const other = byId.get(name);
    if (other === undefined) byId.set(name, view);
    else if (other.members.join() !== view.members.join() || other.cause !== view.cause) {
      throw new Violation(
        'view',
        `${name} is [${view.members}] at ${session} and [${other.members}] elsewhere`,
      );
    }
  }
}

/** Who goes from one view to the next together was given the same between. */
function checkSets(stays: readonly Stay[]): void {
  const together = new Map<string, Stay>();
  for (const stay of stays) {
    const { view, next, session, messages } = stay;
    if (next === undefined) continue;
    const set = next.cause === 'network' ? next.sets.find((names) => names.includes(session)) : next.members;
    if (set === undefined)
      throw new Violation('sets', `${session} is in no set of its view of ${view.group}`);
    const key = [view.group, view.id, next.id, next.cause === 'network' ? set : '']
      .map((part) => JSON.stringify(part))
      .join();
    const other = together.get(key);
    if (other === undefined) together.set(key, stay);
    else if (other.messages.join() !== messages.join()) {
      throw new Violation(
        'sets',
        `${session} and ${other.session} differ in ${JSON.stringify(view)}: ${messages} and ${other.messages}`,
      );
    }
  }
}

/** A safe message that anybody was given before a transition is given to each member of that view that stays. */
function checkSafe(stays: readonly Stay[], histories: readonly SessionHistory[]): void {
  const living = new Map<string, { readonly got: ReadonlySet<number>; readonly left: ReadonlySet<string> }>();
  for (const { name, gone, events } of histories) {
    if (gone) continue;
    living.set(name, {
      got: new Set(events.flatMap((event) => (event.kind === 'message' ? [event.message] : []))),
      left: new Set(events.flatMap((event) => (event.kind === 'left' ? [event.group] : []))),
    });
  }
  for (const { session, view, safe } of stays) {
    for (const member of view.members) {
      const other = living.get(member);
      if (other === undefined || other.left.has(view.group)) continue;
      const missed = safe.find((message) => !other.got.has(message));
      if (missed !== undefined) {
        throw new Violation(
          'safe',
          `${session} was given ${missed} as safe in ${JSON.stringify(view)}, and ${member} never`,
        );
      }
    }
  }
}

/** One order over all groups fits what all sessions saw. */
function checkOrder(histories: readonly SessionHistory[]): void {
  const after = new Map<number, Set<number>>();
  const before = new Map<number, number>();
  for (const { events } of histories) {
    let last: number | undefined;
    for (const event of events) {
      if (event.kind !== 'message') continue;
      if (!before.has(event.message)) before.set(event.message, 0);
      if (last !== undefined) {
        const set = after.get(last) ?? new Set();
        after.set(last, set);
        if (!set.has(event.message)) before.set(event.message, before.get(event.message)! + 1);
        set.add(event.message);
      }
      last = event.message;
    }
  }
  const ready = [...before].filter(([, count]) => count === 0).map(([message]) => message);
  let sorted = 0;
  for (let message = ready.pop(); message !== undefined; message = ready.pop()) {
    sorted++;
    for (const next of after.get(message) ?? []) {
      const left = before.get(next)! - 1;
      before.set(next, left);
      if (left === 0) ready.push(next);
    }
  }
  if (sorted !== before.size) throw new Violation('order', 'no one order over all groups fits');
}

/** Who is in a group when it sends to it, and stays, is given its own message. */
function checkOwn({ name, events, gone }: SessionHistory): void {
  if (gone) return;
  const got = new Set(events.flatMap((event) => (event.kind === 'message' ? [event.message] : [])));
  const isIn = new Set<string>();
  const everLeft = new Set(events.flatMap((event) => (event.kind === 'left' ? [event.group] : [])));
  for (const event of events) {
    if (event.kind === 'view') isIn.add(event.view.group);
    if (event.kind !== 'sent' || got.has(event.message)) continue;
    const owed = event.groups.find((group) => isIn.has(group) && !everLeft.has(group));
    if (owed !== undefined)
      throw new Violation('own', `${name} was in ${owed} and never given its own ${event.message}`);
  }
}

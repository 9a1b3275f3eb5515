/** Holds what members of a room saw to what virtual synchrony promises. It knows nothing of how it is done. */
import type { RoomView } from '../../../src/client/flush/core.ts';

export interface History {
  readonly session: string;
  gone: boolean;
  readonly events: (
    | { readonly kind: 'sent'; readonly message: number; readonly view: string }
    | { readonly kind: 'message'; readonly message: number; readonly from: string }
    | { readonly kind: 'flush_request' }
    | { readonly kind: 'view'; readonly view: RoomView }
  )[];
}

export class Violation extends Error {
  readonly property: string;

  constructor(property: string, message: string) {
    super(`${property}: ${message}`);
    this.property = property;
  }
}

/** A member's time in one view. */
interface Stay {
  readonly session: string;
  readonly view: RoomView;
  readonly messages: number[];
  readonly sent: number[];
  next: RoomView | undefined;
}

/** @throws Violation */
export function check(histories: readonly History[]): void {
  const sentIn = new Map<number, { readonly view: string; readonly by: string }>();
  for (const { session, events } of histories) {
    for (const event of events)
      if (event.kind === 'sent') sentIn.set(event.message, { view: event.view, by: session });
  }
  const stays = histories.flatMap((history) => staysOf(history, sentIn));
  checkViews(stays);
  checkTogether(stays);
}

function staysOf(
  { session, events }: History,
  sentIn: ReadonlyMap<number, { readonly view: string; readonly by: string }>,
): Stay[] {
  const stays: Stay[] = [];
  let requests = 0;
  for (const event of events) {
    const stay = stays.at(-1);
    if (event.kind === 'flush_request') {
      if (stay === undefined || ++requests > 1)
        throw new Violation('one flush', `${session} was asked too often`);
    } else if (event.kind === 'view') {
      const { view } = event;
      if (!view.members.includes(session))
        throw new Violation('self-inclusion', `${session} is not in ${view.id}`);
      if (!view.together.includes(session))
        throw new Violation('self-inclusion', `${session} came without itself`);
      if (stay !== undefined && requests !== 1) throw new Violation('one flush', `${session} was not asked`);
      requests = 0;
      if (stay !== undefined) {
        stay.next = view;
        for (const message of stay.sent) {
          if (!stay.messages.includes(message)) {
            throw new Violation(
              'self-delivery',
              `${session} was not given its own ${message} in ${stay.view.id}`,
            );
          }
        }
      }
      stays.push({ session, view, messages: [], sent: [], next: undefined });
    } else if (stay === undefined) {
      throw new Violation('sending view', `${session} had ${event.kind} before its first view`);
    } else if (event.kind === 'sent') {
      stay.sent.push(event.message);
    } else {
      const sent = sentIn.get(event.message);
      if (sent?.view !== stay.view.id || sent.by !== event.from || !stay.view.members.includes(event.from)) {
        throw new Violation(
          'sending view',
          `${session} in ${stay.view.id} was given ${event.message}, sent by ${sent?.by} in ${sent?.view}`,
        );
      }
      if (stay.messages.includes(event.message))
        throw new Violation('once', `${session} had ${event.message} twice`);
      stay.messages.push(event.message);
    }
  }
  return stays;
}

/** A view's id stands for one list of members. */
function checkViews(stays: readonly Stay[]): void {
  const byId = new Map<string, string>();
  for (const { view, session } of stays) {
    const members = view.members.join();
    if ((byId.get(view.id) ?? members) !== members)
      throw new Violation('views', `${view.id} differs at ${session}`);
    byId.set(view.id, members);
  }
}

/** Who goes from one view to the next together has been given the same in it, in the same order, and agrees on who that is. */
function checkTogether(stays: readonly Stay[]): void {
  const byPath = new Map<string, Stay[]>();
  for (const stay of stays) {
    if (stay.next === undefined) continue;
    const path = `${stay.view.id} ${stay.next.id}`;
    byPath.set(path, [...(byPath.get(path) ?? []), stay]);
  }
  for (const [path, companions] of byPath) {
    for (const one of companions) {
      for (const other of companions) {
        if (one.next!.together.includes(other.session) !== other.next!.together.includes(one.session)) {
          throw new Violation('together', `${one.session} and ${other.session} don't agree in ${path}`);
        }
        if (!one.next!.together.includes(other.session)) continue;
        if (one.messages.join() !== other.messages.join()) {
          throw new Violation(
            'same set',
            `${path}: ${one.session} had [${one.messages}], ${other.session} [${other.messages}]`,
          );
        }
      }
      for (const name of one.next!.together) {
        const other = stays.find(({ session, next }) => session === name && next?.id === one.next!.id);
        if (other !== undefined && other.view.id !== one.view.id) {
          throw new Violation(
            'together',
            `${name} came to ${one.next!.id} from ${other.view.id}, not ${one.view.id}`,
          );
        }
      }
    }
  }
}

/**
 * Virtual synchrony for a closed group, on one order of messages and views. Pure: a group's events in, what the
 * application is given and what is to be multicast out.
 *
 * When the group changes, each member says `ok` once its application has said all that it wants to say before the new
 * view. The view begins behind the last member's `ok`: that is one place in the order, the same for all. What was sent
 * before an `ok` comes before it, so nothing of the old view can come later. If the group changes again meanwhile, all
 * say `ok` anew.
 */
import { type Message, ReceivedMessage, type Transition, type View } from '../events.ts';
import { unwrap, wrap } from './envelope.ts';

/** The members that messages are exchanged with from now on. */
export interface RoomView {
  readonly kind: 'view';
  readonly group: string;
  /** The same at all members that are in this view. */
  readonly id: string;
  readonly members: readonly string[];
  /** Those who come from the same view as this member, itself included: they were given the same messages in it. */
  readonly together: readonly string[];
}

export type FlushEvent =
  | Message
  | RoomView
  /** The members are changing: say what is still to be said in this view, then call `flush`. */
  | { readonly kind: 'flush_request'; readonly group: string }
  | Transition;

export interface FlushStep {
  readonly event?: FlushEvent;
  /** To be multicast to the group, agreed. */
  readonly send?: Uint8Array;
}

const NOTHING: FlushStep = {};
const EMPTY = new Uint8Array(0);

export class FlushCore {
  #me = '';
  #view: RoomView | undefined;
  /** Of the view's members those who have been given the same as this one since. */
  #together = new Set<string>();
  #next: { readonly view: View; readonly missing: Set<string> } | undefined;
  #asked = false;
  #flushed = false;

  /** The view that messages are sent in. */
  get view(): RoomView | undefined {
    return this.#view;
  }

  /** `undefined` where nothing may be sent: before the first view, and from `flush` to the next one. */
  wrap(data: Uint8Array): Uint8Array | undefined {
    return this.#view === undefined || this.#flushed ? undefined : wrap('message', this.#view.id, data);
  }

  /** The group has changed. `me` is this session. */
  onView(view: View, me: string): FlushStep {
    this.#me = me;
    // It is of a session that has been lost since.
    if (!view.members.includes(me)) return NOTHING;
    const companions = companionsOf(view, me);
    this.#together = new Set([...this.#together].filter((member) => companions.has(member)));
    this.#next = { view, missing: new Set(view.members) };
    // Who is in no view yet has nothing to say before the first one.
    if (this.#view === undefined || this.#flushed) return this.#ok();
    if (this.#asked) return NOTHING;
    this.#asked = true;
    return { event: { kind: 'flush_request', group: view.group } };
  }

  /** The application has said all. Without a request it has no effect. */
  flush(): FlushStep {
    if (!this.#asked || this.#flushed) return NOTHING;
    this.#flushed = true;
    return this.#ok();
  }

  onMessage(message: Message): FlushStep {
    const envelope = unwrap(message.data);
    if (envelope === undefined) return NOTHING;
    if (envelope.kind === 'ok') return this.#onOk(envelope.view, message.sender);
    if (envelope.view !== this.#view?.id || !this.#together.has(message.sender)) return NOTHING;
    const { sender, groups, service, messageType, key } = message;
    return {
      event: new ReceivedMessage({ sender, groups, service, messageType, key, data: envelope.data }),
    };
  }

  /** The session has ended: with the next one this is a new member. */
  onLost(): void {
    this.#view = undefined;
    this.#together = new Set();
    this.#next = undefined;
    this.#asked = false;
    this.#flushed = false;
  }

  #ok(): FlushStep {
    return this.#next === undefined ? NOTHING : { send: wrap('ok', this.#next.view.id, EMPTY) };
  }

  #onOk(view: string, from: string): FlushStep {
    const next = this.#next;
    if (next === undefined || next.view.id !== view) return NOTHING;
    next.missing.delete(from);
    return next.missing.size > 0 ? NOTHING : { event: this.#begin(next.view) };
  }

  #begin({ group, id, members }: View): RoomView {
    const together = this.#view === undefined ? [this.#me] : members.filter((one) => this.#together.has(one));
    this.#view = { kind: 'view', group, id, members, together };
    this.#together = new Set(members);
    this.#next = undefined;
    this.#asked = false;
    this.#flushed = false;
    return this.#view;
  }
}

/** Who comes from the view before along with `me`. */
function companionsOf({ cause, members, changed, sets }: View, me: string): Set<string> {
  if (cause === 'network') return new Set(sets.find((set) => set.includes(me)) ?? [me]);
  const companions = new Set(members);
  // Who joins is new, even if its name is not.
  if (cause === 'join' && changed !== undefined && changed !== me) companions.delete(changed);
  return companions;
}

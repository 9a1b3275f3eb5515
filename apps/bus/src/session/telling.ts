/** What the groups say, into the outboxes of those here that must hear it: encoded once for all who share a wire. */
import { EncodeError } from '@rookery/protocol/websocket';
import type { GroupDelivery, GroupOutput, View } from '../groups/types.ts';
import type { Content, Delivery, Format } from './delivery.ts';
import type { GroupSettings } from './group-settings.ts';
import type { Session } from './session.ts';

export interface TellingOptions {
  readonly sessions: ReadonlyMap<string, Session>;
  readonly groupSettings: (group: string) => GroupSettings;
  readonly outboxBytes: number;
  readonly counters: { messagesDelivered: number; bytesDelivered: number };
  /** What another daemon let through has no place in a wire of clients, and is not delivered. */
  readonly onUndeliverable: () => void;
  /** Senders to the group should wait for the session: half of its outbox is full. */
  readonly onSlow: (session: Session, group: string) => void;
}

export class Telling {
  readonly #options: TellingOptions;

  constructor(options: TellingOptions) {
    this.#options = options;
  }

  // hot: once per message.
  message(output: GroupDelivery): void {
    const { sessions, groupSettings, counters } = this.#options;
    const { to, groups } = output;
    let format: Format | undefined;
    let content: Content | undefined;
    let others: Map<Format, Content> | undefined;
    for (const name of to) {
      const session = sessions.get(name);
      if (session === undefined) continue;
      if (session.format !== format) {
        if (format !== undefined && content !== undefined) {
          others ??= new Map();
          others.set(format, content);
        }
        format = session.format;
        content = others?.get(format) ?? this.#encode(format, output);
      }
      if (content === undefined) continue;
      const group = groups.length === 1 ? groups[0]! : (groups.find((g) => session.groups.has(g)) ?? name);
      const { slowPolicy } = groupSettings(group);
      const key = slowPolicy === 'newest-per-key' ? conflationKey(output) : '';
      session.push(content, group, key, slowPolicy, to.length);
      counters.messagesDelivered++;
      counters.bytesDelivered += output.data.length;
      if (slowPolicy === 'slow' && session.outboxBytes > this.#options.outboxBytes / 2) {
        this.#options.onSlow(session, group);
      }
    }
  }

  view(to: readonly string[], view: View): void {
    const encoded = new Map<Format, Map<number, Content | undefined>>();
    let sets: ReadonlyMap<string, number> | undefined;
    for (const name of to) {
      const session = this.#options.sessions.get(name);
      if (session === undefined) continue;
      const { format } = session;
      if (format.tellsMine) sets ??= setsOf(view);
      const mine = format.tellsMine ? (sets?.get(name) ?? 0) : 0;
      const known = encoded.get(format) ?? new Map<number, Content | undefined>();
      encoded.set(format, known);
      if (!known.has(mine)) known.set(mine, this.#encode(format, { kind: 'view', view }, mine));
      const content = known.get(mine);
      if (content !== undefined) session.push(content, undefined, '', 'disconnect', to.length);
    }
  }

  transition(output: Extract<GroupOutput, { kind: 'transition' }>): void {
    for (const name of output.to) this.#one(name, output);
  }

  left(output: Extract<GroupOutput, { kind: 'left' }>): void {
    const session = this.#options.sessions.get(output.to);
    if (session?.membership || session?.format.leftToAll) this.#one(output.to, output);
  }

  #one(name: string, delivery: Delivery): void {
    const session = this.#options.sessions.get(name);
    if (session === undefined) return;
    const content = this.#encode(session.format, delivery);
    if (content !== undefined) session.push(content, undefined, '', 'disconnect');
  }

  /** Names are checked where clients come in; but one daemon's mistake must not end all the others. */
  #encode(format: Format, delivery: Delivery, mine = 0): Content | undefined {
    try {
      return format.encode(delivery, mine);
    } catch (error) {
      if (!(error instanceof EncodeError)) throw error;
      this.#options.onUndeliverable();
      return undefined;
    }
  }
}

/** What the message is about: as its sender says, or else all of one sender and type is about the same. */
function conflationKey({ key, from, messageType }: GroupDelivery): string {
  return key === '' ? `${from} ${messageType}` : key;
}

/** Session -> the index of its set. */
function setsOf({ sets }: View): ReadonlyMap<string, number> {
  return new Map(sets.flatMap((set, index) => set.map((session) => [session, index] as const)));
}

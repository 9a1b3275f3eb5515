/**
 * Groups of sessions on top of the ring. Joins and leaves are ordered events like messages, so all daemons of a
 * configuration agree on who is in a group when a message is delivered. When the configuration changes, each daemon
 * says what it brings; what is delivered until all have said it, waits.
 *
 * Pure: what the ring delivers and what sessions ask for goes in, `take` gives what is to be done.
 */
import {
  decodeEvent,
  encodeEvent,
  type GroupEvent,
  type GroupMessage,
  type GroupState,
  groupsFit,
} from '@rookery/protocol/bus';
import { isGroupName, parsePrivateGroup } from '@rookery/protocol/spread';
import type { EngineDelivery, EngineOutput } from '../engine/engine.ts';
import type { Configuration, Service } from '../ring/types.ts';
import { Origins } from './origins.ts';
import { type Presser, Pressure } from './pressure.ts';
import { GroupTable } from './table.ts';
import type { GroupId, GroupOutput, Multicast, View, ViewCause } from './types.ts';

export interface GroupsOptions {
  /** Of this daemon, in the ring. */
  readonly id: number;
  /** Of this daemon; part of its sessions' names. Unique in the network. */
  readonly name: string;
  /** Whether what is sent to the group is kept here; by default nothing is. */
  readonly keeps?: (group: string) => boolean;
}

interface Session {
  readonly privateName: string;
  /** It wants views. */
  readonly membership: boolean;
  /** It has said goodbye, but not all know yet: its name is not free. */
  leaving: boolean;
}

/** Indices of views from here on belong to the companions of one transition, who may have seen less than others. */
const TRANSITIONAL_INDEX = 2 ** 30;
/** And from here on to one daemon that its companions had not heard. */
const SOLITARY_INDEX = 2 ** 30 + 2 ** 29;

const NOTHING: readonly GroupOutput[] = [];

export class Groups {
  readonly #id: number;
  readonly name: string;
  readonly counters = { unknownEvents: 0 };
  #outputs: GroupOutput[] = [];
  /** By private name. */
  readonly #sessions = new Map<string, Session>();
  /** What each of this daemon's own sessions is in: outlives every configuration. */
  readonly #mine = new Map<string, Set<string>>();
  /** The last view of each group that was told to somebody here. */
  readonly #views = new Map<string, View>();
  /** Called for each message in its order, repeats left out; it must not keep the data. Undefined while nobody looks. */
  onMessage: ((message: GroupMessage) => void) | undefined;
  readonly #keeps: ((group: string) => boolean) | undefined;
  readonly #origins = new Origins();
  #table: GroupTable;
  #configuration: Configuration | undefined;
  /** While not all daemons have said what they bring. */
  #exchange: { readonly states: Map<number, GroupState>; readonly held: EngineDelivery[] } | undefined;
  #history: string;
  /** What this daemon brings is on its way: of this configuration, or still of an earlier one. */
  #stateUnderWay = false;
  #idBase: { readonly daemon: number; readonly time: number } = { daemon: 0, time: 0 };
  #idIndex = 0;
  /** Joins of sessions here that have not come round: by group, how many. */
  readonly #joining = new Map<string, number>();
  /** Those of them that nobody was in. */
  readonly #forming = new Set<string>();
  readonly #pressure = new Pressure();

  constructor(options: GroupsOptions) {
    this.#id = options.id;
    this.name = options.name;
    this.#keeps = options.keeps;
    this.#table = new GroupTable(options.id);
    this.#history = `alone ${options.id}`;
  }

  take(): readonly GroupOutput[] {
    if (this.#outputs.length === 0) return NOTHING;
    const outputs = this.#outputs;
    this.#outputs = [];
    return outputs;
  }

  // ---- What sessions ask for

  /** The session's private group, or undefined if the name is taken. */
  connect(name: string, membership: boolean): string | undefined {
    const privateName = `#${name}#${this.name}`;
    if (this.#sessions.has(privateName)) return undefined;
    this.#sessions.set(privateName, { privateName, membership, leaving: false });
    return privateName;
  }

  /** It has said goodbye, but not everybody has heard it. */
  isLeaving(session: string): boolean {
    return this.#sessions.get(session)?.leaving === true;
  }

  /** A session that never asked for anything is gone: nobody has heard of it, so its name is free at once. */
  forget(session: string): void {
    this.#sessions.delete(session);
  }

  disconnect(session: string): void {
    const found = this.#sessions.get(session);
    if (found === undefined || found.leaving) return;
    found.leaving = true;
    this.#submit('agreed', { kind: 'disconnect', session });
  }

  join(session: string, group: string): void {
    if (!this.#lives(session)) return;
    if (this.#table.size(group) === 0) this.#forming.add(group);
    this.#joining.set(group, (this.#joining.get(group) ?? 0) + 1);
    this.#submit('agreed', { kind: 'join', session, group });
  }

  leave(session: string, group: string): void {
    if (this.#lives(session)) this.#submit('agreed', { kind: 'leave', session, group });
  }

  /** False if the session or the number of groups is none. */
  multicast(session: string, message: Multicast): boolean {
    if (!this.#lives(session) || !groupsFit(message.groups)) return false;
    // Field by field, here and where it is delivered: a rest or a spread costs more than all else in these functions.
    const { service, groups, messageType, bigEndian, selfDiscard, key, origin, data } = message;
    this.#submit(service, {
      kind: 'message',
      session,
      groups,
      messageType,
      bigEndian,
      selfDiscard,
      key,
      origin,
      data,
    });
    return true;
  }

  /** Asks all daemons to let nobody send to the group, or no longer asks it. */
  press(group: string, on: boolean, by: Presser): void {
    if (this.#pressure.ask(group, on, by)) this.#submit('agreed', { kind: 'pressure', group, on });
  }

  isPressed(group: string): boolean {
    return this.#pressure.isPressed(group);
  }

  members(group: string): string[] {
    return this.#table.members(group);
  }

  size(group: string): number {
    return this.#table.size(group);
  }

  /** With the joins of sessions here that are under way. */
  sizeToBe(group: string): number {
    return this.#table.size(group) + (this.#joining.get(group) ?? 0);
  }

  has(group: string, session: string): boolean {
    return this.#table.daemonOf(group, session) !== undefined;
  }

  get count(): number {
    return this.#table.count;
  }

  /** With the groups that joins of sessions here make. */
  get countToBe(): number {
    return this.#table.count + this.#forming.size;
  }

  get groups(): string[] {
    return this.#table.groups;
  }

  #lives(session: string): boolean {
    return this.#sessions.get(session)?.leaving === false;
  }

  #submit(service: Service, event: GroupEvent): void {
    this.#outputs.push({ kind: 'submit', service, payload: encodeEvent(event) });
  }

  // ---- What the ring delivers

  onRing(output: EngineOutput): void {
    if (output.kind === 'configuration') {
      if (output.configuration.kind === 'regular') this.#onRegular(output.configuration);
      else this.#onTransitional(output.configuration);
    } else {
      this.#onDelivered(output);
    }
  }

  #onRegular(configuration: Configuration): void {
    this.#configuration = configuration;
    this.#exchange = { states: new Map(), held: [] };
    this.#idBase = { daemon: configuration.ring.representative, time: configuration.ring.sequence };
    this.#idIndex = 0;
    // All that the old configuration owed has been delivered: this is what it left us with.
    this.#bring();
    for (const group of this.#pressure.releaseAll())
      this.#outputs.push({ kind: 'pressure', group, on: false });
    for (const group of this.#pressure.asked) this.#submit('agreed', { kind: 'pressure', group, on: true });
  }

  /** States are large, and wait in the ring's queue while configurations break: there is one of them at a time. */
  #bring(): void {
    if (this.#stateUnderWay) return;
    this.#stateUnderWay = true;
    this.#submit('agreed', this.#state());
  }

  #state(): GroupState {
    const members = [...this.#mine].flatMap(([session, groups]) =>
      [...groups].map((group) => ({ group, session })),
    );
    return { kind: 'state', history: `${this.#configurationName()} ${this.#history}`, members };
  }

  #configurationName(): string {
    const { representative, sequence } = this.#configuration!.ring;
    return `${representative}/${sequence}`;
  }

  #onTransitional({ ring, previous, members }: Configuration): void {
    const exchange = this.#exchange;
    // From here on companions of this transition agree with each other, and perhaps with nobody else.
    const from = previous === undefined ? '' : `${previous.representative}/${previous.sequence}`;
    const known = exchange === undefined || exchange.states.has(this.#id);
    this.#history = `${from}>${ring.representative}/${ring.sequence}${known ? '' : ` ${this.#id}`}`;
    this.#idBase = { daemon: known ? members[0]! : this.#id, time: ring.sequence };
    this.#idIndex = known ? TRANSITIONAL_INDEX : SOLITARY_INDEX;
    // Not all said what they bring, and it is too late: the companions have heard the same ones, and go on with those.
    // Who has not been heard goes on alone with its own sessions, which see what they send.
    if (exchange !== undefined) {
      this.#endExchange(known ? exchange.states : new Map([[this.#id, this.#state()]]), exchange.held);
    }
    const there = new Set(members);
    for (const group of this.#table.groups) {
      const lost = this.#table
        .members(group)
        .some((session) => !there.has(this.#table.daemonOf(group, session)!));
      const view = this.#views.get(group);
      if (!lost || view === undefined) continue;
      const to = this.#listeners(group);
      if (to.length > 0) this.#outputs.push({ kind: 'transition', to, group, id: view.id });
    }
  }

  #onDelivered(delivered: EngineDelivery): void {
    const exchange = this.#exchange;
    if (exchange === undefined) {
      this.#apply(delivered);
      return;
    }
    const event = decodeEvent(delivered.payload);
    if (event?.kind !== 'state') {
      exchange.held.push(delivered);
      return;
    }
    if (delivered.sender === this.#id) this.#stateUnderWay = false;
    // It was meant for an earlier configuration, which ended before the ring took it: now comes what is brought here.
    if (!event.history.startsWith(`${this.#configurationName()} `)) {
      if (delivered.sender === this.#id) this.#bring();
      return;
    }
    exchange.states.set(delivered.sender, event);
    if (exchange.states.size === this.#configuration?.members.length) {
      this.#endExchange(exchange.states, exchange.held);
    }
  }

  // ---- A new configuration's groups

  #endExchange(states: ReadonlyMap<number, GroupState>, held: readonly EngineDelivery[]): void {
    this.#exchange = undefined;
    this.#table = new GroupTable(this.#id);
    const histories = new Map<number, string>();
    for (const [daemon, { history, members }] of states) {
      histories.set(daemon, history);
      for (const { group, session } of members) this.#add(group, session, daemon);
    }
    // Every group takes an index, also where its view is not told: so all daemons give the same ones.
    for (const group of this.#table.groups) {
      this.#idIndex++;
      const members = this.#table.members(group);
      const sets = new Map<string, string[]>();
      for (const session of members) {
        const history = histories.get(this.#table.daemonOf(group, session)!)!;
        const set = sets.get(history);
        if (set === undefined) sets.set(history, [session]);
        else set.push(session);
      }
      const before = this.#views.get(group);
      if (sets.size === 1 && before?.members.join() === members.join()) continue;
      this.#tell({
        group,
        id: this.#nextId(0),
        cause: 'network',
        members,
        changed: undefined,
        sets: [...sets.values()],
      });
    }
    for (const delivered of held) this.#apply(delivered);
  }

  // ---- Events in their order

  #apply({ sender, service, order, payload }: EngineDelivery): void {
    const event = decodeEvent(payload);
    switch (event?.kind) {
      case 'message': {
        const { session: from, groups, messageType, bigEndian, selfDiscard, key, origin, data } = event;
        if (this.#keeps !== undefined) this.#keep(sender, service, order, event);
        const repeated = origin !== undefined && !this.#origins.add(origin, false);
        if (!repeated) this.onMessage?.(event);
        const to = repeated ? [] : this.#receivers(groups, selfDiscard ? from : undefined);
        if (to.length > 0) {
          this.#outputs.push({
            kind: 'message',
            to,
            from,
            service,
            groups,
            messageType,
            bigEndian,
            selfDiscard,
            key,
            origin,
            data,
          });
        }
        this.#confirm(sender, from);
        break;
      }
      case 'join':
        this.#forming.delete(event.group);
        if (sender === this.#id) {
          this.#joined(event.group);
          this.#noteMine(event.group, event.session);
        }
        if (this.#add(event.group, event.session, sender)) this.#changed(event.group, 'join', event.session);
        this.#confirm(sender, event.session);
        break;
      case 'leave':
        this.#forgetMine(event.group, event.session);
        if (this.#lives(event.session)) {
          this.#outputs.push({ kind: 'left', to: event.session, group: event.group });
        }
        if (this.#table.remove(event.group, event.session))
          this.#changed(event.group, 'leave', event.session);
        this.#confirm(sender, event.session);
        break;
      case 'pressure': {
        const { group, on } = event;
        const changed = on ? this.#pressure.hold(group, sender) : this.#pressure.release(group, sender);
        if (changed) this.#outputs.push({ kind: 'pressure', group, on });
        break;
      }
      case 'disconnect':
        this.#mine.delete(event.session);
        if (sender === this.#id && this.#sessions.delete(event.session)) {
          this.#outputs.push({ kind: 'freed', session: event.session });
        }
        for (const group of this.#table.groupsOf(event.session)) {
          this.#table.remove(group, event.session);
          this.#changed(group, 'disconnect', event.session);
        }
        break;
      case 'state':
        if (sender === this.#id) this.#stateUnderWay = false;
        break;
      case 'keeping':
      case 'fill':
      case 'filled':
      case 'read':
      case 'given':
      case 'told':
      case 'taken':
      case 'unread':
        this.#outputs.push({ kind: 'durable', sender, event });
        break;
      default:
        // A newer daemon's, as it seems.
        this.counters.unknownEvents++;
    }
  }

  // hot: once per message, where anything is kept.
  #keep(sender: number, service: Service, order: number, message: GroupMessage): void {
    const { representative, sequence: ringSequence } = this.#configuration!.ring;
    const { groups } = message;
    for (let groupIndex = 0; groupIndex < groups.length; groupIndex++) {
      const group = groups[groupIndex]!;
      if (!this.#keeps!(group) || groups.indexOf(group) < groupIndex) continue;
      const stamp = { ringSequence, representative, sender, order };
      this.#outputs.push({ kind: 'keep', group, ordered: { message, service, groupIndex, stamp } });
    }
  }

  /** What a session here asked for has come round. */
  #confirm(sender: number, session: string): void {
    if (sender === this.#id && this.#lives(session)) this.#outputs.push({ kind: 'confirmed', to: session });
  }

  /** Of names that no client could have, the clients that were told would not understand a word: they are nobody's. */
  #add(group: string, session: string, daemon: number): boolean {
    if (!isGroupName(group) || parsePrivateGroup(session) === undefined) return false;
    return this.#table.add(group, session, daemon);
  }

  #changed(group: string, cause: ViewCause, changed: string): void {
    const members = this.#table.members(group);
    this.#tell({ group, id: this.#nextId(1), cause, members, changed, sets: [[changed]] });
  }

  #nextId(step: number): GroupId {
    this.#idIndex += step;
    return { ...this.#idBase, index: this.#idIndex };
  }

  #tell(view: View): void {
    if (this.#table.here(view.group).size === 0) this.#views.delete(view.group);
    else this.#views.set(view.group, view);
    const to = this.#listeners(view.group);
    if (to.length > 0) this.#outputs.push({ kind: 'view', to, view });
  }

  /** Sessions here that are in the group and want views. */
  #listeners(group: string): string[] {
    return [...this.#table.here(group)].filter(
      (session) => this.#lives(session) && this.#sessions.get(session)?.membership,
    );
  }

  // hot: once per message.
  /** Sessions here that a message to these groups is for, each once, but not `without`. */
  #receivers(groups: readonly string[], without: string | undefined): string[] {
    const receivers: string[] = [];
    for (const group of groups) {
      if (this.#lives(group)) receivers.push(group);
      for (const session of this.#table.here(group)) if (this.#lives(session)) receivers.push(session);
    }
    const once = groups.length === 1 ? receivers : [...new Set(receivers)];
    return without === undefined ? once : once.filter((session) => session !== without);
  }

  #joined(group: string): void {
    const left = (this.#joining.get(group) ?? 1) - 1;
    if (left > 0) this.#joining.set(group, left);
    else this.#joining.delete(group);
  }

  #noteMine(group: string, session: string): void {
    const groups = this.#mine.get(session) ?? new Set<string>();
    this.#mine.set(session, groups.add(group));
  }

  #forgetMine(group: string, session: string): void {
    const groups = this.#mine.get(session);
    if (groups?.delete(group) && groups.size === 0) this.#mine.delete(session);
  }
}

/**
 * The groups that a daemon keeps. What the ring delivers goes in; what is to be said to the other daemons goes out
 * through `submit`. A daemon that keeps nothing says so, for the others wait until all have spoken.
 */
import { type DurableEvent, encodeEvent, type Keeping, type ReadingEvent } from '@rookery/protocol/bus';
import { decodeCursor } from '@rookery/protocol/websocket';
import { type Log, type LogEvent, type LogOptions, openLog } from '@rookery/storage';
import { Fifo } from '../client/fifo.ts';
import type { Ordered } from '../groups/types.ts';
import type { Configuration } from '../ring/types.ts';
import { type GroupHost, KeptGroup } from './group.ts';
import { planTurns } from './plan.ts';
import { Elsewhere } from './reading/elsewhere.ts';
import { Outgoing } from './reading/outgoing.ts';
import { type Reader, type Reading, type ReadRequest, readGroup } from './reading/reading.ts';
import { Searches } from './reading/searches.ts';
import { Served } from './reading/served.ts';
import { type DurableSettings, patternOf, settingsOf } from './settings.ts';
import { Vector } from './vector.ts';

export interface DurableOptions {
  /** Of this daemon, in the ring. */
  readonly id: number;
  /** By name, or by beginning with `*` behind. */
  readonly patterns: Readonly<Record<string, DurableSettings>>;
  readonly log: Omit<LogOptions, 'onCommit' | 'onEvent'>;
  /** For a simulator. */
  readonly open?: typeof openLog;
  /** Each costs two streams and its marks. */
  readonly maxGroups: number;
  /** For so long after the start the other daemons may not have been found yet; ms, 0 for one that is alone. */
  readonly findingMs: number;
  /** Messages after which a group's checkpoint is written anew, at least. For a simulator. */
  readonly checkpointMessages?: number;
  /** To all daemons. False if the ring takes no more for now. */
  readonly submit: (payload: Uint8Array) => boolean;
  /** Bytes that wait for the token. */
  readonly queuedBytes: () => number;
  /** ms since 1970. */
  readonly now: () => number;
  /** All daemons are asked to send nothing to the group for now: the log has more to write than it should; or again. */
  readonly press: (group: string, on: boolean) => void;
  /** Somebody has asked for that. */
  readonly isPressed: (group: string) => boolean;
  readonly onLogEvent: (event: LogEvent) => void;
  /** The group is meant to be kept, and isn't, for there are as many as may be; said once for each of the first few. */
  readonly onNotKept: (group: string) => void;
  /** Nothing more can be kept: end. */
  readonly onFailure: (error: Error) => void;
}

/** Why a group can't be read here; `finding`: it may be in a moment. */
export type Unreadable = 'NOT_KEPT' | 'TOO_MANY_KEPT' | 'TOO_MANY_GROUPS' | 'BAD_CURSOR' | 'finding';

/** Fills wait while more than this waits for the token: what sessions send goes first. */
const FILL_ROOM_BYTES = 256 * 1024;

/** What readings elsewhere have to say may wait for the ring; no further one begins beyond this. */
const SAID_BYTES = 256 * 1024;
/** Some milliseconds of reading when the daemon starts. */
const CHECKPOINT_MESSAGES = 16_384;
/** A log must not be filled by names that clients choose. */
const NOT_KEPT_SAID = 16;

export class Durable {
  readonly #options: DurableOptions;
  /** Names, and beginnings with `*` behind. */
  readonly patterns: readonly string[];
  readonly #groups = new Map<string, KeptGroup>();
  #log: Log | undefined;
  #configuration: Configuration | undefined;
  #said = new Map<number, Keeping>();
  /** What this daemon keeps is on its way: of this configuration, or still of an earlier one. */
  #sayingUnderWay = false;
  #waiting: (() => void)[] = [];
  /** What waits until the log has committed up to a position, in order. */
  readonly #uncommitted: { readonly position: number; readonly done: () => void }[] = [];
  /**
   * What the ring delivered and the log has no room for, in order: senders are asked to wait, but what they have sent
   * before they hear it comes from all daemons, and the ring waits for nobody.
   */
  readonly #late = new Fifo<() => void>();
  /** Groups with messages that aren't committed. */
  readonly #dirty = new Set<KeptGroup>();
  /** Groups whose senders wait for the log. */
  readonly #pressing = new Set<string>();
  #failed = false;
  #checkpointing = false;
  readonly #searches = new Searches();
  readonly #outgoing: Outgoing;
  /** Readings at other daemons, for clients here. */
  readonly #elsewhere: Elsewhere;
  /** Readings here, for clients of other daemons. */
  readonly #served: Served;
  /** Of those that are said. */
  readonly #notKept = new Set<string>();
  /** Messages to groups that are meant to be kept, and aren't, for there are as many as may be. */
  readonly counters = { notKept: 0 };

  constructor(options: DurableOptions) {
    this.#options = options;
    this.patterns = Object.keys(options.patterns);
    this.#outgoing = new Outgoing(
      (payload) => options.queuedBytes() <= FILL_ROOM_BYTES && options.submit(payload),
    );
    const say = (event: ReadingEvent): void => this.#outgoing.say(event);
    this.#elsewhere = new Elsewhere({ now: options.now, findingMs: options.findingMs, say });
    this.#served = new Served({ group: (name) => this.group(name), searches: this.#searches, say });
  }

  /** Reads what was kept. @throws LogError */
  async open(): Promise<void> {
    const { log, onLogEvent, open = openLog } = this.#options;
    if (this.patterns.length === 0) return;
    this.#log = await open({
      ...log,
      onCommit: (position) => this.#onCommit(position),
      onEvent: (event) => {
        onLogEvent(event);
        if (event.type === 'failed') this.#fail(event.error);
        if (event.type === 'full') this.#takeLate();
      },
    });
    for (const stream of [...this.#log.streams.keys()]) {
      if (!stream.startsWith('k:')) continue;
      const name = stream.slice(2);
      const settings = settingsOf(name, this.#options.patterns);
      if (settings === undefined || this.#groups.has(name)) continue;
      this.#groups.set(name, await KeptGroup.open(name, settings, this.#hostOf(this.#log)));
    }
  }

  async close(): Promise<void> {
    while (this.#late.length > 0 && !this.#failed) {
      await this.#log?.sync().catch((error) => this.#fail(error));
      this.#takeLate();
    }
    for (const group of this.#groups.values()) {
      if (!this.#failed) await group.checkpoint(CHECKPOINT_MESSAGES).catch((error) => this.#fail(error));
    }
    for (const group of this.#groups.values()) group.merge.begin({ representative: 0, sequence: 0 });
    await this.#log?.close();
    this.#log = undefined;
  }

  /** Whether this daemon is told to keep the group. */
  keeps(name: string): boolean {
    return this.patterns.length > 0 && settingsOf(name, this.#options.patterns) !== undefined;
  }

  get groups(): ReadonlyMap<string, KeptGroup> {
    return this.#groups;
  }

  /** Of a group that this daemon keeps; made if nothing came to it yet. */
  group(name: string): KeptGroup | undefined {
    const found = this.#groups.get(name);
    if (found !== undefined || this.#log === undefined) return found;
    const settings = settingsOf(name, this.#options.patterns);
    if (settings === undefined) return undefined;
    if (this.#groups.size >= this.#options.maxGroups) {
      this.#refuse(name);
      return undefined;
    }
    const group = KeptGroup.create(name, settings, this.#hostOf(this.#log));
    this.#groups.set(name, group);
    if (this.#configuration !== undefined) {
      const { ring } = this.#configuration;
      if (this.#gathered) group.merge.beginWhole(ring);
      else group.merge.begin(ring);
    }
    return group;
  }

  #refuse(name: string): void {
    if (this.#notKept.has(name) || this.#notKept.size === NOT_KEPT_SAID) return;
    this.#notKept.add(name);
    this.#options.onNotKept(name);
  }

  // ---- Reading

  /** Here, or at a daemon that keeps the group. */
  read(request: ReadRequest, reader: Reader): Reading | Unreadable {
    const { group: name, from, lastValue } = request;
    if (typeof from === 'object' && 'cursor' in from && decodeCursor(from.cursor) === undefined)
      return 'BAD_CURSOR';
    const group = this.group(name);
    if (group !== undefined && (!lastValue || group.hasView)) {
      return readGroup(group, request, reader, this.#searches) ?? 'BAD_CURSOR';
    }
    if (group === undefined && this.keeps(name)) return 'TOO_MANY_KEPT';
    if (this.#outgoing.waitingBytes > SAID_BYTES) return 'finding';
    const reading = this.#elsewhere.open(request, reader);
    if (reading === 'nobody') return 'NOT_KEPT';
    return reading === 'full' ? 'TOO_MANY_GROUPS' : reading;
  }

  /** Readings by clients here of groups that other daemons keep. */
  get readElsewhere(): number {
    return this.#elsewhere.count;
  }

  // ---- Committing

  get isCommitted(): boolean {
    return this.#late.length === 0 && this.#isWritten;
  }

  get #isWritten(): boolean {
    const log = this.#log;
    return log === undefined || (log.committedPosition >= log.position && this.#uncommitted.length === 0);
  }

  /** Calls back when all that came until now is as safe as the log's mode says; at once if it is. */
  whenCommitted(done: () => void): void {
    if (this.#late.length > 0) this.#late.push(() => this.#whenWritten(done));
    else this.#whenWritten(done);
  }

  #whenWritten(done: () => void): void {
    if (this.#isWritten) done();
    else this.#uncommitted.push({ position: this.#log!.position, done });
  }

  #onCommit(position: number): void {
    for (const group of this.#dirty) if (group.onCommit(position)) this.#dirty.delete(group);
    let count = 0;
    while (count < this.#uncommitted.length && this.#uncommitted[count]!.position <= position) count++;
    for (const { done } of this.#uncommitted.splice(0, count)) done();
    this.#takeLate();
    if (this.#pressing.size === 0 || this.#log?.congested !== false) return;
    for (const group of this.#pressing) this.#options.press(group, false);
    this.#pressing.clear();
  }

  /** What is under way when all hear of it has room in the log still. */
  #press(group: string): void {
    if (this.#log?.congested !== true || this.#pressing.has(group)) return;
    this.#pressing.add(group);
    this.#options.press(group, true);
  }

  // ---- What the ring delivers, in its order

  onConfiguration(configuration: Configuration): void {
    this.#inOrder(() => this.#onConfiguration(configuration));
  }

  #onConfiguration(configuration: Configuration): void {
    if (configuration.kind === 'transitional') {
      this.#elsewhere.onTogether(configuration.members);
      this.#served.onTogether(configuration.members);
      return;
    }
    this.#configuration = configuration;
    this.#said = new Map();
    for (const group of this.#groups.values()) group.merge.begin(configuration.ring);
    this.#say();
  }

  // hot: once per message to a kept group.
  onMessage(name: string, ordered: Ordered): void {
    if (this.#late.length === 0 && this.#hasRoom) this.#keep(name, ordered);
    else this.#late.push(() => this.#keep(name, ordered));
    this.#press(name);
  }

  #keep(name: string, ordered: Ordered): void {
    this.#guard(() => {
      const group = this.group(name);
      if (group === undefined) this.counters.notKept++;
      else group.onMessage(ordered);
    });
  }

  onEvent(sender: number, event: DurableEvent | ReadingEvent): void {
    this.#inOrder(() => this.#onEvent(sender, event));
  }

  #onEvent(sender: number, event: DurableEvent | ReadingEvent): void {
    const { id } = this.#options;
    switch (event.kind) {
      case 'keeping':
        this.#onKeeping(sender, event);
        break;
      case 'fill':
        this.#guard(() => {
          this.#groups.get(event.group)?.merge.onFill(event);
          this.#press(event.group);
        });
        break;
      case 'filled':
        this.#guard(() => this.#groups.get(event.group)?.merge.onTurnOver(event.ring, event.turn, id));
        break;
      case 'given':
      case 'told':
        if (event.to === id) this.#elsewhere.onEvent(sender, event);
        break;
      default:
        if (event.to === id) this.#guard(() => this.#served.onEvent(sender, event));
    }
  }

  /** For one more. A full disk has none, and is told so. */
  get #hasRoom(): boolean {
    return this.#log?.congested !== true || this.#log.full;
  }

  /** Behind what came before it. */
  #inOrder(act: () => void): void {
    if (this.#late.length === 0 && this.#hasRoom) act();
    else this.#late.push(act);
  }

  #takeLate(): void {
    while (this.#late.length > 0 && this.#hasRoom) this.#late.shift()!();
  }

  /** The ring's queue may have room. */
  onOutput(): void {
    this.#outgoing.goOn();
    if (this.#waiting.length === 0 || this.#options.queuedBytes() > FILL_ROOM_BYTES) return;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Once a second. */
  trim(): void {
    if (this.#log === undefined || this.#failed) return;
    this.#guard(() => {
      for (const group of this.#groups.values()) group.trim(this.#options.now());
    });
    void this.#checkpoint();
  }

  /** One group after the other: each is a write and a sync. */
  async #checkpoint(): Promise<void> {
    if (this.#checkpointing) return;
    this.#checkpointing = true;
    const least = this.#options.checkpointMessages ?? CHECKPOINT_MESSAGES;
    try {
      for (const group of this.#groups.values()) {
        if (this.#log === undefined || this.#failed) break;
        await group.checkpoint(Math.max(least, group.count / 32));
      }
    } catch (error) {
      this.#fail(error);
    }
    this.#checkpointing = false;
  }

  // ---- What daemons keep

  get #gathered(): boolean {
    return this.#configuration !== undefined && this.#said.size === this.#configuration.members.length;
  }

  /** Vectors may be large, and wait in the ring's queue while configurations break: there is one of them at a time. */
  #say(): void {
    if (this.#sayingUnderWay) return;
    const { ring } = this.#configuration!;
    const { patterns } = this;
    const views = patterns.filter((pattern) => this.#options.patterns[pattern]!.lastValue);
    const groups = [...this.#groups.values()].map(({ name, vector }) => ({
      name,
      floor: vector.floor,
      strands: [...vector],
    }));
    const event: Keeping = { kind: 'keeping', ring, patterns, views, groups };
    this.#sayingUnderWay = true;
    if (!this.#options.submit(encodeEvent(event))) {
      this.#waiting.push(() => {
        this.#sayingUnderWay = false;
        this.#say();
      });
    }
  }

  #onKeeping(sender: number, keeping: Keeping): void {
    const { id } = this.#options;
    if (sender === id) this.#sayingUnderWay = false;
    const { representative, sequence } = this.#configuration!.ring;
    if (keeping.ring.representative !== representative || keeping.ring.sequence !== sequence) {
      // It was meant for a configuration that ended before the ring took it.
      if (sender === id) this.#say();
      return;
    }
    this.#said.set(sender, keeping);
    if (!this.#gathered) return;
    this.#guard(() => this.#plan());
    this.#elsewhere.onKeepers(this.#said);
  }

  #plan(): void {
    if (this.#log === undefined) return;
    const names = new Set(this.#groups.keys());
    for (const { groups } of this.#said.values()) for (const { name } of groups) names.add(name);
    for (const name of names) {
      const group = this.#groups.get(name) ?? this.#join(name);
      if (group === undefined) continue;
      const keepers = new Map<number, Vector>();
      for (const [id, keeping] of this.#said) {
        const known = keeping.groups.find((one) => one.name === name);
        if (known !== undefined) keepers.set(id, new Vector(known.strands, known.floor));
        else if (wants(keeping, name)) keepers.set(id, new Vector());
      }
      group.merge.plan(planTurns(keepers), this.#options.id);
    }
  }

  /** Others have something of a group that this daemon is told to keep and has nothing of. */
  #join(name: string): KeptGroup | undefined {
    const group = this.group(name);
    group?.merge.begin(this.#configuration!.ring);
    return group;
  }

  #hostOf(log: Log): GroupHost {
    const { submit, now, queuedBytes, isPressed } = this.#options;
    return {
      log,
      now,
      submit: (fill) =>
        queuedBytes() <= FILL_ROOM_BYTES && !isPressed(fill.group) && submit(encodeEvent(fill)),
      filled: (group, turn) => this.#sayFilled(group, turn),
      room: () => new Promise((resolve) => this.#waiting.push(resolve)),
      appended: (group) => this.#dirty.add(group),
      fail: (error) => this.#fail(error),
    };
  }

  #sayFilled(group: string, turn: number): void {
    const { ring } = this.#configuration!;
    if (this.#options.submit(encodeEvent({ kind: 'filled', ring, group, turn }))) return;
    this.#waiting.push(() => {
      if (this.#configuration?.ring === ring) this.#sayFilled(group, turn);
    });
  }

  #guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    // While it closes, reads under way fail.
    if (this.#failed || this.#log === undefined) return;
    this.#failed = true;
    this.#options.onFailure(error as Error);
  }
}

function wants({ patterns, groups }: Keeping, name: string): boolean {
  return groups.some((group) => group.name === name) || patternOf(name, patterns) !== undefined;
}

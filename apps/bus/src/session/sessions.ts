/**
 * All clients of this daemon: between their connections and the groups. Requests go down through `ask`; what the
 * groups say goes into the outboxes of those that must hear it, and each touched connection writes once a turn.
 */
import { GROUP_ROWS_MAX } from '@rookery/protocol/bus';
import { EncodeError } from '@rookery/protocol/websocket';
import type { Durable } from '../durable/durable.ts';
import type { Engine } from '../engine/engine.ts';
import type { Groups } from '../groups/groups.ts';
import type { GroupDelivery, GroupOutput, View } from '../groups/types.ts';
import type { Content, Delivery, EndReason, Format } from './delivery.ts';
import type { GroupSettings } from './group-settings.ts';
import {
  type Request,
  Session,
  type SessionConnection,
  type SessionHost,
  type SessionLimits,
  type SessionOptions,
  type Verdict,
} from './session.ts';

export interface SessionsOptions {
  readonly engine: Engine;
  readonly groups: Groups;
  readonly durable: Durable;
  readonly limits: SessionLimits & {
    readonly maxSessions: number;
    readonly maxGroups: number;
    readonly maxGroupsPerSession: number;
    readonly messageBytes: number;
    /** What all outboxes take of memory; what receivers share counts once. */
    readonly outboxesBytes: number;
  };
  readonly groupSettings: (group: string) => GroupSettings;
  readonly slowTimeoutMs: number;
  readonly resumeMs: number;
  /** What another daemon let through has no place in a wire of clients, and is not delivered. */
  readonly onUndeliverable: () => void;
  /** A session has ended, and why; for the log. */
  readonly onEnd: (session: Session, reason: EndReason) => void;
}

export interface SessionsCounters {
  connected: number;
  messagesReceived: number;
  messagesDelivered: number;
  bytesReceived: number;
  bytesDelivered: number;
  waits: number;
  dropped: number;
  readonly ended: Record<EndReason, number>;
}

/** What goes round the ring. */
type RingRequest = Exclude<Request, { readonly kind: 'subscribe' | 'unsubscribe' }>;

/** Beyond this much that waits for the token, nobody is read: enough to fill every packet of some rotations. */
const QUEUE_PAUSE_BYTES = 1024 * 1024;

/** How often slow, parked and heavy sessions are looked for. */
const SWEEP_MS = 500;

export class Sessions implements SessionHost {
  readonly #options: SessionsOptions;
  readonly #sessions = new Map<string, Session>();
  readonly #touched = new Set<Session>();
  /** Have asked while too much waited for the token. */
  readonly #waiting = new Set<Session>();
  /** Have asked to send to a group that somebody is too slow for. */
  readonly #heldUp = new Set<Session>();
  /** Group -> sessions that are too slow for it. */
  readonly #pressing = new Map<string, Set<Session>>();
  /** Connections whose client wants a name that is being given up. */
  readonly #awaitingName = new Map<string, Set<SessionConnection>>();
  #flushing: NodeJS.Immediate | undefined;
  #sweeper: NodeJS.Timeout | undefined;
  #outboxesBytes = 0;
  /** Groups that sessions here are in, each counted as often. */
  #rows = 0;
  #names = 0;
  readonly counters: SessionsCounters = {
    connected: 0,
    messagesReceived: 0,
    messagesDelivered: 0,
    bytesReceived: 0,
    bytesDelivered: 0,
    waits: 0,
    dropped: 0,
    ended: {
      goodbye: 0,
      connection_lost: 0,
      bad_frame: 0,
      too_slow: 0,
      stopping: 0,
      not_resumed: 0,
    },
  };

  constructor(options: SessionsOptions) {
    this.#options = options;
    options.engine.onOutput = (output) => {
      options.groups.onRing(output);
      this.#carryOut();
      if (output.kind === 'configuration') options.durable.onConfiguration(output.configuration);
      options.durable.onOutput();
      // What left the ring's queue may have been for nobody here: then no connection says that there is room.
      if (this.#waiting.size > 0) this.#schedule();
    };
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  get now(): number {
    return performance.now();
  }

  get size(): number {
    return this.#sessions.size;
  }

  get outboxesBytes(): number {
    return this.#outboxesBytes;
  }

  all(): Iterable<Session> {
    return this.#sessions.values();
  }

  find(name: string): Session | undefined {
    return this.#sessions.get(name);
  }

  /**
   * A name of '' asks for one. `full` and `taken` are refusals; `leaving`: the name will be free in a moment, ask again
   * when the connection is told to `resume`.
   */
  connect(
    connection: SessionConnection,
    name: string,
    how: Pick<SessionOptions, 'membership' | 'format' | 'resumption'>,
  ): Session | 'full' | 'taken' | 'leaving' {
    const { groups, limits } = this.#options;
    if (name !== '') this.#giveUpParked(`#${name}#${groups.name}`);
    if (this.#sessions.size >= limits.maxSessions) return 'full';
    let privateName = groups.connect(name === '' ? this.#nextName() : name, how.membership);
    while (privateName === undefined && name === '') {
      privateName = groups.connect(this.#nextName(), how.membership);
    }
    if (privateName === undefined) return this.#awaitName(`#${name}#${groups.name}`, connection);
    const session = new Session({ ...how, name: privateName, limits, host: this });
    session.connection = connection;
    this.#sessions.set(privateName, session);
    this.counters.connected++;
    return session;
  }

  /**
   * A session whose connection broke gives its name to whoever comes with it: a client that was started again knows its
   * name, but not how to resume. If it has said nothing since its hello, nobody has heard of it, and the name is free
   * at once.
   */
  #giveUpParked(privateName: string): void {
    const session = this.#sessions.get(privateName);
    if (session === undefined || session.connection !== undefined) return;
    if (session.spoken) this.end(session, 'not_resumed');
    else {
      this.#remove(session, 'not_resumed');
      this.#options.groups.forget(privateName);
    }
  }

  #awaitName(privateName: string, connection: SessionConnection): 'taken' | 'leaving' {
    if (!this.#options.groups.isLeaving(privateName)) return 'taken';
    const waiting = this.#awaitingName.get(privateName) ?? new Set();
    this.#awaitingName.set(privateName, waiting.add(connection));
    return 'leaving';
  }

  #freed(privateName: string): void {
    const waiting = this.#awaitingName.get(privateName) ?? [];
    this.#awaitingName.delete(privateName);
    for (const connection of waiting) connection.resume();
  }

  /** Keeps a session whose connection broke for a while. */
  park(session: Session): void {
    if (session.over) return;
    session.connection = undefined;
    session.parkedUntil = this.now + this.#options.resumeMs;
    this.#forgetWaiting(session);
  }

  // ---- What sessions ask for

  ask(session: Session, request: Request, number: number): Verdict {
    const { durable, engine, groups } = this.#options;
    if (request.kind === 'subscribe') {
      const verdict = session.subscriptions.open(request, number, (asked, reader) =>
        durable.read(asked, reader),
      );
      return verdict === 'wait' ? this.#wait(session, this.#waiting) : verdict;
    }
    if (request.kind === 'unsubscribe') {
      return session.subscriptions.close(request.group) ? 'taken' : 'NOT_A_MEMBER';
    }
    if (engine.queuedBytes > QUEUE_PAUSE_BYTES) return this.#wait(session, this.#waiting);
    const verdict = this.#check(session, request);
    if (verdict !== 'taken') return verdict === 'wait' ? this.#wait(session, this.#heldUp) : verdict;
    switch (request.kind) {
      case 'multicast':
        this.counters.messagesReceived++;
        this.counters.bytesReceived += request.message.data.length;
        groups.multicast(session.name, request.message);
        break;
      case 'join':
        this.#rows++;
        groups.join(session.name, request.group);
        break;
      case 'leave':
        this.#rows--;
        groups.leave(session.name, request.group);
        break;
    }
    this.#carryOut();
    return 'taken';
  }

  #check(session: Session, request: RingRequest): Verdict {
    const { groups, limits, groupSettings } = this.#options;
    switch (request.kind) {
      case 'multicast': {
        const { message } = request;
        if (message.data.length > limits.messageBytes) return 'MESSAGE_TOO_LARGE';
        return message.groups.some((group) => groups.isPressed(group)) ? 'wait' : 'taken';
      }
      case 'join': {
        const { group } = request;
        if (session.groups.has(group)) return 'ALREADY_A_MEMBER';
        if (session.groups.size >= limits.maxGroupsPerSession) return 'TOO_MANY_GROUPS';
        if (this.#rows >= GROUP_ROWS_MAX) return 'TOO_MANY_GROUPS';
        const size = groups.sizeToBe(group);
        if (size === 0 && groups.countToBe >= limits.maxGroups) return 'TOO_MANY_GROUPS';
        return size >= groupSettings(group).maxListeners ? 'TOO_MANY_LISTENERS' : 'taken';
      }
      case 'leave':
        return session.groups.has(request.group) ? 'taken' : 'NOT_A_MEMBER';
    }
  }

  #wait(session: Session, among: Set<Session>): Verdict {
    this.counters.waits++;
    session.counters.waits++;
    among.add(session);
    return 'wait';
  }

  #forgetWaiting(session: Session): void {
    this.#waiting.delete(session);
    this.#heldUp.delete(session);
  }

  #resumeWaiting(): void {
    const { engine } = this.#options;
    for (const session of [...this.#waiting]) {
      if (engine.queuedBytes > QUEUE_PAUSE_BYTES) return;
      this.#waiting.delete(session);
      session.connection?.resume();
    }
  }

  end(session: Session, reason: EndReason): void {
    if (session.over) return;
    this.#remove(session, reason);
    this.#options.groups.disconnect(session.name);
    this.#carryOut();
  }

  #remove(session: Session, reason: EndReason): void {
    this.#sessions.delete(session.name);
    this.#touched.delete(session);
    this.#forgetWaiting(session);
    this.#rows -= session.groups.size;
    this.#outboxesBytes -= session.heldBytes;
    this.counters.ended[reason]++;
    this.#release(session);
    session.close(reason);
    this.#options.onEnd(session, reason);
  }

  /** Says goodbye to everybody. */
  endAll(reason: EndReason): void {
    for (const session of [...this.#sessions.values()]) this.end(session, reason);
  }

  close(): void {
    clearInterval(this.#sweeper);
    if (this.#flushing !== undefined) clearImmediate(this.#flushing);
  }

  // ---- What the groups say

  #carryOut(): void {
    const { groups, engine } = this.#options;
    for (const output of groups.take()) {
      if (output.kind === 'submit') {
        // Sessions are held up long before the queue is full, so only a defect gets here with no room.
        if (!engine.submit(output.service, output.payload)) throw new Error('the ring takes no more');
      } else this.#tell(output);
    }
  }

  #tell(output: Exclude<GroupOutput, { kind: 'submit' }>): void {
    switch (output.kind) {
      case 'message':
        this.#tellMessage(output);
        break;
      case 'view':
        this.#tellView(output.to, output.view);
        break;
      case 'transition':
        this.#tellAll(output.to, output);
        break;
      case 'left':
        this.#tellLeft(output);
        break;
      case 'confirmed':
        // Confirmed means kept, by who keeps it.
        if (this.#options.durable.isCommitted) this.#sessions.get(output.to)?.confirm();
        else this.#options.durable.whenCommitted(() => this.#sessions.get(output.to)?.confirm());
        break;
      case 'keep':
        this.#options.durable.onMessage(output.group, output.ordered);
        break;
      case 'durable':
        this.#options.durable.onEvent(output.sender, output.event);
        break;
      case 'freed':
        this.#freed(output.session);
        break;
      case 'pressure':
        if (!output.on) this.#letGo();
        break;
    }
  }

  // hot: once per message; the encodings are shared by all receivers of a wire.
  #tellMessage(output: GroupDelivery): void {
    const { groupSettings } = this.#options;
    const { to, groups } = output;
    let format: Format | undefined;
    let content: Content | undefined;
    let others: Map<Format, Content> | undefined;
    for (const name of to) {
      const session = this.#sessions.get(name);
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
      this.counters.messagesDelivered++;
      this.counters.bytesDelivered += output.data.length;
      if (slowPolicy === 'slow' && session.outboxBytes > this.#options.limits.outboxBytes / 2) {
        this.#press(session, group);
      }
    }
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

  #tellView(to: readonly string[], view: View): void {
    const encoded = new Map<Format, Map<number, Content | undefined>>();
    let sets: ReadonlyMap<string, number> | undefined;
    for (const name of to) {
      const session = this.#sessions.get(name);
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

  #tellAll(to: readonly string[], delivery: Delivery): void {
    for (const name of to) {
      const session = this.#sessions.get(name);
      if (session === undefined) continue;
      const content = this.#encode(session.format, delivery);
      if (content !== undefined) session.push(content, undefined, '', 'disconnect');
    }
  }

  #tellLeft(output: Extract<GroupOutput, { kind: 'left' }>): void {
    const session = this.#sessions.get(output.to);
    if (session?.membership || session?.format.leftToAll) this.#tellAll([output.to], output);
  }

  // ---- Slow receivers

  #press(session: Session, group: string): void {
    if (session.over) return;
    // It may have had nothing to take for long: only from now on does it keep others waiting.
    if (session.pressing.size === 0) session.progressAt = this.now;
    session.pressing.add(group);
    const sessions = this.#pressing.get(group) ?? new Set();
    this.#pressing.set(group, sessions.add(session));
    this.#options.groups.press(group, true, 'sessions');
  }

  #release(session: Session): void {
    for (const group of session.pressing) {
      const sessions = this.#pressing.get(group);
      if (sessions?.delete(session) && sessions.size === 0) {
        this.#pressing.delete(group);
        this.#options.groups.press(group, false, 'sessions');
      }
    }
    session.pressing.clear();
  }

  /** The log that keeps the group takes no more for a moment, or takes it again: nobody should send to it meanwhile. */
  pressForLog(group: string, on: boolean): void {
    this.#options.groups.press(group, on, 'log');
    this.#carryOut();
  }

  /** Nobody knows which of those who were held up meant this group: all ask again. */
  #letGo(): void {
    for (const session of this.#heldUp) this.#waiting.add(session);
    this.#heldUp.clear();
    this.#schedule();
  }

  onDropped(count: number): void {
    this.counters.dropped += count;
  }

  weigh(session: Session, bytes: number): void {
    this.#outboxesBytes += bytes;
    if (session.pressing.size > 0 && session.outboxBytes < this.#options.limits.outboxBytes / 4) {
      this.#release(session);
      this.#carryOut();
    }
  }

  #sweep(): void {
    const { slowTimeoutMs } = this.#options;
    const { now } = this;
    for (const session of [...this.#sessions.values()]) {
      if (now > session.parkedUntil) this.end(session, 'not_resumed');
      else if (session.pressing.size > 0 && now - session.progressAt > slowTimeoutMs) {
        this.end(session, 'too_slow');
      }
    }
    this.#endFullest();
    // Also for a daemon that keeps a group, which may not be found while the ring is silent.
    if (this.#waiting.size > 0) this.#schedule();
  }

  #endFullest(): void {
    while (this.#outboxesBytes > this.#options.limits.outboxesBytes) {
      let fullest: Session | undefined;
      for (const session of this.#sessions.values()) {
        if (fullest === undefined || session.heldBytes > fullest.heldBytes) fullest = session;
      }
      if (fullest === undefined) return;
      this.end(fullest, 'too_slow');
    }
  }

  // ---- The end of a turn

  touch(session: Session): void {
    this.#touched.add(session);
    this.#schedule();
  }

  /** Whoever waits for the ring's queue is asked again too. */
  #schedule(): void {
    this.#flushing ??= setImmediate(() => {
      this.#flushing = undefined;
      const touched = [...this.#touched];
      this.#touched.clear();
      for (const session of touched) session.connection?.flush();
      this.#endFullest();
      if (this.#waiting.size > 0) this.#resumeWaiting();
    });
  }

  #nextName(): string {
    // Ten characters are all that a name has; by then the first ones are free again.
    this.#names = (this.#names + 1) % 36 ** 8;
    return `r${this.#names.toString(36)}`;
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

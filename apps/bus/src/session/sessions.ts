/**
 * All clients of this daemon: between their connections and the groups. Requests go down through `ask`; what the
 * groups say goes into the outboxes of those that must hear it, and each touched connection writes once a turn.
 */
import { GROUP_ROWS_MAX } from '@rookery/protocol/bus';
import type { Durable } from '../durable/durable.ts';
import type { Engine } from '../engine/engine.ts';
import type { Groups } from '../groups/groups.ts';
import type { GroupOutput } from '../groups/types.ts';
import type { EndReason } from './delivery.ts';
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
import { Telling, type TellingOptions } from './telling.ts';

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
  readonly onUndeliverable: TellingOptions['onUndeliverable'];
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
  readonly #telling: Telling;
  /** Group -> sessions that are too slow for it. */
  readonly #pressing = new Map<string, Set<Session>>();
  /** Connections whose client wants a name that is being given up. */
  readonly #awaitingName = new Map<string, Set<SessionConnection>>();
  #flushing: NodeJS.Immediate | undefined;
  #sweeper: NodeJS.Timeout | undefined;
  #sweptAt: number;
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
    this.#telling = new Telling({
      sessions: this.#sessions,
      groupSettings: options.groupSettings,
      outboxBytes: options.limits.outboxBytes,
      counters: this.counters,
      onUndeliverable: options.onUndeliverable,
      onSlow: (session, group) => this.#press(session, group),
    });
    options.engine.onOutput = (output) => {
      options.groups.onRing(output);
      this.#carryOut();
      if (output.kind === 'configuration') options.durable.onConfiguration(output.configuration);
      options.durable.onOutput();
      // What left the ring's queue may have been for nobody here: then no connection says that there is room.
      if (this.#waiting.size > 0) this.#schedule();
    };
    this.#sweptAt = this.now;
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
        this.#telling.message(output);
        break;
      case 'view':
        this.#telling.view(output.to, output.view);
        break;
      case 'transition':
        this.#telling.transition(output);
        break;
      case 'left':
        this.#telling.left(output);
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
    // What clients did while this process stood still is not read yet: that time isn't theirs.
    const stalledMs = Math.max(0, now - this.#sweptAt - SWEEP_MS);
    this.#sweptAt = now;
    for (const session of [...this.#sessions.values()]) {
      session.parkedUntil += stalledMs;
      session.progressAt += stalledMs;
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

/**
 * A daemon of one process that speaks the WebSocket protocol, built on the codec: no ring, no network of its own, and
 * it does at once what a real one does after a while. It keeps what it gave to each session, for the tests to compare.
 */
import {
  CLOSE_CODES,
  type ClientControl,
  decodeClientControl,
  decodeFrame,
  type EndCode,
  encodeDaemonControl,
  encodeDelivery,
  encodeRecord,
  frameOf,
  type MessageRecord,
  numberDelivery,
  type SharedDelivery,
} from '@rookery/protocol/websocket';

/** One connection, as the daemon sees it. */
export interface Peer {
  send(frame: string | Uint8Array<ArrayBuffer>): void;
  close(code: number): void;
}

interface Delivered {
  readonly delivery: SharedDelivery;
  /** A text frame without its number, or a record. */
  readonly wire: string | Uint8Array;
  readonly bytes: number;
}

export interface FakeSession {
  readonly name: string;
  readonly key: string;
  readonly membership: boolean;
  readonly windowBytes: number;
  /** All that it was ever given, the first is number 1. */
  readonly given: Delivered[];
  peer: Peer | undefined;
  alive: boolean;
  /** It has said something since its hello. */
  spoke: boolean;
  taken: number;
  confirmed: number;
  sent: number;
  acknowledged: number;
}

export interface FakeOptions {
  readonly name?: string;
  readonly token?: string;
  /** Whether this request is confirmed at once; what isn't is confirmed by `confirm` or along with the next one. */
  readonly confirmsAtOnce?: () => boolean;
}

/** A group that nobody may join. */
export const FULL = 'full';

export class FakeDaemon {
  readonly #options: FakeOptions;
  readonly name: string;
  readonly sessions: FakeSession[] = [];
  readonly groups = new Map<string, string[]>();
  /** Pings are answered. */
  answers = true;
  #views = 0;
  #names = 0;

  constructor(options: FakeOptions = {}) {
    this.#options = options;
    this.name = options.name ?? 'h1';
  }

  /** What to do with each frame of a connection, and with its end. */
  accept(peer: Peer): { onFrame(frame: string | Uint8Array): void; onClose(): void } {
    let session: FakeSession | undefined;
    const greet = (control: ClientControl): void => {
      if (control.kind === 'resume') {
        session = this.#resume(control, peer);
      } else if (control.kind === 'hello') {
        if (this.#options.token !== undefined && control.token !== this.#options.token) {
          end(peer, 'UNAUTHORIZED', 'another token is needed');
        } else {
          session = this.#hello(control, peer);
        }
      } else {
        end(peer, 'BAD_FRAME', 'say hello first');
      }
    };
    return {
      onFrame: (frame) => {
        if (session !== undefined && session.peer !== peer) return;
        if (session !== undefined) session.spoke = true;
        const bad =
          typeof frame === 'string'
            ? this.#onText(frame, session, peer, greet)
            : this.#onBytes(frame, session);
        if (bad === undefined) return;
        if (session !== undefined) this.end(session, 'BAD_FRAME', bad);
        else end(peer, 'BAD_FRAME', bad);
      },
      onClose: () => {
        if (session?.peer !== peer) return;
        session.peer = undefined;
      },
    };
  }

  /** Ends a session, told or untold. */
  end(session: FakeSession, code?: EndCode, message = 'the test wants it'): void {
    session.alive = false;
    if (code !== undefined && session.peer !== undefined) end(session.peer, code, message);
    session.peer = undefined;
    for (const [group, members] of this.groups) {
      if (members.includes(session.name)) this.#change(group, 'disconnect', session.name);
    }
  }

  session(name: string): FakeSession | undefined {
    return this.sessions.findLast((session) => session.name === name && session.alive);
  }

  /** Says to all what was carried out. */
  confirm(): void {
    for (const session of this.sessions) {
      if (session.peer === undefined || session.confirmed === session.taken) continue;
      session.confirmed = session.taken;
      this.#tellConfirmed(session);
    }
  }

  #hello(hello: Extract<ClientControl, { kind: 'hello' }>, peer: Peer): FakeSession | undefined {
    const name = `#${hello.name ?? `r${++this.#names}`}#${this.name}`;
    const holder = this.session(name);
    // Its client may never have seen the welcome, and then nobody has the key.
    if (holder?.peer === undefined && holder?.spoke === false) this.end(holder);
    if (this.session(name) !== undefined) {
      end(peer, 'NAME_TAKEN', `${name} is there already`);
      return undefined;
    }
    const session: FakeSession = {
      name,
      key: `key ${this.sessions.length}`,
      membership: hello.membership,
      windowBytes: hello.windowBytes,
      given: [],
      peer,
      alive: true,
      spoke: false,
      taken: 0,
      confirmed: 0,
      sent: 0,
      acknowledged: 0,
    };
    this.sessions.push(session);
    peer.send(
      encodeDaemonControl({
        kind: 'welcome',
        session: name,
        daemon: this.name,
        version: '0.1.0',
        key: session.key,
        resumeMs: 30_000,
        messageBytes: 16 * 1024 * 1024,
        groups: 100,
      }),
    );
    return session;
  }

  #resume(resume: Extract<ClientControl, { kind: 'resume' }>, peer: Peer): FakeSession | undefined {
    const session = this.session(resume.session);
    if (session?.key !== resume.key) {
      peer.send(encodeDaemonControl({ kind: 'gone', reason: 'no such session' }));
      return undefined;
    }
    if (session.peer !== undefined) end(session.peer, 'REPLACED', 'another connection has this session');
    session.peer = peer;
    session.sent = resume.received;
    peer.send(encodeDaemonControl({ kind: 'resumed', taken: session.taken }));
    this.#pump(session);
    if (session.confirmed > 0) this.#tellConfirmed(session);
    return session;
  }

  #onText(
    text: string,
    session: FakeSession | undefined,
    peer: Peer,
    greet: (control: ClientControl) => void,
  ): string | undefined {
    const control = decodeClientControl(text);
    if (control.kind === 'bad') return control.message;
    if (session === undefined) {
      greet(control);
      return undefined;
    }
    switch (control.kind) {
      case 'join':
      case 'leave':
        return this.#take(session, control.n, () => this.#changeOf(session, control));
      case 'send':
        return this.#take(session, control.n, () =>
          this.#multicast({ ...control, sender: session.name, bigEndian: false }),
        );
      case 'ack':
        if (control.received > session.sent) return 'that was never sent';
        session.acknowledged = Math.max(session.acknowledged, control.received);
        this.#pump(session);
        return undefined;
      case 'groups':
        peer.send(
          encodeDaemonControl({
            ...control,
            groups: [...this.groups].map(([name, members]) => ({ name, members: members.length })),
          }),
        );
        return undefined;
      case 'members':
        peer.send(encodeDaemonControl({ ...control, members: this.groups.get(control.group) ?? [] }));
        return undefined;
      case 'ping':
        if (this.answers) peer.send(encodeDaemonControl({ kind: 'pong', id: control.id }));
        return undefined;
      case 'bye':
        this.end(session);
        peer.close(1000);
        return undefined;
      default:
        return 'hello was said already';
    }
  }

  #onBytes(bytes: Uint8Array, session: FakeSession | undefined): string | undefined {
    const records = decodeFrame(bytes, 'client');
    if (!Array.isArray(records)) return records.message;
    if (session === undefined) return 'say hello first';
    for (const record of records) {
      const wrong = this.#take(session, record.number, () =>
        // The frame's memory is the test's.
        this.#multicast({ ...record, sender: session.name, data: record.data.slice() }),
      );
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  }

  #take(session: FakeSession, n: number, act: () => void): string | undefined {
    if (n !== session.taken + 1) return `request ${n} after ${session.taken}`;
    session.taken = n;
    act();
    if (this.#options.confirmsAtOnce?.() ?? true) {
      session.confirmed = n;
      this.#tellConfirmed(session);
    }
    return undefined;
  }

  #changeOf(
    session: FakeSession,
    { kind, n, group }: { kind: 'join' | 'leave'; n: number; group: string },
  ): void {
    const isIn = this.groups.get(group)?.includes(session.name) ?? false;
    const code =
      kind === 'leave' && !isIn
        ? 'NOT_A_MEMBER'
        : kind === 'join' && isIn
          ? 'ALREADY_A_MEMBER'
          : group === FULL
            ? 'TOO_MANY_LISTENERS'
            : undefined;
    if (code !== undefined) this.#give(session, { kind: 'refused', n, code, message: 'no' });
    else this.#change(group, kind, session.name);
  }

  #change(group: string, cause: 'join' | 'leave' | 'disconnect', changed: string): void {
    const before = this.groups.get(group) ?? [];
    const members =
      cause === 'join' ? [...before, changed].sort() : before.filter((member) => member !== changed);
    if (members.length === 0) this.groups.delete(group);
    else this.groups.set(group, members);
    const leaver = cause === 'leave' ? this.session(changed) : undefined;
    if (leaver !== undefined) this.#give(leaver, { kind: 'left', group });
    const id = `1.1.${++this.#views}`;
    for (const session of this.#sessionsOf(members)) {
      if (session.membership) {
        this.#give(session, { kind: 'view', group, id, cause, members, changed, sets: [[changed]] });
      }
    }
  }

  #multicast(record: MessageRecord): void {
    const receivers = new Set<string>();
    for (const group of record.groups) {
      if (group.startsWith('#')) receivers.add(group);
      for (const member of this.groups.get(group) ?? []) receivers.add(member);
    }
    if (record.selfDiscard) receivers.delete(record.sender);
    const wire = encodeRecord(record);
    for (const session of this.#sessionsOf([...receivers])) {
      session.given.push({ delivery: { kind: 'message', ...record }, wire, bytes: wire.length });
      this.#pump(session);
    }
  }

  #sessionsOf(names: readonly string[]): FakeSession[] {
    return this.sessions.filter(({ name, alive }) => alive && names.includes(name));
  }

  #give(session: FakeSession, delivery: SharedDelivery): void {
    const wire = encodeDelivery(delivery);
    session.given.push({ delivery, wire, bytes: wire.length });
    this.#pump(session);
  }

  #tellConfirmed(session: FakeSession): void {
    const waiting = session.given
      .slice(session.sent)
      .find(({ delivery }) => delivery.kind === 'refused' && delivery.n <= session.confirmed);
    const n = waiting?.delivery.kind === 'refused' ? waiting.delivery.n - 1 : session.confirmed;
    if (n > 0) session.peer?.send(encodeDaemonControl({ kind: 'confirmed', n }));
  }

  /** Sends what the window lets out; records that follow each other in one frame. */
  #pump(session: FakeSession): void {
    const { peer, given, windowBytes } = session;
    if (peer === undefined) return;
    let open = 0;
    for (let index = session.acknowledged; index < session.sent; index++) open += given[index]!.bytes;
    let records: Uint8Array[] = [];
    const endFrame = (): void => {
      if (records.length > 0) peer.send(frameOf(session.sent - records.length + 1, records));
      records = [];
    };
    while (session.sent < given.length && (windowBytes === 0 || open < windowBytes)) {
      const { wire, bytes } = given[session.sent]!;
      if (typeof wire === 'string') endFrame();
      session.sent++;
      open += bytes;
      if (typeof wire === 'string') peer.send(numberDelivery(wire, session.sent));
      else records.push(wire);
    }
    endFrame();
    // A refusal that waited for the window held confirmations back.
    if (given[session.sent - 1]?.delivery.kind === 'refused') this.#tellConfirmed(session);
  }
}

function end(peer: Peer, code: EndCode, message: string): void {
  peer.send(encodeDaemonControl({ kind: 'error', code, message }));
  peer.close(CLOSE_CODES[code]);
}

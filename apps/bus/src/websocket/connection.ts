/** One client that speaks the WebSocket protocol (docs/protocol-websocket.md). */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:net';
import {
  type Bad,
  CLOSE_CODES,
  type ClientControl,
  type DaemonControl,
  decodeClientControl,
  decodeFrame,
  type EndCode,
  encodeDaemonControl,
  frameOf,
  isPrivateName,
  type Limits,
  type NumberedRecord,
  numberDelivery,
  type Request as WireRequest,
} from '@rookery/protocol/websocket';
import type { WebSocket } from 'ws';
import type { EndReason, RefusalCode } from '../session/delivery.ts';
import type { HalfMessages, Receiving } from '../session/half-messages.ts';
import type { Request, Session, SessionConnection } from '../session/session.ts';
import type { Sessions } from '../session/sessions.ts';
import { ENDS, WORDS } from './ends.ts';
import { binaryFormat, jsonFormat } from './format.ts';

export interface WebSocketHost {
  readonly sessions: Sessions;
  readonly halfMessages: HalfMessages;
  /** For `groups` and `members`. */
  readonly groupList: () => readonly { readonly name: string; readonly members: number }[];
  readonly membersOf: (group: string) => readonly string[];
  readonly daemonName: string;
  readonly version: string;
  readonly limits: Partial<Limits> & Pick<Limits, 'messageBytes' | 'groups'>;
  readonly resumeMs: number;
  readonly handshakeTimeoutMs: number;
  readonly isAuthorized: (token: string | undefined) => boolean;
  readonly onBad: (reason: string) => void;
  readonly onClose: (connection: WebSocketConnection) => void;
}

type Question = Extract<ClientControl, { readonly kind: 'groups' | 'members' | 'ping' }>;
/** What a connection has to do, in order: a text frame is one, a record of a binary frame is one. */
type Input = ClientControl | Bad | { readonly kind: 'record'; readonly record: NumberedRecord };

interface Frame {
  readonly inputs: readonly Input[];
  readonly bytes: number;
  /** How many of its inputs are handled. */
  done: number;
}

/**
 * Requests that are read ahead while one must wait. Acknowledgements come on the same connection and must get past
 * them, or a client that is held up for being slow could never say that it has caught up. Twice the window of our
 * own client, which may end with a message of any size: the larger of the first and the last frame doesn't count.
 */
const AHEAD_BYTES = 2 * 1024 * 1024;

/** Beyond this the socket gets no more; the rest stays where policies can reach it. */
const SOCKET_BYTES = 256 * 1024;
/** Beyond this no question is answered, and at last none is read: who asks has to read the answers too. */
const ANSWERS_BYTES = 1024 * 1024;
/** Records that share a frame: few enough that the first doesn't wait for the last. */
const FRAME_BYTES = 64 * 1024;
/** After its last word a client has so long to close. */
const LINGER_MS = 1000;

export class WebSocketConnection implements SessionConnection, Receiving {
  readonly #ws: WebSocket;
  readonly #socket: Socket;
  readonly #host: WebSocketHost;
  #session: Session | undefined;
  /** Not yet handled, or not wholly; the first one may have been told to wait. */
  #frames: Frame[] = [];
  /** Of all of them. */
  #framesBytes = 0;
  /** Questions whose answers would be too much for the socket; there is one chunk's worth of them at most. */
  #questions: Question[] = [];
  #confirmedSent = 0;
  /** What the socket had read when the last message was whole. */
  #wholeAt: number;
  #timer: NodeJS.Timeout | undefined;
  #closing = false;
  /** What the socket had read at the last ping: a byte since is a sign of life, for within a message is no place for a pong. */
  #readAtPing = -1;
  readonly #onSent = (): void => this.#onRoom();

  constructor(ws: WebSocket, socket: Socket, host: WebSocketHost) {
    this.#ws = ws;
    this.#socket = socket;
    this.#host = host;
    this.#wholeAt = socket.bytesRead;
    this.#timer = setTimeout(() => this.#end('TIMEOUT'), host.handshakeTimeoutMs);
    ws.on('message', (data, isBinary) => this.#onMessage(data as Buffer, isBinary));
    ws.on('ping', (data) => {
      if (!this.#closing && ws.bufferedAmount < ANSWERS_BYTES) ws.pong(data);
    });
    socket.on('data', () => host.halfMessages.note(this, this.#wholeAt, socket.bytesRead));
    socket.on('drain', () => this.#onRoom());
    // ws closes after an error, and says so.
    ws.on('error', () => host.onBad('bad_websocket'));
    ws.on('close', () => {
      clearTimeout(this.#timer);
      host.halfMessages.note(this, 0, 0);
      this.#closing = true;
      const session = this.#session;
      this.#session = undefined;
      if (session !== undefined) host.sessions.park(session);
      host.onClose(this);
    });
  }

  // ---- In

  #onMessage(data: Buffer, isBinary: boolean): void {
    if (this.#closing) return;
    this.#wholeAt = this.#socket.bytesRead;
    let inputs: readonly Input[];
    if (isBinary) {
      const records = decodeFrame(data, 'client', this.#host.limits);
      inputs = Array.isArray(records) ? records.map((record) => ({ kind: 'record', record })) : [records];
    } else {
      const control = decodeClientControl(data.toString(), this.#host.limits);
      // These have no place in the order of requests.
      if (this.#session !== undefined && control.kind === 'ack') {
        this.#acknowledge(this.#session, control.received);
        return;
      }
      if (this.#session !== undefined && isQuestion(control)) {
        this.#questions.push(control);
        this.#answer();
        return;
      }
      inputs = [control];
    }
    this.#frames.push({ inputs, bytes: data.length, done: 0 });
    this.#framesBytes += data.length;
    this.#read();
  }

  #read(): void {
    let done = 0;
    while (done < this.#frames.length && !this.#closing && this.#take(this.#frames[done]!)) {
      this.#framesBytes -= this.#frames[done++]!.bytes;
    }
    if (this.#closing) this.#frames = [];
    else if (done > 0) this.#frames = this.#frames.slice(done);
    this.#hold();
  }

  /** False: some of it must wait. */
  #take(frame: Frame): boolean {
    const { inputs } = frame;
    while (frame.done < inputs.length && !this.#closing && this.#handle(inputs[frame.done]!)) frame.done++;
    return frame.done === inputs.length;
  }

  resume(): void {
    if (!this.#closing && this.#frames.length > 0) this.#read();
  }

  #answer(): void {
    let done = 0;
    while (done < this.#questions.length && this.#ws.bufferedAmount < ANSWERS_BYTES) {
      this.#reply(this.#questions[done++]!);
    }
    if (done > 0) this.#questions = this.#questions.slice(done);
    this.#hold();
  }

  /** Reads on, or doesn't for now. */
  #hold(): void {
    if (this.#closing) return;
    const besides = Math.max(this.#frames[0]?.bytes ?? 0, this.#frames.at(-1)?.bytes ?? 0);
    if (this.#framesBytes - besides > AHEAD_BYTES || this.#questions.length > 0) this.#ws.pause();
    else if (this.#ws.isPaused) this.#ws.resume();
  }

  #onRoom(): void {
    if (this.#closing) return;
    this.flush();
    if (this.#questions.length > 0) this.#answer();
    // A resumption may wait for room too.
    if (this.#session === undefined && this.#frames.length > 0) this.#read();
  }

  /** False: it must wait. */
  #handle(input: Input): boolean {
    if (input.kind === 'bad') return this.#onBad(input);
    if (this.#session === undefined) {
      if (input.kind === 'resume' && this.#ws.bufferedAmount > ANSWERS_BYTES) return false;
      if (input.kind === 'hello') return this.#hello(input);
      if (input.kind === 'resume') this.#resume(input);
      else this.#endBad('a connection begins with hello or resume');
      return true;
    }
    const session = this.#session;
    switch (input.kind) {
      case 'hello':
      case 'resume':
        this.#endBad('a connection begins once');
        return true;
      case 'record': {
        // A client's record has all that a message has, and no more.
        const { record } = input;
        return this.#ask(session, record.number, { kind: 'multicast', message: record });
      }
      case 'send':
      case 'join':
      case 'leave':
      case 'subscribe':
      case 'unsubscribe':
        return this.#ask(session, input.n, requestOf(input));
      // Said in one breath with the hello, before there was a session.
      case 'ack':
        this.#acknowledge(session, input.received);
        return true;
      case 'groups':
      case 'members':
      case 'ping':
        if (this.#ws.bufferedAmount >= ANSWERS_BYTES) this.#questions.push(input);
        else this.#reply(input);
        return true;
      case 'bye':
        session.end('goodbye');
        return true;
    }
  }

  #acknowledge(session: Session, received: number): void {
    if (session.acknowledge(received)) this.flush();
    else this.#endBad('that delivery was never sent');
  }

  #reply(question: Question): void {
    const { id } = question;
    switch (question.kind) {
      case 'groups':
        this.#say({ kind: 'groups', id, groups: this.#host.groupList() });
        break;
      case 'members': {
        const { group } = question;
        this.#say({ kind: 'members', id, group, members: this.#host.membersOf(group) });
        break;
      }
      case 'ping':
        this.#say({ kind: 'pong', id });
        break;
    }
  }

  #ask(session: Session, number: number, request: Request): boolean {
    if (number !== session.taken + 1) {
      this.#endBad(WORDS.BAD_NUMBER, 'BAD_NUMBER');
      return true;
    }
    const verdict = session.ask(request, number);
    if (verdict === 'wait') return false;
    if (verdict !== 'taken') this.#refuse(session, number, verdict);
    return true;
  }

  #refuse(session: Session, number: number, code: RefusalCode): void {
    this.#host.onBad(code.toLowerCase());
    session.refuse(number, code);
  }

  #onBad({ code, message, n }: Bad): boolean {
    const session = this.#session;
    if (session === undefined || n === undefined || code === 'BAD_FRAME' || code === 'BAD_NAME') {
      this.#endBad(message, code === 'BAD_NAME' ? 'BAD_NAME' : 'BAD_FRAME');
    } else if (n !== session.taken + 1) this.#endBad(WORDS.BAD_NUMBER, 'BAD_NUMBER');
    else this.#refuse(session, n, code);
    return true;
  }

  /** False: the name will be free in a moment. */
  #hello({
    name,
    membership,
    messages,
    token,
    windowBytes,
  }: Extract<ClientControl, { kind: 'hello' }>): boolean {
    const { sessions, isAuthorized, daemonName, version, limits, resumeMs } = this.#host;
    if (!isAuthorized(token)) {
      this.#end('UNAUTHORIZED');
      return true;
    }
    if (name !== undefined && !isPrivateName(name)) {
      this.#end('BAD_NAME');
      return true;
    }
    const key = randomBytes(18).toString('base64url');
    const format = messages === 'json' ? jsonFormat : binaryFormat;
    const resumption = { key, windowBytes };
    const session = sessions.connect(this, name ?? '', { membership, format, resumption });
    if (session === 'leaving') return false;
    if (typeof session === 'string') {
      this.#end(session === 'full' ? 'TOO_MANY_SESSIONS' : 'NAME_TAKEN');
      return true;
    }
    this.#admit(session);
    this.#say({
      kind: 'welcome',
      session: session.name,
      daemon: daemonName,
      version,
      key,
      resumeMs,
      messageBytes: limits.messageBytes,
      groups: limits.groups,
    });
    return true;
  }

  #resume({ session: name, key, received, token }: Extract<ClientControl, { kind: 'resume' }>): void {
    if (!this.#host.isAuthorized(token)) {
      this.#end('UNAUTHORIZED');
      return;
    }
    const session = this.#host.sessions.find(name);
    const known = session?.resumption !== undefined && isSame(key, session.resumption.key);
    if (!known) {
      this.#say({ kind: 'gone', reason: 'the session has ended, or was never here' });
      return;
    }
    const before = session.connection;
    if (!session.attach(this, received)) {
      this.#say({ kind: 'gone', reason: 'what came after that delivery is not kept any more' });
      return;
    }
    if (before instanceof WebSocketConnection) before.#replaced();
    this.#admit(session);
    this.#say({ kind: 'resumed', taken: session.taken });
    this.flush();
  }

  #admit(session: Session): void {
    clearTimeout(this.#timer);
    this.#session = session;
  }

  #replaced(): void {
    this.#session = undefined;
    this.#end('REPLACED');
  }

  // ---- Out

  flush(): void {
    const session = this.#session;
    if (session === undefined || this.#closing) return;
    // All frames of a turn are one write to the system.
    this.#socket.cork();
    this.#write(session);
    this.#socket.uncork();
  }

  #write(session: Session): void {
    const windowBytes = session.resumption?.windowBytes || Number.POSITIVE_INFINITY;
    while (session.ready && this.#ws.bufferedAmount < SOCKET_BYTES) {
      const room = windowBytes - session.unacknowledgedBytes;
      if (room <= 0) break;
      let first = 0;
      let records: Uint8Array[] = [];
      for (const { number, content } of session.take(Math.min(room, FRAME_BYTES))) {
        if (typeof content !== 'string') {
          if (records.length === 0) first = number;
          records.push(content);
          continue;
        }
        if (records.length > 0) this.#send(frameOf(first, records));
        records = [];
        this.#send(numberDelivery(content, number));
      }
      if (records.length > 0) this.#send(frameOf(first, records));
    }
    const { confirmed } = session;
    if (confirmed > this.#confirmedSent) {
      this.#confirmedSent = confirmed;
      this.#say({ kind: 'confirmed', n: confirmed });
    }
  }

  /**
   * What is compressed may have left without the socket ever being full, so that it says nothing when it has room.
   */
  #send(content: string | Uint8Array): void {
    this.#ws.send(content, this.#ws.extensions === '' ? undefined : this.#onSent);
  }

  /** Called at each ping interval: false if the client gave no sign of life since the last. */
  ping(): boolean {
    const { bytesRead } = this.#socket;
    // Who isn't read can't give one.
    if (bytesRead === this.#readAtPing && !this.#ws.isPaused) return false;
    this.#readAtPing = bytesRead;
    this.#ws.ping();
    return true;
  }

  #say(control: DaemonControl): void {
    this.#send(encodeDaemonControl(control));
  }

  ended(reason: EndReason): void {
    this.#session = undefined;
    if (reason === 'goodbye' || reason === 'connection_lost') this.#close(1000);
    else this.#end(ENDS[reason]);
  }

  #endBad(message: string, code: 'BAD_FRAME' | 'BAD_NAME' | 'BAD_NUMBER' = 'BAD_FRAME'): void {
    this.#host.onBad(code.toLowerCase());
    const session = this.#session;
    this.#session = undefined;
    if (session !== undefined) {
      session.connection = undefined;
      session.end('bad_frame');
    }
    this.#end(code, message);
  }

  #end(code: EndCode, message: string = WORDS[code]): void {
    if (this.#closing) return;
    this.#say({ kind: 'error', code, message });
    this.#close(CLOSE_CODES[code]);
  }

  #close(code: number): void {
    if (this.#closing) return;
    this.#closing = true;
    clearTimeout(this.#timer);
    // Paused, it would not hear the client's own close.
    this.#ws.resume();
    this.#ws.close(code);
    this.#timer = setTimeout(() => this.destroy(), LINGER_MS);
  }

  /** The daemon stops, or could not start: there may be sessions since all were told. */
  shut(): void {
    this.#session?.end('stopping');
    this.#end('STOPPING');
  }

  get isHeldUp(): boolean {
    return this.#ws.isPaused;
  }

  cutOff(): void {
    this.#host.onBad('half_message');
    this.destroy();
  }

  destroy(): void {
    this.#ws.terminate();
  }
}

function requestOf(input: WireRequest): Request {
  if (input.kind === 'subscribe') {
    const { kind, group, from, filter, lastValue } = input;
    return { kind, group, from, filter, lastValue };
  }
  if (input.kind !== 'send') return { kind: input.kind, group: input.group };
  const { groups, service, messageType, key, selfDiscard, origin, data } = input;
  return {
    kind: 'multicast',
    message: { groups, service, messageType, bigEndian: false, key, selfDiscard, origin, data },
  };
}

function isQuestion(control: ClientControl | Bad): control is Question {
  const { kind } = control;
  return kind === 'ping' || kind === 'groups' || kind === 'members';
}

function isSame(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}

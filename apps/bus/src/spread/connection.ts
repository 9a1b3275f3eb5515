/**
 * One client that speaks Spread's protocol, on any socket. Requests are carried out in order; the next one is
 * looked at when the one before was taken. See docs/protocol-spread.md.
 */
import type { Socket } from 'node:net';
import {
  BAD,
  type Bad,
  type ClientInput,
  type Connect,
  createDaemonDecoder,
  type DaemonDecoder,
  Output,
  type Refusal,
  readsRejects,
  SERVICE_BITS,
  TypeBit,
  writeAccept,
  writeMethods,
  writeRefusal,
  writeReject,
} from '@rookery/protocol/spread';
import type { Multicast } from '../groups/types.ts';
import type { Content, EndReason, RefusalCode } from '../session/delivery.ts';
import type { HalfMessages, Receiving } from '../session/half-messages.ts';
import type { Request, Session, SessionConnection } from '../session/session.ts';
import type { Sessions } from '../session/sessions.ts';
import { formatFor } from './format.ts';

export interface SpreadHost {
  readonly sessions: Sessions;
  readonly halfMessages: HalfMessages;
  readonly messageBytes: number;
  readonly handshakeTimeoutMs: number;
  /** Input that was refused; for the log and the counters. */
  readonly onBad: (reason: string) => void;
  readonly onClose: (connection: SpreadConnection) => void;
}

/** The version that clients are told: that of the daemon whose protocol this is. */
const VERSION = { major: 5, minor: 0, patch: 1 } as const;
/** Every client can pass it: what it proves is nothing. */
const METHODS = ['NULL'] as const;
/** What a socket may hold beyond what the system took: so much is out of reach of the policies for slow receivers. */
const SOCKET_BYTES = 256 * 1024;
/** After its last word a client has so long to read it. */
const LINGER_MS = 1000;

type Rejectable = Pick<Bad, 'type' | 'groups' | 'messageType' | 'messageOrder' | 'buffer' | 'start' | 'end'>;

export class SpreadConnection implements SessionConnection, Receiving {
  readonly #socket: Socket;
  readonly #host: SpreadHost;
  readonly #decoder: DaemonDecoder;
  readonly #out = new Output();
  #connect: Connect | undefined;
  #session: Session | undefined;
  /** Was told to wait; goes before everything that is still in the decoder. */
  #pending: ClientInput | undefined;
  /** What the socket had read when the last message was whole. */
  #wholeAt = 0;
  #timer: NodeJS.Timeout | undefined;
  /** The client sends no more. A paused socket says so too, while input waits. */
  #ended = false;
  #closing = false;

  constructor(socket: Socket, host: SpreadHost) {
    this.#socket = socket;
    this.#host = host;
    this.#decoder = createDaemonDecoder({ data: host.messageBytes });
    this.#timer = setTimeout(() => this.destroy(), host.handshakeTimeoutMs);
    socket.on('data', (chunk) => this.#onData(chunk as Buffer));
    socket.on('drain', () => this.flush());
    socket.on('end', () => this.#onEnd());
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(this.#timer);
      host.halfMessages.note(this, 0, 0);
      this.#lost();
      host.onClose(this);
    });
  }

  // ---- In

  #onData(chunk: Buffer): void {
    if (this.#closing) return;
    this.#decoder.push(chunk);
    this.#read();
    this.#host.halfMessages.note(this, this.#wholeAt, this.#socket.bytesRead);
  }

  /** Half a connection is of no use: who doesn't send any more has gone, once all that it sent is taken. */
  #onEnd(): void {
    this.#ended = true;
    if (this.#pending === undefined) this.#lost();
  }

  #read(): void {
    for (;;) {
      const input = this.#pending ?? this.#decoder.next();
      if (input === undefined || this.#closing) return;
      this.#wholeAt = this.#socket.bytesRead;
      this.#pending = undefined;
      if (!this.#handle(input)) {
        this.#pending = input;
        this.#socket.pause();
        return;
      }
    }
  }

  resume(): void {
    if (this.#closing || this.#pending === undefined) return;
    this.#read();
    if (this.#pending !== undefined) return;
    if (this.#ended) this.#lost();
    else this.#socket.resume();
  }

  /** False: it must wait. */
  #handle(input: ClientInput): boolean {
    switch (input.kind) {
      case 'connect':
        this.#connect = input;
        if (input.choosesMethod) {
          writeMethods(this.#out, METHODS);
          this.#write();
          return true;
        }
        return this.#admit(input);
      case 'authenticate':
        if (input.methods.every((method) => method === 'NULL' || method === 'IP')) {
          return this.#admit(this.#connect!);
        }
        this.#refuse('auth');
        return true;
      case 'multicast': {
        const { service, groups, messageType, messageOrder, selfDiscard, buffer, start, end } = input;
        return this.#ask(
          {
            kind: 'multicast',
            message: {
              service,
              groups,
              messageType,
              bigEndian: messageOrder === 'big',
              selfDiscard,
              key: '',
              data: buffer.subarray(start, end),
            },
          },
          input,
        );
      }
      case 'join':
      case 'leave':
        return this.#ask(input, undefined);
      case 'disconnect':
        this.#session?.end('goodbye');
        return true;
      case 'bad':
        this.#onBad(input);
        return true;
    }
  }

  #ask(request: Request, multicast: Omit<Rejectable, 'type'> | undefined): boolean {
    const verdict = this.#session!.ask(request);
    if (verdict === 'wait') return false;
    if (verdict !== 'taken') this.#reject(request, verdict, multicast);
    return true;
  }

  #reject(request: Request, code: RefusalCode, multicast: Omit<Rejectable, 'type'> | undefined): void {
    // Spread passes over a join of a member and a leave of a stranger, and so do its clients.
    if (code === 'ALREADY_A_MEMBER' || code === 'NOT_A_MEMBER') return;
    this.#host.onBad(code.toLowerCase());
    if (request.kind === 'multicast') this.#writeReject({ ...multicast!, type: typeOf(request.message) });
    else {
      const type = request.kind === 'join' ? TypeBit.causedByJoin : TypeBit.causedByLeave;
      const empty = Buffer.alloc(0);
      this.#writeReject({
        type,
        groups: [request.group],
        messageType: 0,
        messageOrder: 'little',
        buffer: empty,
        start: 0,
        end: 0,
      });
    }
  }

  #onBad(bad: Bad): void {
    this.#host.onBad(bad.reason);
    if (!bad.ends) {
      this.#writeReject(bad);
      return;
    }
    const { refusal } = BAD[bad.reason];
    if (refusal !== undefined) this.#refuse(refusal);
    else if (this.#session !== undefined) this.#session.end('bad_frame');
    else this.#end();
  }

  /** As Spread: nobody is sent back what it didn't want a copy of. */
  #writeReject(rejected: Rejectable): void {
    if ((rejected.type & TypeBit.selfDiscard) !== 0 || !readsRejects(this.#connect!.version)) return;
    writeReject(this.#out, { ...rejected, sender: this.#session!.name });
    const chunks = this.#out.take();
    this.#session!.push(Buffer.concat(chunks), undefined, '', 'disconnect');
  }

  /** False: the name will be free in a moment. */
  #admit(connect: Connect): boolean {
    const { sessions } = this.#host;
    const { name, membership, version } = connect;
    const session = sessions.connect(this, name, {
      membership,
      format: formatFor(version),
      resumption: undefined,
    });
    if (session === 'leaving') return false;
    if (typeof session === 'string') {
      this.#refuse(session === 'full' ? 'quota' : 'not_unique');
      return true;
    }
    clearTimeout(this.#timer);
    this.#session = session;
    this.#decoder.admit(session.name);
    writeAccept(this.#out, VERSION, session.name, version);
    this.#write();
    return true;
  }

  #refuse(refusal: Refusal): void {
    writeRefusal(this.#out, refusal);
    this.#write();
    this.#end();
  }

  // ---- Out

  flush(): void {
    const session = this.#session;
    if (session === undefined || this.#closing) return;
    const socket = this.#socket;
    while (session.ready && socket.writableLength < SOCKET_BYTES) {
      socket.cork();
      for (const run of joined(session.take(SOCKET_BYTES))) socket.write(run);
      socket.uncork();
    }
  }

  /** All at once: libspread reads an answer of the handshake with one call. */
  #write(): void {
    this.#socket.write(Buffer.concat(this.#out.take()));
  }

  ended(reason: EndReason): void {
    this.#session = undefined;
    // Who is cut off for not reading won't read a goodbye either.
    if (reason === 'too_slow') this.destroy();
    else this.#end();
  }

  #end(): void {
    if (this.#closing) return;
    this.#closing = true;
    clearTimeout(this.#timer);
    this.#socket.resume();
    this.#socket.end();
    this.#timer = setTimeout(() => this.destroy(), LINGER_MS);
  }

  #lost(): void {
    this.#session?.end('connection_lost');
    this.#session = undefined;
    this.#end();
  }

  /** The daemon stops, or could not start: there may be sessions since all were told. */
  shut(): void {
    this.#session?.end('stopping');
    this.#end();
  }

  get isHeldUp(): boolean {
    return this.#pending !== undefined;
  }

  cutOff(): void {
    this.#host.onBad('half_message');
    this.destroy();
  }

  destroy(): void {
    this.#closing = true;
    clearTimeout(this.#timer);
    this.#socket.destroy();
  }
}

/** Frames that were encoded one after the other lie so in memory, too: each run of them costs one write. */
function joined(frames: readonly { readonly content: Content }[]): Uint8Array[] {
  const runs: Uint8Array[] = [];
  let run: Uint8Array | undefined;
  let length = 0;
  for (const { content } of frames) {
    const frame = content as Uint8Array;
    if (run !== undefined && frame.buffer === run.buffer && frame.byteOffset === run.byteOffset + length) {
      length += frame.length;
      continue;
    }
    if (run !== undefined) runs.push(extended(run, length));
    run = frame;
    length = frame.length;
  }
  if (run !== undefined) runs.push(extended(run, length));
  return runs;
}

function extended(start: Uint8Array, length: number): Uint8Array {
  return length === start.length ? start : new Uint8Array(start.buffer, start.byteOffset, length);
}

function typeOf({ service, selfDiscard }: Multicast): number {
  return SERVICE_BITS[service] | (selfDiscard ? TypeBit.selfDiscard : 0);
}

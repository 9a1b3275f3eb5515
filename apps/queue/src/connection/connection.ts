// Past 500 lines: one state machine from bytes to replies, and whatever was taken out would have to reach into it.
import type { Duplex } from 'node:stream';
import {
  createRequestDecoder,
  DEFAULT_LIMITS,
  Output,
  type Request,
  type RequestDecoder,
  writeTextLine,
} from '@rookery/protocol/memcache';
import type { Timer } from '@rookery/storage';
import { Rights } from '../access/rights.ts';
import type { User } from '../access/users.ts';
import type { Broker } from '../broker/broker.ts';
import { Session } from '../broker/session.ts';
import type { Client } from '../throttle/clients.ts';
import type { Arrived } from './arrivals.ts';
import { handleBinary } from './binary.ts';
import type { DirectOutput } from './direct-output.ts';
import type { Host } from './host.ts';
import { type Holder, uncountedBytes } from './inputs.ts';
import { handleMeta } from './meta.ts';
import { handleStranger, strangerLimits } from './stranger.ts';
import { handleText } from './text.ts';
import { type Backlogged, unitBytes, unitsAtOnce, unitsPerMs } from './turns.ts';

/** Replies that wait for the log to commit `position`. */
interface Parcel {
  readonly chunks: Buffer[];
  readonly bytes: number;
  readonly position: number;
}

/**
 * One client: bytes in, requests decoded and carried out one after the other, replies out in the same order. Works
 * over any duplex stream.
 *
 * A request that can't be answered at once blocks the connection: no further request is decoded until `unblock`.
 */
export class Connection implements Arrived, Backlogged, Holder {
  readonly session: Session = new Session();
  /** Whose it is, for the rates. */
  #client: Client;
  /** It is over its rate, and nothing of it is carried out before this. */
  #throttle: Timer;
  /** What it may do; undefined where nobody is asked who he is. */
  rights: Rights | undefined;
  /** Wrong tokens that it has shown. */
  failures = 0;
  #user: User | undefined;
  /** It has not said who it is, and must. */
  #isStranger: boolean;
  readonly out: Output = new Output(replySlabBytes);
  readonly host: Host;
  readonly broker: Broker;
  readonly #socket: Duplex;
  /** Undefined where there is only the socket's own way. */
  readonly #direct: DirectOutput | undefined;
  #decoder: RequestDecoder;
  readonly #parcels: Parcel[] = [];
  /** Of the parcels. */
  #parcelBytes = 0;
  /** What the replies now in `out` wait for: the newest, behind the parcels. */
  #needs = 0;
  /** Bytes of them that have been counted as work. */
  #countedBytes = 0;
  #awaitsCommit = false;
  #blocked = false;
  /** The rest of a request that stopped because its replies pile up. */
  #rest: (() => void) | undefined;
  #pumping = false;
  /** It has had its turn, and goes on when others have had theirs. */
  #standsBack = false;
  /** Units that it may still carry out before it stands back, or of its slice. */
  #unitsLeft: number = unitsAtOnce;
  /** Units of what it has read since its last slice, being over its share. */
  #unitsRead = 0;
  /** When units came back to it last. */
  #unitsAt = 0;
  /** What of it counts with the half-sent requests of all. */
  #heldBytes = 0;
  #inputEnded = false;
  #closing = false;
  #finished = false;
  #closed = false;
  #lingering: Timer;
  #authenticating: Timer;
  /** Not less than what the socket takes before it says that it is full: only after that it says when it is not. */
  readonly #replyBytesMax: number;

  constructor(socket: Duplex, host: Host, client: Client, direct?: DirectOutput) {
    this.#client = client;
    this.#socket = socket;
    this.#direct = direct;
    this.host = host;
    this.broker = host.broker;
    const { access } = host;
    this.#isStranger = access !== undefined;
    this.#decoder = createRequestDecoder(
      access === undefined ? host.protocolLimits : { ...host.protocolLimits, ...strangerLimits },
    );
    if (access !== undefined) {
      this.rights = noRights;
      this.#authenticating = host.broker.clock.setTimeout(() => this.shut(), access.timeoutMs);
    }
    this.#replyBytesMax = Math.max(host.replyBytesMax, socket.writableHighWaterMark);
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('end', () => this.#receiveEnd());
    socket.on('drain', () => this.#pump());
    socket.on('error', () => this.#end());
    socket.on('close', () => this.#end());
  }

  /** Who it is, once it has said so. */
  get user(): User | undefined {
    return this.#user;
  }

  /** Where it comes from, for the log; once it is known, whose it is. */
  get from(): string {
    return this.#client.key;
  }

  /** It has said who it is. Undefined when it may come in, else the line that says why not. */
  welcome(user: User): string | undefined {
    const { clients, broker } = this.host;
    const now = broker.clock.now();
    const client = clients.enter(`user ${user.name}`, now);
    if (client === undefined) {
      this.close();
      return 'SERVER_ERROR too many connections of this user (max_client_connections)';
    }
    clients.leave(this.#client, now);
    this.#client = client;
    this.#user = user;
    this.rights = user.rights;
    this.#isStranger = false;
    this.broker.clock.clearTimeout(this.#authenticating);
    this.#decoder.changeLimits({ ...DEFAULT_LIMITS, ...this.host.protocolLimits });
    return undefined;
  }

  /** Replies written from here on wait until the store has committed the position. */
  needs(position: number): void {
    if (position > this.#needs) this.#needs = position;
  }

  /** The request at hand is answered later. */
  block(): void {
    this.#blocked = true;
  }

  /** The request at hand goes on with `rest` when the client has read what was written for it so far. */
  whenRead(rest: () => void): void {
    this.#blocked = true;
    this.#rest = rest;
  }

  /** Sends what is written so far, of a request that answers bit by bit. */
  flush(): void {
    queueMicrotask(() => this.#pump());
  }

  /** It has been answered. Requests behind it are carried out after the caller has returned. */
  unblock(): void {
    if (this.#closed) return;
    this.#blocked = false;
    queueMicrotask(() => this.#pump());
  }

  /** The client reads slower than it is written to. */
  get repliesPileUp(): boolean {
    const waitingBytes = this.#socket.writableLength + (this.#direct?.waitingBytes ?? 0);
    return this.out.bytes + this.#parcelBytes + waitingBytes >= this.#replyBytesMax;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Nothing of the client is in work: what it asked for is answered, and it waits for nothing. */
  get idle(): boolean {
    return !this.#blocked && !this.#hasReplies && this.#decoder.bufferedBytes === 0;
  }

  /** Sends what is answered, then ends the connection; requests not carried out yet are dropped. */
  close(): void {
    this.#closing = true;
  }

  /** The same, from outside: a wait ends without an answer, as does what waits to be read; what is in work is answered. */
  shut(): void {
    this.#closing = true;
    const { cancelWait } = this.session;
    if (cancelWait !== undefined || this.#rest !== undefined) this.#blocked = false;
    this.#rest = undefined;
    this.#endThrottle();
    cancelWait?.();
    this.#pump();
  }

  /** Cuts the connection off. */
  destroy(): void {
    this.#socket.destroy();
    this.#end();
  }

  /** The socket has taken what it was given. */
  drained(): void {
    this.#pump();
  }

  // hot:
  /** Called by the server at the next commit of the store after `host.awaitCommit`. */
  committed(): void {
    this.#awaitsCommit = false;
    const more =
      this.#decoder.bufferedBytes > 0 || this.#rest !== undefined || this.#inputEnded || this.#closing;
    if (more || this.#socket.isPaused()) this.#pump();
    else this.#send();
  }

  #awaitCommit(): void {
    if (this.#awaitsCommit) return;
    this.#awaitsCommit = true;
    this.host.awaitCommit(this);
  }

  /** The first `length` bytes of a buffer that is written over after the call have come. */
  receiveLent(buffer: Buffer, length: number): void {
    if (!this.#begins(length)) return;
    const { arrivals } = this.host;
    const at = arrivals.keep(this, buffer, length);
    if (at >= 0) this.#decoder.lend(arrivals.bytes, at, at + length);
    else {
      this.#decoder.lend(buffer, 0, length);
      this.#received();
      this.#decoder.keep(buffer);
    }
  }

  carryOut(): void {
    try {
      this.#received();
      this.#decoder.keep(this.host.arrivals.bytes);
    } catch (error) {
      this.#defect(error);
    }
  }

  #receive(chunk: Buffer): void {
    if (this.#begins(chunk.length)) {
      this.#decoder.push(chunk);
      this.#received();
    }
  }

  /** Counts what has come; false: nobody will carry it out any more. */
  #begins(bytes: number): boolean {
    this.host.counters.bytesRead += bytes;
    if (this.#closing) return false;
    const client = this.#client;
    if (client.hasRates) client.bytes?.spend(bytes);
    if (bytes >= unitBytes) this.#read(bytes);
    return true;
  }

  #received(): void {
    const client = this.#client;
    if (!this.#blocked) this.#pump();
    else if (this.#hasEnoughInput) this.#socket.pause();
    if (this.#heldBytes > 0 || this.#decoder.bufferedBytes > uncountedBytes) this.#countInput();
    // Also in the middle of a body.
    if (client.hasRates && !this.#closed) this.#isOverRate();
  }

  /** While a request is in work, input is read on: so it is heard when the client hangs up. */
  get #hasEnoughInput(): boolean {
    return this.#decoder.bufferedBytes >= inputBytesMax;
  }

  #receiveEnd(): void {
    this.#inputEnded = true;
    if (!this.#endVainWait()) this.#pump();
  }

  /** Who has hung up and waits for a message to come can't be given it any more; only what was answered before. */
  #endVainWait(): boolean {
    const isVain = this.#inputEnded && this.session.waitsForMessage;
    if (isVain) this.shut();
    return isVain;
  }

  /** Carries out what has been received, as far as it may, and sends what may be sent. */
  #pump(): void {
    if (this.#pumping || this.#finished || this.#closed) return;
    if (this.#standsBack || this.#throttle !== undefined) {
      this.#send();
      if (this.#hasEnoughInput || this.#throttle !== undefined) this.#socket.pause();
      return;
    }
    this.#refill();
    const units = this.#unitsLeft;
    this.#carryOutAll();
    if (!this.#standsBack && this.#unitsLeft < units) this.host.turns.worked();
  }

  #refill(): void {
    const now = this.broker.clock.now();
    const ms = now - this.#unitsAt;
    if (ms === 0) return;
    this.#unitsAt = now;
    if (ms > 0) this.#unitsLeft = Math.min(unitsAtOnce, this.#unitsLeft + ms * unitsPerMs);
  }

  #carryOutAll(): void {
    this.#pumping = true;
    this.#send();
    // Once more when it stopped for the replies, and the socket took them all at once: then it won't say `drain`.
    while (this.#carryOut() && this.#mayGoOn()) {
      // All is in the condition.
    }
    this.#pumping = false;
    if (this.#closed || this.#endVainWait()) return;
    if (this.#closing && !this.#blocked && !this.#hasReplies) this.#finish();
    else if (this.#throttle !== undefined) this.#socket.pause();
    else if (this.#blocked || this.#standsBack ? this.#hasEnoughInput : !this.#mayGoOn())
      this.#socket.pause();
    else if (this.#socket.isPaused()) this.#socket.resume();
    if (this.#heldBytes > 0) this.#countInput();
  }

  // hot:
  /** Carries out requests and sends the replies; true if there may be more to do, but replies or writes pile up. */
  #carryOut(): boolean {
    let stopped = false;
    // What has been answered may be committed before what comes now.
    if (this.#rest !== undefined || this.#decoder.bufferedBytes > 0) this.#seal();
    if (this.#rest !== undefined) {
      stopped = !this.#mayGoOn();
      if (!stopped) this.#goOn(this.#rest);
    }
    while (!this.#blocked && !this.#closing && !this.#closed) {
      stopped = !this.#mayGoOn();
      if (stopped) break;
      if (this.#unitsLeft <= 0 && this.#decoder.bufferedBytes > 0) {
        this.#standsBack = true;
        this.host.turns.standBack(this);
        break;
      }
      const client = this.#client;
      if (client.hasRates && this.#isOverRate()) break;
      const request = this.#decoder.next();
      if (request === undefined) {
        if (this.#inputEnded) this.#closing = true;
        break;
      }
      if (client.hasRates) client.requests?.spend(1);
      this.#unitsLeft -= 1;
      this.#handle(request);
    }
    this.#countReplies();
    // So may this, before the reply to the request at hand.
    if (this.#blocked) this.#seal();
    this.#send();
    return (stopped || this.#rest !== undefined) && !this.#standsBack && this.#throttle === undefined;
  }

  /** It stood back, and has a slice now. */
  goOn(units: number): number {
    this.#standsBack = false;
    if (this.#pumping || this.#finished || this.#closed || this.#throttle !== undefined) return 0;
    const left = this.#unitsLeft;
    this.#unitsLeft = units;
    this.#carryOutAll();
    const done = units - this.#unitsLeft;
    // However much it was given while nobody else wanted it, that is no reason to let it wait later.
    this.#unitsLeft = Math.max(-unitsAtOnce, left - done);
    const read = this.#unitsRead;
    this.#unitsRead = 0;
    return done + read;
  }

  /** Also in the middle of a body, before there is a request. */
  #read(bytes: number): void {
    const units = bytes / unitBytes;
    this.#unitsLeft -= units;
    if (this.#unitsLeft < 0) this.#unitsRead += units;
  }

  /** The request at hand is as much work as so many more. */
  costs(units: number): void {
    this.#unitsLeft -= units;
  }

  /** Then it is read no further, and goes on when its time has come. */
  #isOverRate(): boolean {
    const { clock } = this.broker;
    const now = clock.now();
    const { requests, bytes } = this.#client;
    const waitMs = Math.max(requests?.waitMs(now) ?? 0, bytes?.waitMs(now) ?? 0);
    if (waitMs === 0) return false;
    if (this.#throttle !== undefined) return true;
    this.host.counters.throttled += 1;
    this.#socket.pause();
    this.#throttle = clock.setTimeout(
      () => {
        this.#throttle = undefined;
        this.#pump();
      },
      Math.min(waitMs, throttleMsMax),
    );
    return true;
  }

  #endThrottle(): void {
    this.broker.clock.clearTimeout(this.#throttle);
    this.#throttle = undefined;
  }

  #countInput(): void {
    const { bufferedBytes } = this.#decoder;
    const bytes = this.#closed || bufferedBytes <= uncountedBytes ? 0 : bufferedBytes;
    if (bytes === this.#heldBytes) return;
    this.#heldBytes = bytes;
    this.host.inputs.hold(this, bytes);
  }

  evict(): void {
    this.#heldBytes = 0;
    // Mostly it is a body: the rest of it is passed over, and the connection lives.
    if (this.#decoder.dropBody('out_of_memory')) return;
    // Behind a request in work it would be taken for the answer to that.
    if (this.#decoder.wire === 'text' && !this.#blocked) {
      writeTextLine(this.out, 'SERVER_ERROR out of memory reading request');
    }
    this.#decoder = createRequestDecoder();
    this.shut();
  }

  #goOn(rest: () => void): void {
    this.#rest = undefined;
    this.#blocked = false;
    try {
      rest();
    } catch (error) {
      this.#defect(error);
    }
  }

  #handle(request: Request): void {
    try {
      if (this.#isStranger) handleStranger(this, request, this.host.access!);
      else if (request.wire === 'text') handleText(this, request);
      else if (request.wire === 'binary') handleBinary(this, request);
      else handleMeta(this, request);
    } catch (error) {
      this.#defect(error);
    }
  }

  /** A bug: this client is cut off and the error told, the others go on. */
  #defect(error: unknown): void {
    this.host.onDefect(error as Error);
    this.destroy();
  }

  /** Neither the client's replies nor the store's writes are piling up. */
  #mayGoOn(): boolean {
    // A socket that was cut takes whatever is written, and says `close` only in a later turn.
    if (this.#socket.destroyed) return false;
    if (this.broker.store.congested) {
      this.#awaitCommit();
      return false;
    }
    return !this.repliesPileUp;
  }

  /** Written and not sent. */
  get #hasReplies(): boolean {
    return this.out.bytes > 0 || this.#parcelBytes > 0;
  }

  #countReplies(): void {
    const bytes = this.out.bytes - this.#countedBytes;
    if (bytes < unitBytes) return;
    this.#unitsLeft -= bytes / unitBytes;
    this.#countedBytes += bytes;
  }

  #seal(): void {
    const { bytes } = this.out;
    if (bytes === 0) return;
    this.#parcels.push({ chunks: this.out.take(), bytes, position: this.#needs });
    this.#parcelBytes += bytes;
    this.#needs = 0;
    this.#countedBytes = 0;
  }

  // hot:
  /** The one place that writes to the socket. */
  #send(): void {
    if (!this.#hasReplies) return;
    const { committedPosition } = this.broker.store;
    if (this.#needs <= committedPosition) {
      if (this.#parcels.length === 0 && this.#sendDirectly()) return;
      this.#seal();
    }
    if (this.#parcels.length > 0) this.#sendParcels(committedPosition);
    if (this.#hasReplies) this.#awaitCommit();
  }

  // hot: mostly it is one buffer, and the kernel takes it at once.
  #sendDirectly(): boolean {
    if (this.#direct?.isOpen !== true) return false;
    const bytes = this.out.takeWhole();
    if (bytes === undefined) return false;
    this.#direct.write(bytes);
    this.host.counters.bytesWritten += bytes.length;
    this.#needs = 0;
    this.#countedBytes = 0;
    // The kernel has all that was ever taken: nobody holds a buffer of `out`.
    if (this.#direct.waitingBytes === 0) this.out.reuse();
    return true;
  }

  #sendParcels(committedPosition: number): void {
    const parcels = this.#parcels;
    let ready = 0;
    while (ready < parcels.length && parcels[ready]!.position <= committedPosition) ready += 1;
    if (ready === 0) return;
    this.#socket.cork();
    for (const { bytes, chunks } of parcels.splice(0, ready)) {
      this.#parcelBytes -= bytes;
      this.host.counters.bytesWritten += bytes;
      for (const chunk of chunks) this.#socket.write(chunk);
    }
    this.#socket.uncork();
  }

  /** All is answered: what the client held goes back, and it has a while to read its last replies and hang up. */
  #finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.broker.end(this.session);
    this.#socket.end();
    if (this.#inputEnded) return;
    this.#socket.resume();
    this.#lingering = this.broker.clock.setTimeout(() => this.destroy(), lingerMs);
  }

  #end(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.broker.clock.clearTimeout(this.#lingering);
    this.broker.clock.clearTimeout(this.#authenticating);
    this.broker.end(this.session);
    this.#endThrottle();
    this.host.clients.leave(this.#client, this.broker.clock.now());
    this.host.turns.forget(this);
    this.#countInput();
    this.host.ended(this);
  }
}

/** Then it is looked anew: the limits may have changed. */
const throttleMsMax = 1000;

const noRights = new Rights([]);

/** Requests read ahead while one is in work; a hang-up behind more than this is heard when their turn comes. */
const inputBytesMax = 64 * 1024;
/** Cutting a client off at once would lose the replies that it has not read yet. */
const lingerMs = 10_000;

/** Replies of one burst of small requests; a larger slab would be mostly empty for a thousand idle clients. */
const replySlabBytes = 16 * 1024;

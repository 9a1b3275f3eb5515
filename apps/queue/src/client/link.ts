/** One connection: made, watched, and made again when it breaks; calls go through it in order. */
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import {
  createTextReplyDecoder,
  Output,
  type Reply,
  type TextReplyDecoder,
} from '@rookery/protocol/memcache';
import { formatAddress, type QueueAddress } from './address.ts';
import { waitBefore } from './backoff.ts';
import { QueueError } from './errors.ts';
import type { LinkOptions, StateChange, TlsOptions } from './options.ts';
import { Pipeline, type PipelineCall } from './pipeline.ts';
import { isTurnedAway, refusalOf } from './refusals.ts';

/** A request with what becomes of its answer. */
export interface Call extends PipelineCall {
  /** Writes it; never throws. */
  write(out: Output, now: number): void;
  /** One reply of its answer; true when that was the last. It is told also when it is `over`. */
  onReply(reply: Reply): boolean;
  /** It has no answer. Told once, and not when it is `over`. */
  onFailure(error: QueueError): void;
}

/** What of a reply that makes no sense is shown. */
const SHOWN = 80;

export class Link {
  /** Told when the connection breaks or is closed: what was open on it is back in its queue. */
  onBroken: (() => void) | undefined;
  readonly #options: LinkOptions;
  readonly #onState: ((change: StateChange) => void) | undefined;
  readonly #pipeline: Pipeline<Call>;
  readonly #out = new Output();
  #socket: Socket | undefined;
  #decoder: TextReplyDecoder = createTextReplyDecoder();
  #connected = false;
  /** It has said who it is, and waits to be let in. */
  #isAsking = false;
  #everConnected = false;
  #connectedAt = 0;
  #attempt = 0;
  #flushing = false;
  #closed = false;
  /** Of an attempt or of the wait before the next. */
  #connectTimer: unknown;
  #timer: unknown;
  #timerAt = Number.POSITIVE_INFINITY;
  #onIdle: (() => void) | undefined;
  #error: QueueError | undefined;

  constructor(options: LinkOptions, onState?: (change: StateChange) => void) {
    this.#options = options;
    this.#onState = onState;
    this.#pipeline = new Pipeline(options.settings);
    this.#connect(1);
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** It is of no use any more. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Whether an answer is still to come, wanted or not. */
  get owed(): boolean {
    return this.#pipeline.waitingCalls + this.#pipeline.sentCalls > 0;
  }

  // hot: once per call.
  submit(call: Call): void {
    if (this.#closed) {
      call.onFailure(this.#error ?? new QueueError('CLOSED', 'the client is closed'));
      return;
    }
    if (!this.#pipeline.add(call)) {
      call.onFailure(
        new QueueError(
          'OVERLOADED',
          `${this.#pipeline.waitingCalls} calls wait for the server already: await some of them first`,
        ),
      );
      return;
    }
    if (call.deadlineAt < this.#timerAt) this.#arm(call.deadlineAt);
    if (this.#connected && !this.#flushing) {
      this.#flushing = true;
      this.#options.clock.defer(this.#flush);
    }
  }

  /** Its caller wants it no more. Gives whether it was sent. */
  giveUp(call: Call): boolean {
    const sent = this.#pipeline.giveUp(call);
    this.#settleIdle();
    return sent;
  }

  /** Resolves when nobody waits for an answer, or it is closed. */
  idle(): Promise<void> {
    if (this.#pipeline.wantedCalls === 0 || this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onIdle = resolve;
    });
  }

  /** Ends the connection; what has no answer fails. */
  close(error?: QueueError): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#error = error;
    const { clock } = this.#options;
    clock.clearTimeout(this.#timer);
    clock.clearTimeout(this.#connectTimer);
    this.#drop();
    for (const call of this.#pipeline.clear()) {
      const sent = call.state === 'sent';
      call.state = 'over';
      call.onFailure(
        new QueueError(error?.code ?? 'CLOSED', error?.message ?? 'the client was closed', {
          sent,
          cause: error,
        }),
      );
    }
    this.#settleIdle();
    this.onBroken?.();
    this.#onState?.({ state: 'closed', error });
  }

  #connect(attempt: number): void {
    const { address, access, settings, clock } = this.#options;
    this.#attempt = attempt;
    this.#onState?.({ state: 'connecting', address: formatAddress(address), attempt });
    // `onState` may have closed it.
    if (this.#closed) return;
    const socket = openSocket(address, access.tls);
    this.#socket = socket;
    this.#connectTimer = clock.setTimeout(
      () => this.#onEnd(socket, 'it did not answer in time'),
      settings.connectMs,
    );
    let reason = 'it ended the connection';
    socket.on(access.tls === undefined ? 'connect' : 'secureConnect', () => this.#onConnect(socket));
    socket.on('data', (chunk: Buffer) => this.#onData(socket, chunk));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      reason = error.code === undefined ? error.message : `${error.code}: ${error.message}`;
    });
    socket.on('close', () => this.#onEnd(socket, reason));
  }

  #onConnect(socket: Socket): void {
    if (socket !== this.#socket) return;
    this.#decoder = createTextReplyDecoder({ body: this.#options.settings.bodyBytes });
    const { credentials } = this.#options.access;
    if (credentials === undefined) this.#onReady();
    else {
      this.#isAsking = true;
      socket.write(loginOf(credentials), 'latin1');
    }
  }

  /** The server lets it in, or says why not. */
  #onLogin(socket: Socket, reply: Reply): void {
    this.#isAsking = false;
    if (reply.kind === 'error') {
      const refusal = refusalOf(reply);
      if (refusal.code === 'UNAUTHORIZED') {
        this.close(refusal);
        return;
      }
      // Too many of this user; whereas a server that asks nobody refuses the key, and is as good.
      if (reply.error === 'SERVER_ERROR') {
        this.#onEnd(socket, refusal.message);
        return;
      }
    }
    this.#onReady();
  }

  #onReady(): void {
    const { clock } = this.#options;
    clock.clearTimeout(this.#connectTimer);
    this.#connected = true;
    this.#everConnected = true;
    this.#connectedAt = clock.now();
    this.#onState?.({ state: 'connected' });
    this.#flush();
  }

  // hot: sends what was submitted in this turn as one write.
  readonly #flush = (): void => {
    this.#flushing = false;
    const socket = this.#socket;
    if (!this.#connected || socket === undefined) return;
    const now = this.#options.clock.now();
    for (let call = this.#pipeline.take(now); call !== undefined; call = this.#pipeline.take(now)) {
      call.write(this.#out, now);
    }
    const chunks = this.#out.take();
    if (chunks.length > 1) socket.cork();
    for (const chunk of chunks) socket.write(chunk);
    if (chunks.length > 1) socket.uncork();
    if (this.#pipeline.stuckAt < this.#timerAt) this.#arm(this.#pipeline.stuckAt);
  };

  // hot:
  #onData(socket: Socket, chunk: Buffer): void {
    const decoder = this.#decoder;
    const { clock } = this.#options;
    const now = clock.now();
    decoder.push(chunk);
    while (socket === this.#socket) {
      const reply = decoder.next();
      if (reply === undefined) break;
      if (isTurnedAway(reply)) {
        this.#onEnd(socket, 'it has too many connections', true);
        return;
      }
      if (this.#isAsking) {
        this.#onLogin(socket, reply);
        continue;
      }
      const call = this.#pipeline.oldest;
      if (call === undefined || reply.kind === 'bad') {
        this.#confused(socket, call, reply);
        return;
      }
      if (call.onReply(reply)) this.#pipeline.answered(now);
    }
    if (this.#connected && this.#pipeline.waitingCalls > 0 && !this.#flushing) {
      this.#flushing = true;
      clock.defer(this.#flush);
    }
    this.#settleIdle();
  }

  /** What comes after it can't be trusted. */
  #confused(socket: Socket, call: Call | undefined, reply: Reply): void {
    const said = reply.kind === 'line' ? reply.text : reply.kind === 'bad' ? reply.reason : reply.kind;
    const shown = said.slice(0, SHOWN);
    if (call !== undefined && call.state !== 'over') {
      this.#pipeline.giveUp(call);
      call.onFailure(new QueueError('BAD_REPLY', `the server answered ${shown}`, { sent: true }));
    }
    this.#onEnd(socket, `it does not speak memcache: ${shown}`);
  }

  #onEnd(socket: Socket, reason: string, unread = false): void {
    if (socket !== this.#socket || this.#closed) return;
    const { clock, settings, random, address } = this.#options;
    clock.clearTimeout(this.#connectTimer);
    const wasConnected = this.#connected;
    const now = clock.now();
    if (wasConnected && now - this.#connectedAt >= settings.stableMs) this.#attempt = 0;
    this.#drop();
    for (const call of this.#pipeline.lost(unread)) {
      const { state } = call;
      call.state = 'over';
      call.onFailure(
        call.afterLoss === 'never'
          ? new QueueError('NOT_OPEN', `the connection broke: ${reason}`, { sent: state === 'sent' })
          : new QueueError('OUTCOME_UNKNOWN', `the connection broke before the answer: ${reason}`, {
              sent: true,
            }),
      );
    }
    this.#settleIdle();
    if (wasConnected) this.onBroken?.();
    // A handler may have closed it.
    if (this.#closed) return;
    const attempts = this.#everConnected ? settings.reconnectAttempts : settings.connectAttempts;
    if (this.#attempt >= attempts) {
      this.close(
        new QueueError('COULD_NOT_CONNECT', `${formatAddress(address)} can't be reached: ${reason}`),
      );
      return;
    }
    const retryMs = waitBefore(this.#attempt + 1, random(), settings);
    this.#connectTimer = clock.setTimeout(() => this.#connect(this.#attempt + 1), retryMs);
    this.#onState?.({ state: 'disconnected', reason, retryMs });
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#connected = false;
    this.#isAsking = false;
    socket?.destroy();
  }

  #arm(at: number): void {
    const { clock } = this.#options;
    clock.clearTimeout(this.#timer);
    this.#timerAt = at;
    if (at === Number.POSITIVE_INFINITY) return;
    this.#timer = clock.setTimeout(
      this.#onTimer,
      Math.min(Math.max(0, Math.ceil(at - clock.now())), TIMER_MAX_MS),
    );
  }

  readonly #onTimer = (): void => {
    const now = this.#options.clock.now();
    for (const call of this.#pipeline.due(now)) {
      const sent = this.#pipeline.giveUp(call);
      const where = sent ? 'the server has not answered' : 'there is no connection to the server';
      call.onFailure(new QueueError('TIMED_OUT', `the call’s time is over: ${where}`, { sent }));
    }
    this.#settleIdle();
    if (this.#closed) return;
    if (this.#socket !== undefined && this.#pipeline.stuckAt <= now)
      this.#onEnd(this.#socket, 'it is silent');
    if (!this.#closed) this.#arm(Math.min(this.#pipeline.nextDeadlineAt(), this.#pipeline.stuckAt));
  };

  #settleIdle(): void {
    if (this.#onIdle === undefined || (this.#pipeline.wantedCalls > 0 && !this.#closed)) return;
    this.#onIdle();
    this.#onIdle = undefined;
  }
}

function openSocket(address: QueueAddress, tls: TlsOptions | undefined): Socket {
  if ('path' in address) return connect(address);
  const options = { ...address, noDelay: true, keepAlive: true };
  if (tls === undefined) return connect(options);
  const { ca, certificate, key, serverName } = tls;
  const pem = (text: string | Uint8Array) => (typeof text === 'string' ? text : Buffer.from(text));
  return connectTls({
    ...options,
    minVersion: 'TLSv1.2',
    ...(ca === undefined ? {} : { ca: pem(ca) }),
    ...(certificate === undefined ? {} : { cert: pem(certificate) }),
    ...(key === undefined ? {} : { key: pem(key) }),
    ...(serverName === undefined ? {} : { servername: serverName }),
  });
}

/** memcached's ASCII authentication. No queue has this key: a server that asks nobody refuses it, and keeps no token. */
function loginOf({ user, token }: { readonly user: string; readonly token: string }): string {
  const body = `${user} ${token}`;
  return `set login/open 0 0 ${body.length}\r\n${body}\r\n`;
}

/** Node fires at once what is further away than 2^31 - 1 ms. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/**
 * The connection under a session: made, greeted, watched, and made again when it breaks. It knows nothing of groups and
 * messages; what it is told goes to its handlers.
 */
import {
  type DaemonControl,
  decodeDaemonControl,
  decodeFrame,
  type EndCode,
  encodeClientControl,
  type NumberedRecord,
} from '@rookery/protocol/websocket';
import { nextUrl, waitBefore } from './backoff.ts';
import type { Clock } from './clock.ts';
import { BusError } from './errors.ts';
import type { ClientSettings, ConnectOptions, StateChange } from './options.ts';
import { Socket, type WebSocketConstructor } from './socket.ts';

type Welcome = Extract<DaemonControl, { kind: 'welcome' }>;
/** What is said after the greeting. */
export type Spoken = Exclude<DaemonControl, { kind: 'welcome' | 'resumed' | 'gone' | 'error' | 'pong' }>;

export interface LinkHandlers {
  /** The session to go on with; none makes a new one. */
  readonly session: () =>
    | { readonly session: string; readonly key: string; readonly received: number }
    | undefined;
  readonly onWelcome: (welcome: Welcome) => void;
  /** False if that can't be. */
  readonly onResumed: (taken: number) => boolean;
  /** What is sent from here on reaches the session. */
  readonly onReady: () => void;
  /** The session has ended. */
  readonly onLost: (reason: string) => void;
  /** False for what can't be. */
  readonly onControl: (control: Spoken, bytes: number) => boolean;
  readonly onRecords: (records: readonly NumberedRecord[]) => boolean;
  readonly onState: (change: StateChange) => void;
  /** It doesn't try again. */
  readonly onEnd: (error: BusError) => void;
}

export interface LinkOptions {
  readonly urls: readonly string[];
  readonly hello: Pick<ConnectOptions, 'name' | 'token' | 'membership'>;
  readonly settings: ClientSettings;
  readonly clock: Clock;
  readonly random: () => number;
  readonly WebSocket: WebSocketConstructor;
  readonly handlers: LinkHandlers;
}

/** Trying again would be answered in the same way, or take the session from who has it now. */
const FINAL: readonly EndCode[] = ['UNAUTHORIZED', 'BAD_NAME', 'REPLACED'];
/** Groups, or members of one, in an answer: ten times what a daemon keeps by default. The frame's own limit is what bounds memory. */
const LISTED_MAX = 1_000_000;
const ENDS_SESSION: readonly EndCode[] = ['BAD_FRAME', 'BAD_NUMBER', 'TOO_SLOW', 'STOPPING'];

export class Link {
  readonly #options: LinkOptions;
  #socket: Socket | undefined;
  /** Of the greeting, of the next attempt, or of silence: never two at once. */
  #timer: unknown;
  #greeted = false;
  #everGreeted = false;
  #over = false;
  /** Counts connections: what was begun for an earlier one has no effect. */
  #serial = 0;
  #attempt = 0;
  #url = -1;
  #brokenAt = Number.NEGATIVE_INFINITY;
  #greetedAt = 0;
  #heardAt = 0;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  /** Whether what is sent reaches the session. */
  get greeted(): boolean {
    return this.#greeted;
  }

  start(): void {
    this.#attempt = 1;
    this.#url = 0;
    void this.#connect();
  }

  send(frame: string | Uint8Array<ArrayBuffer>): void {
    this.#socket?.send(frame);
  }

  /** Drops the connection and makes another. */
  fail(reason: string): void {
    this.#drop();
    this.#retry(reason);
  }

  close(): void {
    this.#over = true;
    this.#drop();
  }

  async #connect(): Promise<void> {
    const { urls, hello, clock, settings, WebSocket, handlers } = this.#options;
    const serial = ++this.#serial;
    const url = urls[this.#url]!;
    handlers.onState({ state: 'connecting', url, attempt: this.#attempt });
    let token: string | undefined;
    try {
      token = typeof hello.token === 'function' ? await hello.token() : hello.token;
    } catch (error) {
      if (serial === this.#serial && !this.#over) this.#retry(`no token: ${String(error)}`);
      return;
    }
    // `onState` may have closed the bus, and while the token was fetched all may have changed.
    if (serial !== this.#serial || this.#over) return;
    this.#timer = clock.setTimeout(
      () => this.fail('the daemon did not answer in time'),
      settings.handshakeMs,
    );
    try {
      this.#socket = new Socket(WebSocket, url, {
        onOpen: () => this.#greet(token),
        onText: (text) => this.#onText(text, token),
        onBytes: (bytes) => this.#onBytes(bytes),
        onEnd: (reason) => this.fail(reason),
      });
    } catch (error) {
      this.#end(
        new BusError('BAD_ARGUMENT', `${url} can't be connected to: ${String(error)}`, { cause: error }),
      );
    }
  }

  #greet(token: string | undefined): void {
    const { hello, settings, handlers } = this.#options;
    const session = handlers.session();
    this.send(
      encodeClientControl(
        session === undefined
          ? {
              kind: 'hello',
              name: hello.name,
              membership: hello.membership ?? true,
              messages: 'binary',
              token,
              windowBytes: settings.readWindowBytes,
            }
          : { kind: 'resume', ...session, token },
      ),
    );
  }

  #onText(text: string, token: string | undefined): void {
    this.#heardAt = this.#options.clock.now();
    const control = decodeDaemonControl(text, { members: LISTED_MAX });
    const wrong = this.#hear(control, text.length, token);
    if (wrong !== undefined) this.#confused(wrong);
  }

  /** Gives what is wrong with it, if anything is. */
  #hear(
    control: ReturnType<typeof decodeDaemonControl>,
    bytes: number,
    token: string | undefined,
  ): string | undefined {
    const { handlers } = this.#options;
    const session = handlers.session();
    switch (control.kind) {
      case 'welcome':
        if (this.#greeted || session !== undefined) return 'it welcomed twice';
        handlers.onWelcome(control);
        this.#onGreeted(control.session, false);
        return undefined;
      case 'resumed':
        if (this.#greeted || session === undefined || !handlers.onResumed(control.taken)) {
          return 'it resumed what was not there';
        }
        this.#onGreeted(session.session, true);
        return undefined;
      case 'gone':
        if (this.#greeted || session === undefined) return 'nothing was gone';
        handlers.onLost(control.reason);
        this.#greet(token);
        return undefined;
      case 'error':
        this.#onError(control.code, control.message);
        return undefined;
      case 'pong':
        return undefined;
      case 'bad':
        return control.message;
      default:
        if (this.#greeted && handlers.onControl(control, bytes)) return undefined;
        return `it said ${control.kind} out of place`;
    }
  }

  // hot: once per frame.
  #onBytes(bytes: Uint8Array): void {
    this.#heardAt = this.#options.clock.now();
    const records = decodeFrame(bytes, 'daemon', { groups: 255, messageBytes: bytes.length });
    if (!Array.isArray(records)) this.#confused(records.message);
    else if (!this.#greeted || !this.#options.handlers.onRecords(records)) {
      this.#confused('it numbered wrongly, or sent beyond the window');
    }
  }

  #onGreeted(session: string, resumed: boolean): void {
    const { clock, handlers } = this.#options;
    clock.clearTimeout(this.#timer);
    this.#greeted = true;
    this.#everGreeted = true;
    this.#greetedAt = clock.now();
    this.#watch();
    handlers.onReady();
    handlers.onState({ state: 'connected', session, resumed });
  }

  #onError(code: EndCode, message: string): void {
    const error = new BusError(code, message);
    if (FINAL.includes(code) || (code === 'NAME_TAKEN' && !this.#everGreeted)) {
      this.#end(error);
      return;
    }
    if (ENDS_SESSION.includes(code) && this.#options.handlers.session() !== undefined) {
      this.#options.handlers.onLost(`${code}: ${message}`);
    }
    this.fail(`${code}: ${message}`);
  }

  /** The daemon doesn't keep the protocol: what the session has seen is worth nothing any more. */
  #confused(what: string): void {
    const { handlers } = this.#options;
    const reason = `the daemon does not keep the protocol: ${what}`;
    if (handlers.session() !== undefined) handlers.onLost(reason);
    // So that its name is free for the next one.
    if (this.#greeted) this.send(encodeClientControl({ kind: 'bye' }));
    this.fail(reason);
  }

  /** After silence the daemon is asked; without an answer the connection is of no use, whatever TCP thinks. */
  #watch(): void {
    const { clock, settings } = this.#options;
    const silentMs = clock.now() - this.#heardAt;
    if (silentMs < settings.silenceMs) {
      this.#timer = clock.setTimeout(() => this.#watch(), settings.silenceMs - silentMs);
      return;
    }
    const askedAt = clock.now();
    this.send(encodeClientControl({ kind: 'ping', id: 0 }));
    this.#timer = clock.setTimeout(() => {
      if (this.#heardAt < askedAt) this.fail('the daemon is silent');
      else this.#watch();
    }, settings.answerMs);
  }

  #drop(): void {
    const { clock } = this.#options;
    this.#serial++;
    clock.clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = undefined;
    if (this.#greeted) {
      this.#brokenAt = clock.now();
      if (clock.now() - this.#greetedAt >= this.#options.settings.stableMs) this.#attempt = 0;
    }
    this.#greeted = false;
    socket?.drop();
  }

  #retry(reason: string): void {
    if (this.#over) return;
    const { urls, settings, clock, random, handlers } = this.#options;
    const most = this.#everGreeted ? settings.reconnectAttempts : settings.connectAttempts || urls.length;
    if (this.#attempt >= most) {
      this.#end(new BusError('COULD_NOT_CONNECT', `no daemon after ${this.#attempt} attempts: ${reason}`));
      return;
    }
    this.#attempt++;
    const brokenForMs =
      handlers.session() === undefined ? Number.POSITIVE_INFINITY : clock.now() - this.#brokenAt;
    this.#url = nextUrl(this.#url, urls.length, brokenForMs, settings.sameDaemonMs);
    this.#timer = clock.setTimeout(() => void this.#connect(), waitBefore(this.#attempt, random(), settings));
  }

  #end(error: BusError): void {
    this.close();
    this.#options.handlers.onEnd(error);
  }
}

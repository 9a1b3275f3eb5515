/** One WebSocket connection: what it says, until it is dropped or ends, and nothing afterwards. */

/** The part of the standard's WebSocket that is used; the npm package `ws` has it too. */
export interface WebSocketLike {
  binaryType: string;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
}

export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike;

const SUBPROTOCOL = 'rookery-bus.v1';

export interface SocketEvents {
  readonly onOpen: () => void;
  readonly onText: (text: string) => void;
  readonly onBytes: (bytes: Uint8Array) => void;
  /** Once, and last. Not told after `drop`. */
  readonly onEnd: (reason: string) => void;
}

export class Socket {
  readonly #socket: WebSocketLike;
  readonly #events: SocketEvents;
  #over = false;

  /** Throws what the constructor throws: a URL that is none. */
  constructor(WebSocket: WebSocketConstructor, url: string, events: SocketEvents) {
    this.#events = events;
    this.#socket = new WebSocket(url, [SUBPROTOCOL]);
    // The standard's default; that of `ws` gives what came where it lies, without a copy.
    if (this.#socket.binaryType === 'blob') this.#socket.binaryType = 'arraybuffer';
    this.#socket.onopen = () => {
      if (!this.#over) events.onOpen();
    };
    this.#socket.onmessage = (event: { readonly data: unknown }) => this.#read(event.data);
    this.#socket.onclose = (event: { readonly code?: number; readonly reason?: string }) => {
      this.#end(`the connection was closed (${event.code ?? 1006}${event.reason ? ` ${event.reason}` : ''})`);
    };
    // A close follows; without a listener some implementations throw.
    this.#socket.onerror = () => undefined;
  }

  send(frame: string | Uint8Array<ArrayBuffer>): void {
    if (!this.#over) this.#socket.send(frame);
  }

  /** Ends the connection; nothing is told any more. What was sent still goes out if the network takes it. */
  drop(): void {
    this.#over = true;
    this.#socket.close();
  }

  #read(data: unknown): void {
    if (this.#over) return;
    if (typeof data === 'string') this.#events.onText(data);
    else this.#events.onBytes(data instanceof ArrayBuffer ? new Uint8Array(data) : (data as Uint8Array));
  }

  #end(reason: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#events.onEnd(reason);
  }
}

/** WebSockets without a network: frames take simulated time, and connections break where a test wants them to. */
import type { Random, SimulatedClock } from '@rookery/testkit';
import type { WebSocketConstructor, WebSocketLike } from '../../src/client/index.ts';
import type { FakeDaemon, Peer } from './fake-daemon.ts';

export interface MemoryNetworkOptions {
  readonly clock: SimulatedClock;
  readonly random: Random;
  readonly daemons: Readonly<Record<string, FakeDaemon>>;
}

interface Connection {
  cut(): void;
}

export class MemoryNetwork {
  readonly #options: MemoryNetworkOptions;
  readonly #open = new Set<Connection>();
  /** The chance that a frame, of whichever side, breaks its connection and is lost with all behind it. */
  cutChance = 0;
  /** A connection that breaks is told to its client; otherwise it is just silent. */
  toldChance = 1;
  /** Daemons that can't be reached. */
  readonly down = new Set<string>();
  frames = 0;
  cuts = 0;
  readonly WebSocket: WebSocketConstructor;

  constructor(options: MemoryNetworkOptions) {
    this.#options = options;
    const connect = (url: string): WebSocketLike => this.#connect(url);
    this.WebSocket = function MemoryWebSocket(url: string) {
      return connect(url);
    } as unknown as WebSocketConstructor;
  }

  get connections(): number {
    return this.#open.size;
  }

  cutAll(): void {
    for (const connection of [...this.#open]) connection.cut();
  }

  #connect(url: string): WebSocketLike {
    const { clock, random, daemons } = this.#options;
    const delays = random.fork('delays');
    const daemon = daemons[url];
    let up = true;
    let busyUntilMs = 0;
    let server: ReturnType<FakeDaemon['accept']> | undefined;
    const call = (listener: ((event: never) => void) | null, event: unknown): void =>
      listener?.(event as never);
    /** In order within this connection, both directions in one: simple, and no less surprising. */
    const later = (act: () => void): void => {
      busyUntilMs = Math.max(busyUntilMs + 0.01, clock.elapsedMs + delays.float() * 5);
      clock.schedule(() => {
        if (up) act();
      }, busyUntilMs - clock.elapsedMs);
    };
    const frame = (act: () => void): void => {
      this.frames++;
      if (delays.chance(this.cutChance)) later(() => connection.cut());
      else later(act);
    };
    const closed = (): void => {
      up = false;
      this.#open.delete(connection);
    };
    const socket: WebSocketLike = {
      binaryType: 'blob',
      onopen: null,
      onmessage: null,
      onclose: null,
      onerror: null,
      send: (data) => {
        const sent = typeof data === 'string' ? data : data.slice();
        if (up) frame(() => server?.onFrame(sent));
      },
      close: () => {
        // What was sent before still arrives.
        later(() => {
          closed();
          server?.onClose();
        });
      },
    };
    const connection: Connection = {
      cut: () => {
        this.cuts++;
        closed();
        server?.onClose();
        if (delays.chance(this.toldChance)) {
          clock.schedule(() => call(socket.onclose, { code: 1006 }), delays.float() * 5);
        }
      },
    };
    const peer: Peer = {
      send: (data) => {
        const sent = typeof data === 'string' ? data : data.slice().buffer;
        if (up) frame(() => call(socket.onmessage, { data: sent }));
      },
      close: (code) => {
        later(() => {
          closed();
          call(socket.onclose, { code });
        });
      },
    };
    this.#open.add(connection);
    later(() => {
      if (daemon === undefined || this.down.has(url)) {
        closed();
        call(socket.onerror, {});
        call(socket.onclose, { code: 1006 });
        return;
      }
      server = daemon.accept(peer);
      call(socket.onopen, {});
    });
    return socket;
  }
}

/** A client of the WebSocket protocol for tests: every frame is the test's own. */
import type { IncomingMessage } from 'node:http';
import {
  type DaemonControl,
  decodeDaemonControl,
  decodeFrame,
  encodeRecord,
  frameOf,
  type MessageRecord,
} from '@rookery/protocol/websocket';
import { type ClientOptions, WebSocket } from 'ws';
import { Inbox } from './inbox.ts';

export type Welcome = Extract<DaemonControl, { kind: 'welcome' }>;
export type Message = Extract<DaemonControl, { kind: 'message' }> & { readonly text: string };
export type Said = Exclude<DaemonControl, { kind: 'message' }> | Message;
export type SaidKind = Said['kind'];

export interface WebSocketOptions {
  readonly name?: string;
  readonly membership?: boolean;
  readonly messages?: 'binary' | 'json';
  readonly token?: string;
  readonly windowBytes?: number;
  /** Acknowledge each delivery as it comes. Default true. */
  readonly acknowledges?: boolean;
  /** Of the upgrade. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly ws?: ClientOptions;
}

export interface WebSocketClient {
  readonly ws: WebSocket;
  readonly inbox: Inbox<Said>;
  readonly welcome: Welcome;
  readonly session: string;
  /** Number of the last delivery that came. */
  readonly received: number;
  /** Number of the last request that was confirmed. */
  readonly confirmed: number;
  /** Code and reason of the close, once it is closed. */
  readonly closed: Promise<number>;
  /** A text frame. */
  say(control: object): void;
  /** A join, a leave or a message in text, with the next number. */
  ask(request: { readonly type: string; readonly [field: string]: unknown }): number;
  /** A binary frame of messages, with the next numbers. */
  send(groups: string | readonly string[], data: string | Uint8Array, more?: Partial<MessageRecord>): number;
  next(): Promise<Said>;
  /** The next of a kind, whatever stands before it. */
  find<K extends SaidKind>(kind: K, withinMs?: number): Promise<Extract<Said, { kind: K }>>;
  text(): Promise<string>;
  texts(count: number): Promise<string[]>;
  /** Joins, and waits until it has come round. */
  enter(group: string): Promise<void>;
  /** Cuts the connection without a close. */
  cut(): void;
  /** Takes up the session of another connection. */
  goOn(from: WebSocketClient, received: number): void;
  readonly asked: number;
}

/** An open connection that has said nothing. */
export async function openWebSocket(url: string, options: WebSocketOptions = {}): Promise<WebSocketClient> {
  const { acknowledges = true } = options;
  const ws = new WebSocket(url, 'rookery-bus.v1', {
    perMessageDeflate: false,
    ...options.ws,
    ...(options.headers === undefined ? {} : { headers: { ...options.headers } }),
  });
  const inbox = new Inbox<Said>();
  const { promise: closed, resolve: tellClosed } = Promise.withResolvers<number>();
  let welcome: Welcome | undefined;
  let received = 0;
  let confirmed = 0;
  let asked = 0;
  ws.on('message', (data, isBinary) => {
    for (const said of decode(data as Buffer, isBinary)) {
      if (said.kind === 'welcome') welcome = said;
      if (said.kind === 'confirmed') confirmed = said.n;
      if ('d' in said) {
        received = said.d;
        if (acknowledges) ws.send(JSON.stringify({ type: 'ack', received }));
      }
      inbox.push(said);
    }
  });
  ws.on('close', (code, reason) => {
    inbox.end(`closed with ${code} ${reason}`);
    tellClosed(code);
  });
  await new Promise<void>((resolve, reject) => {
    ws.once('open', resolve);
    ws.once('error', reject);
  });
  ws.on('error', () => undefined);

  async function find<K extends SaidKind>(kind: K, withinMs?: number): Promise<Extract<Said, { kind: K }>> {
    const found = await inbox.until((said) => said.kind === kind, withinMs);
    return found.at(-1) as Extract<Said, { kind: K }>;
  }
  const client: WebSocketClient = {
    ws,
    inbox,
    get welcome() {
      if (welcome === undefined) throw new Error('not welcomed yet');
      return welcome;
    },
    get session() {
      return client.welcome.session;
    },
    get received() {
      return received;
    },
    get confirmed() {
      return confirmed;
    },
    get asked() {
      return asked;
    },
    closed,
    say: (control) => ws.send(JSON.stringify(control)),
    ask({ type, ...fields }) {
      asked++;
      client.say({ type, n: asked, ...fields });
      return asked;
    },
    send(groups, data, more) {
      asked++;
      const record = encodeRecord({
        sender: '',
        groups: typeof groups === 'string' ? [groups] : groups,
        service: 'agreed',
        messageType: 0,
        key: '',
        selfDiscard: false,
        bigEndian: false,
        data: typeof data === 'string' ? Buffer.from(data) : data,
        ...more,
      });
      ws.send(frameOf(asked, [record]));
      return asked;
    },
    next: () => inbox.next(),
    find,
    async text() {
      return (await find('message')).text;
    },
    async texts(count) {
      const texts: string[] = [];
      while (texts.length < count) texts.push(await client.text());
      return texts;
    },
    async enter(group) {
      const n = client.ask({ type: 'join', group });
      await inbox.until((said) => said.kind === 'confirmed' && said.n >= n);
    },
    cut: () => ws.terminate(),
    goOn(from, last) {
      received = last;
      asked = from.asked;
      welcome = from.welcome;
    },
  };
  return client;
}

/** A connection that has said hello and been welcomed. */
export async function connectWebSocket(
  url: string,
  options: WebSocketOptions = {},
): Promise<WebSocketClient> {
  const client = await openWebSocket(url, options);
  const { name, membership, messages, token, windowBytes: window_bytes } = options;
  client.say({ type: 'hello', name, membership, messages, token, window_bytes });
  const first = await client.next();
  if (first.kind !== 'welcome') throw new Error(`not welcome: ${JSON.stringify(first)}`);
  return client;
}

/** The status that an upgrade was answered with; 101 if it went through. */
export function upgradeStatus(
  url: string,
  headers: Readonly<Record<string, string>> = {},
  options: ClientOptions = {},
): Promise<number> {
  const ws = new WebSocket(url, 'rookery-bus.v1', { ...options, headers: { ...headers } });
  return new Promise((resolve, reject) => {
    ws.on('unexpected-response', (_request, response: IncomingMessage) => {
      resolve(response.statusCode!);
      response.destroy();
    });
    ws.on('open', () => {
      ws.terminate();
      resolve(101);
    });
    ws.on('error', reject);
  });
}

function decode(data: Buffer, isBinary: boolean): Said[] {
  if (!isBinary) {
    const control = decodeDaemonControl(data.toString());
    if (control.kind === 'bad') throw new Error(`not a daemon's words: ${control.message} ${data}`);
    return control.kind === 'message' ? [withText(control)] : [control];
  }
  const records = decodeFrame(data, 'daemon');
  if (!Array.isArray(records)) throw new Error(`not a daemon's frame: ${records.message}`);
  return records.map(({ number, bigEndian: _, selfDiscard: __, ...message }) =>
    withText({ kind: 'message', d: number, ...message }),
  );
}

function withText(message: Extract<DaemonControl, { kind: 'message' }>): Message {
  return { ...message, text: Buffer.from(message.data).toString() };
}

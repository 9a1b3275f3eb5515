/** A client of Spread's protocol for tests: thin, so that a test sees what the daemon says and when. */
import { connect, type NetConnectOpts, type Socket } from 'node:net';
import {
  type ByteOrder,
  createClientDecoder,
  type DaemonInput,
  Output,
  type Service,
  type Version,
  writeAuthenticate,
  writeConnect,
  writeDisconnect,
  writeJoin,
  writeLeave,
  writeMulticast,
} from '@rookery/protocol/spread';
import { Inbox } from './inbox.ts';

/** A daemon's words with a message's data as text. */
export type Heard = DaemonInput & { readonly text?: string };

export interface SpreadOptions {
  readonly name?: string;
  /** Default true. */
  readonly membership?: boolean;
  readonly version?: Version;
  readonly order?: ByteOrder;
  /** Bytes that the decoder takes; default the protocol's. */
  readonly dataLimit?: number;
}

export interface Sending {
  readonly service?: Service;
  readonly messageType?: number;
  readonly selfDiscard?: boolean;
}

export interface SpreadClient {
  /** `#name#daemon`. */
  readonly session: string;
  readonly inbox: Inbox<Heard>;
  readonly socket: Socket;
  join(group: string): void;
  leave(group: string): void;
  /** False: the socket's buffer is full. */
  send(groups: string | readonly string[], data: string | Buffer, sending?: Sending): boolean;
  goodbye(): void;
  raw(bytes: Uint8Array): boolean;
  /** The next message's text, whatever stands before it. */
  text(): Promise<string>;
  /** The texts of so many messages. */
  texts(count: number): Promise<string[]>;
  /** Joins, and waits for the view that shows it. */
  enter(group: string): Promise<void>;
  destroy(): void;
}

export type Where = { readonly port: number; readonly host?: string } | { readonly path: string };

export async function connectSpread(where: Where, options: SpreadOptions = {}): Promise<SpreadClient> {
  const { client, accepted } = beginSpread(where, options);
  const answer = await accepted;
  if (answer.kind !== 'accepted') {
    client.destroy();
    throw new Error(`refused: ${JSON.stringify(answer)}`);
  }
  return client;
}

/** The handshake, whatever its end. */
export function beginSpread(
  where: Where,
  { name = '', membership = true, version, order = 'little', dataLimit }: SpreadOptions = {},
): { client: SpreadClient; accepted: Promise<DaemonInput> } {
  const inbox = new Inbox<Heard>();
  const out = new Output();
  const decoder = createClientDecoder(dataLimit === undefined ? {} : { data: dataLimit }, version);
  const socket = connect({ ...where, noDelay: true } as NetConnectOpts);
  const { promise: accepted, resolve: settle, reject } = Promise.withResolvers<DaemonInput>();
  let session = '';

  function flush(): boolean {
    let room = true;
    for (const chunk of out.take()) room = socket.write(chunk);
    return room;
  }

  socket.on('connect', () => {
    writeConnect(out, { name, membership, ...(version === undefined ? {} : { version }) });
    flush();
  });
  socket.on('data', (chunk: Buffer) => {
    decoder.push(chunk);
    for (let input = decoder.next(); input !== undefined; input = decoder.next()) {
      if (input.kind === 'methods') {
        writeAuthenticate(out, ['NULL']);
        flush();
      } else if (input.kind === 'accepted') {
        session = input.privateGroup;
        settle(input);
      } else if (session === '') settle(input);
      else if (input.kind === 'message') {
        inbox.push({ ...input, text: input.buffer.toString('latin1', input.start, input.end) });
      } else inbox.push(input);
    }
  });
  const ended = (why: string) => {
    inbox.end(why);
    reject(new Error(why));
  };
  accepted.catch(() => undefined);
  socket.on('error', (error) => ended(error.message));
  socket.on('end', () => ended('the daemon closed'));
  socket.on('close', () => ended('closed'));

  async function text(): Promise<string> {
    const found = (await inbox.until(({ kind }) => kind === 'message')).at(-1)!;
    return found.text!;
  }

  const client: SpreadClient = {
    get session() {
      return session;
    },
    inbox,
    socket,
    join(group) {
      writeJoin(out, session, group, order);
      flush();
    },
    leave(group) {
      writeLeave(out, session, group, order);
      flush();
    },
    send(groups, data, { service = 'agreed', messageType = 0, selfDiscard = false } = {}) {
      const buffer = typeof data === 'string' ? Buffer.from(data, 'latin1') : data;
      const to = typeof groups === 'string' ? [groups] : groups;
      const sending = { service, selfDiscard, groups: to, messageType, buffer, start: 0, end: buffer.length };
      writeMulticast(out, session, sending, order);
      return flush();
    },
    goodbye() {
      writeDisconnect(out, session, order);
      flush();
    },
    raw: (bytes) => socket.write(bytes),
    text,
    async texts(count) {
      const found: string[] = [];
      while (found.length < count) found.push(await text());
      return found;
    },
    async enter(group) {
      client.join(group);
      await inbox.until(
        (heard) => heard.kind === 'membership' && heard.group === group && heard.members.includes(session),
      );
    },
    destroy: () => socket.destroy(),
  };
  return { client, accepted };
}

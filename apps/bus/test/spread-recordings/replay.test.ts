/** What real clients of Spread's protocol sent, sent again: how it was recorded, see record.ts. */
import { readdirSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { createClientDecoder } from '@rookery/protocol/spread';
import { Random } from '@rookery/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import { startInProcess } from '../in-process.ts';
import { Inbox } from '../inbox.ts';
import { type Line, meaningOf, parseRecording } from './recording.ts';

const seed = Number(process.env.ROOKERY_TEST_SEED ?? Math.floor(Math.random() * 2 ** 32));
const recordings = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.txt'));

/** The lengths of the next fragments of `left` bytes. */
const CUTS: readonly (readonly [string, (left: number, random: Random) => number])[] = [
  ['as they were sent', (left) => left],
  ['byte by byte', () => 1],
  [
    `in random fragments (ROOKERY_TEST_SEED=${seed})`,
    (left, random) => 1 + random.below(Math.min(left, 120)),
  ],
];

interface Replayed {
  readonly socket: Socket;
  readonly inbox: Inbox<unknown>;
}

const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});

function open(port: number, [major, minor, patch]: Buffer): Replayed {
  const inbox = new Inbox<unknown>();
  const decoder = createClientDecoder({}, { major: major!, minor: minor!, patch: patch! });
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  sockets.push(socket);
  socket.on('data', (bytes: Buffer) => {
    decoder.push(bytes);
    for (let input = decoder.next(); input !== undefined; input = decoder.next())
      inbox.push(meaningOf(input));
  });
  socket.on('error', (error) => inbox.end(error.message));
  socket.on('close', () => inbox.end('closed'));
  return { socket, inbox };
}

async function replay(lines: readonly Line[], port: number, next: (left: number) => number): Promise<void> {
  const connections = new Map<number, Replayed>();
  for (const line of lines) {
    if (line.kind === 'sent' && !connections.has(line.connection)) {
      connections.set(line.connection, open(port, line.bytes));
    }
    const { socket, inbox } = connections.get(line.connection)!;
    if (line.kind === 'sent') {
      for (let at = 0; at < line.bytes.length; ) {
        const end = at + next(line.bytes.length - at);
        socket.write(line.bytes.subarray(at, end));
        at = end;
        await turn();
      }
    } else if (line.kind === 'told') expect(await inbox.next()).toEqual(line.meaning);
    else {
      socket.end();
      await expect(inbox.next()).rejects.toThrow('nothing more comes: closed');
    }
  }
  for (const { inbox } of connections.values()) expect(inbox.size).toBe(0);
}

describe.each(recordings)('%s', (name) => {
  const lines = parseRecording(readFileSync(`${import.meta.dirname}/${name}`, 'utf8'));

  it.each(CUTS)('hears what it heard, its bytes sent %s', async (_, next) => {
    const bus = await startInProcess({ name: 'h1' });
    const random = new Random(seed, name);
    await replay(lines, bus.port, (left) => next(left, random));
  });
});

import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { waitFor as waitForAtMost } from '@rookery/testkit';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { DirectOutput, directOutput } from '../../src/connection/direct-output.ts';

const waitFor = (condition: () => boolean): Promise<boolean> =>
  waitForAtMost(condition, { what: condition.toString() });

/** More than the kernel takes of who isn't read. */
const much = 16 * 1024 * 1024;

let open: typeof directOutput;
let listening: Server;
let client: Socket;
let accepted: Socket;
let drained: number;

beforeEach(async () => {
  // It learns once for a process.
  vi.resetModules();
  open = (await import('../../src/connection/direct-output.ts')).directOutput;
  drained = 0;
  listening = createServer({ allowHalfOpen: true });
  const arrived = new Promise<Socket>((resolve) => listening.once('connection', resolve));
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  client = connect((listening.address() as AddressInfo).port, '127.0.0.1');
  client.on('error', () => undefined);
  accepted = await arrived;
  accepted.on('error', () => undefined);
});

afterEach(async () => {
  client.destroy();
  accepted.destroy();
  await new Promise((resolve) => listening.close(resolve));
});

function direct(): DirectOutput {
  const output = open(accepted, () => {
    drained += 1;
  })!;
  expect(output.isOpen).toBe(false);
  accepted.write(Buffer.from('first '));
  return output;
}

/** What the client gets, all of it, once it reads. */
async function read(bytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  client.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    length += chunk.length;
  });
  client.resume();
  await waitFor(() => length >= bytes);
  return Buffer.concat(chunks);
}

describe.runIf(Number(process.versions.node.split('.')[0]) >= 26)('a Node that writes in this way', () => {
  test('what is written comes, behind what the socket wrote and before what it writes then', async () => {
    const output = direct();
    expect(output.isOpen).toBe(true);
    output.write(Buffer.from('second '));
    accepted.write('third ');
    expect(output.isOpen).toBe(true);
    output.write(Buffer.from('fourth'));
    expect(output.waitingBytes).toBe(0);
    expect((await read(25)).toString()).toBe('first second third fourth');
  });

  test('what the kernel does not take waits, is counted, and comes when the client reads', async () => {
    client.pause();
    const output = direct();
    const body = Buffer.alloc(much, 'abcdefg');
    output.write(body);
    expect(output.waitingBytes).toBe(much);
    // Behind it, by either way.
    expect(output.isOpen).toBe(true);
    output.write(Buffer.from('!'));
    accepted.write('?');
    // The socket has something of its own.
    expect(output.isOpen).toBe(false);
    expect(drained).toBe(0);
    const received = await read('first '.length + much + 2);
    expect(received.equals(Buffer.concat([Buffer.from('first '), body, Buffer.from('!?')]))).toBe(true);
    await waitFor(() => drained === 2);
    expect(output.waitingBytes).toBe(0);
  });

  test('a socket that ends takes it along', async () => {
    client.pause();
    const output = direct();
    output.write(Buffer.alloc(much, 'x'));
    accepted.end();
    let ended = false;
    client.on('end', () => {
      ended = true;
    });
    expect((await read('first '.length + much)).length).toBe('first '.length + much);
    await waitFor(() => ended);
  });

  test('who hangs up while it waits ends the socket, and nothing is told to have drained', async () => {
    client.pause();
    const output = direct();
    output.write(Buffer.alloc(much));
    client.resetAndDestroy();
    await waitFor(() => accepted.destroyed && output.waitingBytes === 0);
    expect(drained).toBe(0);
    expect(output.isOpen).toBe(false);
  });

  test('a socket that is cut off while it waits lets go of it', async () => {
    client.pause();
    const output = direct();
    output.write(Buffer.alloc(much));
    accepted.destroy();
    await waitFor(() => output.waitingBytes === 0);
    expect(drained).toBe(0);
    expect(output.isOpen).toBe(false);
  });

  test('a write that is refused at once ends the socket', async () => {
    const output = direct();
    client.resetAndDestroy();
    await waitFor(() => {
      if (output.isOpen) output.write(Buffer.from('x'));
      return accepted.destroyed;
    });
  });
});

test('a Node that passes a request with each write is left alone', () => {
  const written: unknown[] = [];
  class OldHandle {
    readonly writeQueueSize = 0;
    writeBuffer(request: unknown): number {
      written.push(request);
      return 0;
    }
  }
  const handle = new OldHandle();
  const socket = { _handle: handle, writableLength: 0, destroyed: false } as unknown as Socket;
  const output = open(socket, () => undefined)!;
  const request = {};
  handle.writeBuffer(request);
  expect(output.isOpen).toBe(false);
  expect(written).toEqual([request]);
  expect(open(socket, () => undefined)).toBeUndefined();
});

test('a socket without a handle, or with one that writes otherwise, has none', () => {
  expect(open({ _handle: null } as unknown as Socket, () => undefined)).toBeUndefined();
  expect(open({ _handle: {} } as unknown as Socket, () => undefined)).toBeUndefined();
});

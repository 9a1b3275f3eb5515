/**
 * Whatever comes to the UDP ports of three daemons: random, altered and repeated datagrams, made from real ones of the
 * same ring. With a secret nobody notices. Without one whoever reaches the port can forge everything, so that only
 * this is asked: the daemons live, and are one ring again when it is over.
 * `ROOKERY_TEST_FUZZ_RUNS` sets how many datagrams, `ROOKERY_TEST_SEED` replays a failure.
 */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createLogger } from '@rookery/service';
import { Random, temporaryFolder, waitFor } from '@rookery/testkit';
import { expect, it } from 'vitest';
import { createTransport } from '../../src/transport/transport.ts';
import { type DaemonProcess, startRing } from '../daemon-process.ts';
import { startCalmPair } from './calm-pair.ts';
import { mutated } from './mutate.ts';
import { RUNS, SEED, TIMEOUT_MS } from './runs.ts';
import { PATIENCE, weather } from './storm.ts';

const HEADER_BYTES = 28;
const SECRET = Buffer.from('a secret of the test, long enough');
const random = new Random(SEED);

async function bound(): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
}

/** Real datagrams of a daemon to a friend that is in no ring, taken down on the way between them. */
async function recorded(port: number, secret: Buffer | undefined): Promise<Buffer[]> {
  const relay = await bound();
  const datagrams: Buffer[] = [];
  const friend = createTransport({
    id: 99,
    name: 'friend',
    address: { host: '127.0.0.1', port: 0 },
    peers: [{ host: '127.0.0.1', port: relay.address().port }],
    secret,
    encrypt: false,
    allowUnauthenticated: false,
    receiveBufferBytes: 212_992,
    sendBufferBytes: 212_992,
    log: createLogger({ name: 'test', level: 'silent' }),
    onDatagram: () => undefined,
    onConflict: () => undefined,
  });
  await friend.start();
  relay.on('message', (datagram, from) => {
    datagrams.push(datagram);
    relay.send(datagram, from.port === port ? friend.address!.port : port, '127.0.0.1');
  });
  await waitFor(() => datagrams.length >= 500, { what: 'datagrams to be recorded', withinMs: 20_000 });
  await friend.stop();
  relay.close();
  return datagrams;
}

/** Waits until nothing lies in the sockets of these ports. */
async function untilRead(ports: readonly number[]): Promise<void> {
  const suffixes = ports.map((port) => `:${port.toString(16).toUpperCase().padStart(4, '0')}`);
  await waitFor(
    async () => {
      const lines = (await readFile('/proc/net/udp', 'utf8'))
        .split('\n')
        .map((line) => line.trim().split(/\s+/));
      return lines.every(
        ([, local, , , queues]) =>
          !suffixes.some((suffix) => local?.endsWith(suffix)) || queues!.endsWith(':00000000'),
      );
    },
    { what: 'datagrams to be read', everyMs: 1, withinMs: 30_000 },
  );
}

async function storm(ports: readonly number[], datagrams: readonly Buffer[]): Promise<void> {
  const sockets = await Promise.all(Array.from({ length: 8 }, bound));
  for (const socket of sockets) socket.on('error', () => undefined);
  const under: Promise<void>[] = [];
  for (let run = 0; run < RUNS; run++) {
    const good = random.pick(datagrams);
    let datagram: Buffer;
    switch (random.weighted({ noise: 1, headed: 1, mutated: 6, repeated: 2 })) {
      case 'noise':
        datagram = random.bytes(random.between(0, 1500));
        break;
      case 'headed':
        datagram = Buffer.concat([good.subarray(0, HEADER_BYTES), random.bytes(random.below(1400))]);
        break;
      case 'mutated':
        datagram = mutated(good, random, random.pick([HEADER_BYTES, 100]));
        break;
      case 'repeated':
        datagram = good;
        break;
    }
    if (datagram.length > 60_000) continue;
    const socket = random.pick(sockets);
    const port = random.pick(ports);
    under.push(new Promise((sent) => socket.send(datagram, port, '127.0.0.1', () => sent())));
    // No faster than they are read: what a full socket drops tests nothing.
    if (under.length < 150) continue;
    await Promise.all(under.splice(0));
    await untilRead(ports);
  }
  await Promise.all(under);
  for (const socket of sockets) socket.close();
}

/** Whether two clients hear each other and no view changes meanwhile. */
async function talks(one: DaemonProcess, two: DaemonProcess): Promise<boolean> {
  try {
    const pair = await startCalmPair(one, two);
    return (await pair.stop()).messages > 0;
  } catch {
    return false;
  }
}

it(
  `${RUNS} datagrams on the ring's ports disturb nobody where there is a secret (ROOKERY_TEST_SEED=${SEED})`,
  async () => {
    await using folder = await temporaryFolder();
    const secretFile = join(folder.path, 'secret');
    await writeFile(secretFile, SECRET);
    const report = await weather(['--secret-file', secretFile], async (target, ring) => {
      const datagrams = await recorded(target.ringPort!, SECRET);
      await storm(
        ring.map(({ ringPort }) => ringPort!),
        datagrams,
      );
    });
    expect(Object.keys(report.refused)).toEqual(expect.arrayContaining(['bad_seal', 'malformed']));
  },
  TIMEOUT_MS,
);

it(
  `${RUNS} datagrams on the ring's ports end no daemon where there is no secret, and all are one ring afterwards (ROOKERY_TEST_SEED=${SEED})`,
  async () => {
    const ring = await startRing(3, { flags: PATIENCE });
    try {
      const pair = await startCalmPair(ring[0]!, ring[1]!);
      const datagrams = await recorded(ring[0]!.ringPort!, undefined);
      await pair.stop();
      await storm(
        ring.map(({ ringPort }) => ringPort!),
        datagrams,
      );
      for (const daemon of ring) {
        expect(daemon.process.exit, daemon.process.output.slice(-5000)).toBeUndefined();
      }
      await waitFor(async () => (await talks(ring[0]!, ring[1]!)) && (await talks(ring[1]!, ring[2]!)), {
        what: 'clients at all daemons to hear each other',
        withinMs: 40_000,
      });
    } finally {
      await Promise.all(ring.map((daemon) => daemon[Symbol.asyncDispose]()));
    }
  },
  TIMEOUT_MS,
);

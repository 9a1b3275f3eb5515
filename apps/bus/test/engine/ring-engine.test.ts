import { setTimeout as delay } from 'node:timers/promises';
import { createLogger } from '@rookery/service';
import { freeUdpPort, waitFor } from '@rookery/testkit';
import { expect, it } from 'vitest';
import { createRingEngine, type RingEngine, type RingTransport } from '../../src/engine/ring-engine.ts';
import { createTransport, type Transport } from '../../src/transport/transport.ts';
import { compliance, type EngineUnderTest } from './compliance.ts';

const MESSAGE_BYTES = 256 * 1024;

/** Ring engines over UDP on the loopback; one has no transport at all. */
compliance(
  async (count) => {
    const ports: number[] = [];
    while (ports.length < count) ports.push(await freeUdpPort());
    return ports.map((port, index) =>
      count === 1 ? engineOf(1, undefined) : overUdp(index + 1, port, ports),
    );
  },
  [1, 2, 3],
);

function engineOf(id: number, transport: Transport | undefined): EngineUnderTest & { engine: RingEngine } {
  let stored = 0;
  const engine = createRingEngine({
    id,
    settings: {
      messageBytes: MESSAGE_BYTES,
      queueBytes: 4 * MESSAGE_BYTES,
      datagramBytes: 1452 - (transport?.overheadBytes ?? 0),
    },
    storedSequence: async () => stored,
    storeSequence: async (sequence) => {
      stored = sequence;
    },
    transport,
    onFailure: (error) => {
      throw error;
    },
  });
  return { engine, kill: async () => transport?.stop() };
}

function overUdp(id: number, port: number, ports: readonly number[]): EngineUnderTest {
  const made: { current: RingEngine | undefined } = { current: undefined };
  const transport = createTransport({
    id,
    name: `d${id}`,
    address: { host: '127.0.0.1', port },
    peers: ports.map((peer) => ({ host: '127.0.0.1', port: peer })),
    secret: Buffer.from('a secret of the test, long enough'),
    encrypt: false,
    allowUnauthenticated: false,
    receiveBufferBytes: 212_992,
    sendBufferBytes: 212_992,
    log: createLogger({ name: 'test', level: 'silent' }),
    onDatagram: (packet) => made.current?.receive(packet),
    onConflict: () => undefined,
  });
  const { engine, kill } = engineOf(id, transport);
  made.current = engine;
  return {
    engine: {
      ...engine,
      get onOutput() {
        return engine.onOutput;
      },
      set onOutput(value) {
        engine.onOutput = value;
      },
      get queuedBytes() {
        return engine.queuedBytes;
      },
      async start() {
        await transport.start();
        await engine.start();
      },
      async stop() {
        await engine.stop();
        await transport.stop();
      },
    },
    kill,
  };
}

it('stores one number at a time, however slow the disk is and however far the numbers jump', async () => {
  const engines: RingEngine[] = [];
  const others = (from: number) => engines.filter(({ id }) => id !== from);
  let writing = 0;
  let most = 0;
  const start = async (id: number, from: number, storeMs: number): Promise<void> => {
    const transport: RingTransport = {
      multicast: (packet) => {
        for (const one of others(id)) setImmediate(() => one.receive(Buffer.from(packet)));
      },
      unicast: (to, packet) => {
        for (const one of others(id)) if (one.id === to) setImmediate(() => one.receive(Buffer.from(packet)));
      },
      peers: [],
      stats: {},
    };
    let first = true;
    const engine = createRingEngine({
      id,
      settings: {},
      storedSequence: async () => from,
      storeSequence: async () => {
        if (id === 1) most = Math.max(most, ++writing);
        await delay(first ? 0 : storeMs);
        first = false;
        if (id === 1) writing--;
      },
      transport,
      onFailure: (error) => {
        throw error;
      },
    });
    engines.push(engine);
    await engine.start();
  };
  await start(1, 0, 1500);
  await start(2, 1_000_000, 0);
  await waitFor(() => writing === 1, { what: 'the first jump to be written' });
  await start(3, 2_000_000, 0);
  const together = () => engines.every((one) => one.status().configuration?.members.length === 3);
  await waitFor(together, { what: 'one ring', withinMs: 15_000 });
  await Promise.all(engines.map((engine) => engine.stop()));
  expect(most).toBe(1);
});

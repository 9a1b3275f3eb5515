import { createLogger } from '@rookery/service';
import { createRingEngine, type RingEngine } from '../../src/engine/ring-engine.ts';
import { createTransport, type Transport } from '../../src/transport/transport.ts';
import { freeUdpPort } from '../transport/sockets.ts';
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

/**
 * What a datagram of the bus costs before and behind the socket, on one core:
 * `npm exec -- node --conditions=@rookery/source bench/bus-seal.ts [DATAGRAMS]`. Sealed by one daemon's exchange and
 * opened by another's, freshness included; then the same through real sockets of the loopback, both ends in one thread.
 */
import { createLogger } from '@rookery/service';
import { addressOf } from '../apps/bus/src/transport/address.ts';
import { Exchange } from '../apps/bus/src/transport/exchange.ts';
import { createTransport, type Transport } from '../apps/bus/src/transport/transport.ts';

const COUNT = Number(process.argv[2] ?? 200_000);
const BATCH = 1000;
const SECRET = Buffer.alloc(32, 's');
const WAYS = [
  ['none', undefined, false],
  ['HMAC', SECRET, false],
  ['GCM', SECRET, true],
] as const;

/** Of this thread: what others do to the machine doesn't count. */
function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

function report(what: string, milliseconds: number, count: number): void {
  const rate = Math.round(count / (milliseconds / 1000)).toLocaleString('en');
  const each = Math.round((milliseconds * 1e6) / count).toLocaleString('en');
  console.log(`${what.padEnd(40)} ${each.padStart(8)} ns each  ${rate.padStart(10)}/s`);
}

function sealAndOpen(name: string, secret: Buffer | undefined, encrypt: boolean, bytes: number): void {
  const out: Buffer[] = [];
  let packets = 0;
  const of = (id: number): Exchange => {
    const exchange: Exchange = new Exchange({
      id,
      name: `d${id}`,
      now: 0,
      secret,
      encrypt,
      reach: 'ipv4',
      group: undefined,
      send: (datagram) => out.push(datagram),
      onPacket: () => packets++,
      onEvent: () => undefined,
    });
    return exchange;
  };
  const [a, b] = [of(1), of(2)];
  const give = (to: Exchange, from: string): void => {
    for (const datagram of out.splice(0)) to.receive(1, datagram, from, 1);
  };
  a.setSeeds(0, [addressOf('10.0.0.2', 1)]);
  for (let turn = 0; turn < 4; turn++) {
    give(b, '10.0.0.1');
    give(a, '10.0.0.2');
  }
  const packet = Buffer.alloc(bytes, 'p');
  const run = (count: number): [number, number] => {
    let [sealing, opening] = [0, 0];
    for (let done = 0; done < count; done += BATCH) {
      const start = cpuMs();
      for (let i = 0; i < BATCH; i++) a.multicast(packet);
      const sealed = cpuMs();
      for (const datagram of out) b.receive(1, datagram, '10.0.0.1', 1);
      opening += cpuMs() - sealed;
      sealing += sealed - start;
      out.length = 0;
    }
    return [sealing, opening];
  };
  run(20_000);
  packets = 0;
  const [sealing, opening] = run(COUNT);
  if (packets !== COUNT) throw new Error(`${packets} of ${COUNT} came through`);
  report(`${name}, ${bytes} bytes: seal`, sealing, COUNT);
  report(`${name}, ${bytes} bytes: open`, opening, COUNT);
}

async function throughSockets(
  name: string,
  secret: Buffer | undefined,
  encrypt: boolean,
  bytes: number,
): Promise<void> {
  let packets = 0;
  const log = createLogger({ name: 'bench', level: 'silent' });
  const start = async (id: number, port: number): Promise<Transport> => {
    const transport = createTransport({
      id,
      name: `d${id}`,
      address: { host: '127.0.0.1', port: 0 },
      peers: port === 0 ? [] : [{ host: '127.0.0.1', port }],
      secret,
      encrypt,
      allowUnauthenticated: false,
      receiveBufferBytes: 200_000,
      sendBufferBytes: 200_000,
      log,
      onDatagram: () => packets++,
      onConflict: () => undefined,
    });
    await transport.start();
    return transport;
  };
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const a = await start(1, 0);
  const b = await start(2, a.address!.port);
  while (a.peers.length === 0 || b.peers.length === 0) await turn();
  const packet = Buffer.alloc(bytes, 'p');
  const run = async (count: number): Promise<void> => {
    for (let sent = 0; sent < count; sent += 40) {
      for (let i = 0; i < 40; i++) a.multicast(packet);
      while (packets < sent + 40) await turn();
    }
  };
  await run(20_000);
  packets = 0;
  const began = cpuMs();
  await run(COUNT);
  report(`${name}, ${bytes} bytes: sent and received`, cpuMs() - began, COUNT);
  await Promise.all([a.stop(), b.stop()]);
}

for (const bytes of [100, 1400]) {
  for (const [name, secret, encrypt] of WAYS) sealAndOpen(name, secret, encrypt, bytes);
}
for (const bytes of [100, 1400]) {
  for (const [name, secret, encrypt] of WAYS) await throughSockets(name, secret, encrypt, bytes);
}

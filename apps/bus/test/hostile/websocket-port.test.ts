/**
 * Whatever comes to the WebSocket port of one of three daemons, before and after the upgrade: nobody else notices.
 * `ROOKERY_TEST_FUZZ_RUNS` sets how many frames, `ROOKERY_TEST_SEED` replays a failure.
 */
import { encodeRecord, frameOf, SERVICES } from '@rookery/protocol/websocket';
import { Random } from '@rookery/testkit';
import { expect, it } from 'vitest';
import { mutated } from './mutate.ts';
import { RUNS, SEED, TIMEOUT_MS } from './runs.ts';
import { type Life, pour, stormOfConnections, weather } from './storm.ts';

const UPGRADE = Buffer.from(
  'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n' +
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: rookery-bus.v1\r\n\r\n',
);
const Opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;
const random = new Random(SEED);

/** A client's frame, masked with zeros, so that its bytes are as they are. */
function frame(opcode: number, payload: Buffer, first = 0x80 | opcode): Buffer {
  const { length } = payload;
  if (length < 126) return Buffer.concat([Buffer.from([first, 0x80 | length, 0, 0, 0, 0]), payload]);
  const header = Buffer.alloc(8);
  header[0] = first;
  header[1] = 0x80 | 126;
  header.writeUInt16BE(length, 2);
  return Buffer.concat([header, payload]);
}

function text(control: object): Buffer {
  return frame(Opcode.text, Buffer.from(JSON.stringify(control)));
}

function group(): string {
  return `noise${random.below(10)}`;
}

class Client {
  #n = 0;

  /** Right, or wrong in a way that is refused. */
  harmless(): Buffer {
    switch (random.weighted({ send: 4, binary: 4, join: 2, refused: 3, question: 2, ping: 1 })) {
      case 'send':
        return text({ type: 'send', n: ++this.#n, groups: [group()], text: 'x'.repeat(random.below(100)) });
      case 'binary': {
        const records = Array.from({ length: random.between(1, 5) }, () =>
          encodeRecord({
            sender: '',
            groups: [group()],
            service: random.pick(SERVICES),
            messageType: random.below(65_536),
            key: random.pick(['', 'k']),
            selfDiscard: random.chance(0.5),
            bigEndian: false,
            data: random.bytes(random.below(100)),
          }),
        );
        const first = this.#n + 1;
        this.#n += records.length;
        return frame(Opcode.binary, Buffer.from(frameOf(first, records)));
      }
      case 'join':
        return text({ type: random.pick(['join', 'leave']), n: ++this.#n, group: group() });
      case 'refused':
        return text(
          random.pick([
            { type: 'join', n: ++this.#n, group: 'no group' },
            { type: 'send', n: this.#n, groups: [], text: '' },
            { type: 'send', n: this.#n, groups: Array(101).fill('g'), text: '' },
            { type: 'send', n: this.#n, groups: [random.bytes(6).toString('latin1')], text: '' },
          ]),
        );
      case 'question':
        return text(
          random.pick([
            { type: 'groups', id: 1 },
            { type: 'members', id: 2, group: group() },
            { type: 'ping', id: 3 },
            { type: 'ack', received: 0 },
          ]),
        );
      case 'ping':
        return frame(random.pick([Opcode.ping, Opcode.pong]), random.bytes(random.below(126)));
    }
  }

  harmful(): Buffer {
    const good = this.harmless();
    const payload = Buffer.from(good.subarray(good.length < 132 ? 6 : 8));
    switch (random.below(8)) {
      case 0:
        return random.bytes(random.between(1, 300));
      case 1:
        return mutated(good, random, 8);
      case 2:
        return frame(random.below(16), payload, random.below(256));
      case 3:
        return frame(good[0]! & 15, mutated(payload, random, 40));
      case 4: {
        // A length beyond everything, and then nothing.
        const huge = Buffer.alloc(14, 0xff);
        huge[0] = 0x80 | random.pick([1, 2]);
        if (random.chance(0.5)) huge.writeBigUInt64BE(16n * 1024n * 1024n, 2);
        return huge;
      }
      case 5:
        // More pieces than a message may have.
        return Buffer.concat(
          Array.from({ length: 20_000 }, (_, i) => frame(0, Buffer.from('x'), i === 0 ? 1 : 0)),
        );
      case 6:
        return text(
          random.pick<object>([
            { type: 'hello' },
            { type: 'resume', session: '#calm#d1', key: 'x', received: 0 },
            { type: 'join', n: 2 ** 53, group: 'g' },
            { type: 'ack', received: 1e6 },
            { type: 'send', n: 1e6, groups: ['calm'], text: 'forged' },
            { type: 'bye', more: 1 },
            [],
          ]),
        );
      default:
        return frame(Opcode.text, Buffer.from(`{"type":"send","n":${'['.repeat(random.between(1, 50_000))}`));
    }
  }
}

interface WebSocketLife extends Life {
  readonly opening: Buffer;
}

function life(left: number): WebSocketLife {
  const ends = random.pick(['silent', 'end', 'reset'] as const);
  switch (random.below(10)) {
    case 0:
      return { opening: random.bytes(random.between(1, 2000)), frames: [], ends };
    case 1:
      return { opening: mutated(UPGRADE, random), frames: [], ends };
    default: {
      const client = new Client();
      const count = Math.min(left, random.pick([1, 10, 100, 400]));
      const frames = Array.from({ length: count }, () => client.harmless());
      if (random.chance(0.9)) frames[random.chance(0.8) ? count - 1 : 0] = client.harmful();
      const hello = random.pick<object>([
        {},
        { messages: 'json' },
        { window_bytes: 100 },
        { name: `x${random.below(5000)}` },
        { membership: false },
      ]);
      if (random.chance(0.95)) frames.unshift(text({ type: 'hello', ...hello }));
      return { opening: UPGRADE, frames, ends };
    }
  }
}

it(
  `${RUNS} random and altered frames on the WebSocket port disturb nobody (ROOKERY_TEST_SEED=${SEED})`,
  async () => {
    let connections = 0;
    const report = await weather([], async ({ webSocketUrl }) => {
      connections = await stormOfConnections(
        Number(new URL(webSocketUrl).port),
        RUNS,
        life,
        (socket, { opening, frames, ends }, closed) =>
          pour(socket, Buffer.concat([opening, ...frames]), ends, closed, random),
        (index) => (index % 2 === 0 ? 'GET / HTTP/1.1\r\n' : ''),
      );
    });
    if (process.env.ROOKERY_TEST_FUZZ_RUNS !== undefined) console.log(JSON.stringify({ connections }));
    expect(Object.keys(report.refused).length).toBeGreaterThan(3);
  },
  TIMEOUT_MS,
);

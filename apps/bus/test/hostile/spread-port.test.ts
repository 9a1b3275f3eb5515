/**
 * Whatever comes to Spread's port of one of three daemons: nobody else notices, and it is as well afterwards as before.
 * `ROOKERY_TEST_FUZZ_RUNS` sets how many frames, `ROOKERY_TEST_SEED` replays a failure.
 */
import type { Socket } from 'node:net';
import {
  ENDIAN_BITS,
  Output,
  SERVICE_BITS,
  TypeBit,
  writeAuthenticate,
  writeConnect,
  writeJoin,
  writeLeave,
  writeMulticast,
} from '@rookery/protocol/spread';
import { SERVICES } from '@rookery/protocol/websocket';
import { Random } from '@rookery/testkit';
import { expect, it } from 'vitest';
import { mutated } from './mutate.ts';
import { RUNS, SEED, TIMEOUT_MS } from './runs.ts';
import { type Life, pour, stormOfConnections, weather } from './storm.ts';

const HEADER_BYTES = 48;
const random = new Random(SEED);
let names = 0;

/** One client as bytes: what it says before it is let in, and what after. */
interface SpreadLife extends Life {
  readonly hello: Buffer;
}

function life(left: number): SpreadLife {
  const name = `x${(names++).toString(36)}`;
  const ends = random.pick(['silent', 'end', 'reset'] as const);
  const out = new Output();
  writeConnect(out, { name, membership: random.chance(0.5) });
  const hello = Buffer.concat(out.take());
  if (random.chance(0.15)) {
    const junk = random.chance(0.5) ? random.bytes(random.between(1, 5000)) : mutated(hello, random);
    return { hello: junk, frames: [], ends };
  }
  // Only the last frame is harmful: lives are mostly short, so that few frames have every kind of harm among them.
  const count = Math.min(left, Number(random.weighted({ 1: 8, 10: 8, 100: 2, 400: 1 })));
  const session = `#${name}#d1`;
  const frames = Array.from({ length: count }, () => harmless(session));
  if (random.chance(0.9)) frames[count - 1] = harmful(session);
  return { hello, frames, ends };
}

function group(): string {
  return `noise${random.below(10)}`;
}

function good(session: string): Buffer {
  const out = new Output();
  const order = random.pick(['little', 'big'] as const);
  switch (random.weighted({ multicast: 8, join: 1, leave: 1 })) {
    case 'multicast': {
      const buffer = random.bytes(random.below(100));
      const groups = Array.from({ length: random.between(1, 3) }, group);
      writeMulticast(
        out,
        session,
        {
          service: random.pick(SERVICES),
          selfDiscard: random.chance(0.3),
          groups,
          messageType: random.below(65_536),
          buffer,
          start: 0,
          end: buffer.length,
        },
        order,
      );
      break;
    }
    case 'join':
      writeJoin(out, session, group(), order);
      break;
    case 'leave':
      writeLeave(out, session, group(), order);
      break;
  }
  return Buffer.concat(out.take());
}

/** Wrong or right, and the session goes on: a name that is none, a join of nothing, of several, with data. */
function harmless(session: string): Buffer {
  const frame = good(session);
  if (random.chance(0.3)) return frame;
  const type = frame.readUInt32LE(0);
  const isLittle = (type & ENDIAN_BITS) >>> 0 === ENDIAN_BITS >>> 0;
  if (!isLittle || random.chance(0.7)) {
    // Any bytes for the first group's name.
    random.bytes(32).copy(frame, HEADER_BYTES);
    return frame;
  }
  const empty = Buffer.from(frame.subarray(0, HEADER_BYTES));
  empty.writeInt32LE(0, 36);
  empty.writeInt32LE(0, 44);
  return empty;
}

function harmful(session: string): Buffer {
  const frame = good(session);
  switch (random.below(6)) {
    case 0:
      return random.bytes(random.between(1, 300));
    case 1: {
      // Types that are not a client's to say.
      const bits = random.pick([
        TypeBit.regularMembership,
        TypeBit.regularMembership | TypeBit.causedByJoin,
        TypeBit.regularMembership | SERVICE_BITS.agreed,
        TypeBit.transition,
        TypeBit.causedByLeave,
        TypeBit.reject,
        SERVICE_BITS.agreed | SERVICE_BITS.safe,
      ]);
      frame.writeUInt32LE((bits | ENDIAN_BITS) >>> 0, 0);
      return frame;
    }
    case 2:
      frame.writeInt32LE(random.pick([-1, 0x7fff_ffff, 101, 0x0100_0000]), random.pick([36, 44]));
      return frame;
    case 3: {
      // Half of a frame, and then nothing.
      frame.writeInt32LE(1_000_000, 44);
      return frame;
    }
    case 4:
      Buffer.from('#calm#d1').copy(frame, 4);
      return frame;
    default:
      return mutated(frame, random, HEADER_BYTES);
  }
}

async function live(
  socket: Socket,
  { hello, frames, ends }: SpreadLife,
  closed: Promise<void>,
): Promise<void> {
  socket.write(hello);
  if (frames.length > 0) {
    await answer(socket, closed);
    const out = new Output();
    writeAuthenticate(out, ['NULL']);
    socket.write(Buffer.concat(out.take()));
    await answer(socket, closed);
  }
  await pour(socket, Buffer.concat(frames), ends, closed, random);
}

function answer(socket: Socket, closed: Promise<void>): Promise<unknown> {
  return Promise.race([new Promise((resolve) => socket.once('data', resolve)), closed]);
}

it(
  `${RUNS} random and altered frames on Spread's port disturb nobody (ROOKERY_TEST_SEED=${SEED})`,
  async () => {
    let connections = 0;
    const report = await weather([], async ({ port }) => {
      connections = await stormOfConnections(port, RUNS, life, live);
    });
    if (process.env.ROOKERY_TEST_FUZZ_RUNS !== undefined) console.log(JSON.stringify({ connections }));
    expect(Object.keys(report.refused).length).toBeGreaterThan(5);
  },
  TIMEOUT_MS,
);

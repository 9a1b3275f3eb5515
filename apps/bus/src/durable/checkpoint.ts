/**
 * What is known of a group's log up to a sequence, stored beside it, so that opening reads only what came after. It is
 * written when all that it tells of is on the device; the newest whole one counts, and without any the log is read.
 */
import type { Log, Stream } from '@rookery/storage';
import type { OriginsState } from '../groups/origins.ts';
import type { IndexState } from './log-index.ts';
import { records } from './stored.ts';
import type { ViewState } from './view.ts';

export interface Checkpoint {
  readonly version: typeof VERSION;
  /** All that stands in the log up to here is told of. */
  readonly sequence: number;
  readonly index: IndexState;
  readonly origins: OriginsState;
  readonly view: ViewState | undefined;
}

export const VERSION = 1;
/** Less than any log takes as one entry. */
const CHUNK_BYTES = 3 * 1024;
/** The sequence it is of, its number among the chunks, and how many there are. */
const HEAD_BYTES = 16;
const NOTHING = new Uint8Array(0);

export class Checkpoints {
  readonly #log: Log;
  readonly #name: string;
  #busy = false;

  constructor(log: Log, name: string) {
    this.#log = log;
    this.#name = `c:${name}`;
  }

  /** Not while another one is being written: then this one comes later. */
  async write(checkpoint: Checkpoint): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      // Written down at once: what it tells of goes on.
      const bytes = Buffer.from(JSON.stringify(checkpoint));
      await this.#log.sync();
      const stream = this.#log.streams.get(this.#name) ?? this.#log.createStream(this.#name);
      const before = stream.nextSequence - 1;
      const count = Math.ceil(bytes.length / CHUNK_BYTES);
      for (let index = 0; index < count; index++) {
        const data = bytes.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES);
        const chunk = Buffer.alloc(HEAD_BYTES + data.length);
        chunk.writeDoubleBE(checkpoint.sequence, 0);
        chunk.writeUInt32BE(index, 8);
        chunk.writeUInt32BE(count, 12);
        chunk.set(data, HEAD_BYTES);
        stream.append(NOTHING, chunk, 0, chunk.length);
      }
      await this.#log.sync();
      stream.acknowledgeThrough(before);
    } finally {
      this.#busy = false;
    }
  }

  async read(): Promise<Checkpoint | undefined> {
    const stream = this.#log.streams.get(this.#name);
    return stream === undefined ? undefined : newest(stream);
  }
}

async function newest(stream: Stream): Promise<Checkpoint | undefined> {
  let chunks: Uint8Array[] = [];
  let of = 0;
  let found: Checkpoint | undefined;
  let last = 0;
  for await (const { sequence, bytes } of entries(stream)) {
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const [about, index, count] = [chunk.readDoubleBE(0), chunk.readUInt32BE(8), chunk.readUInt32BE(12)];
    if (index === 0 || about !== of || index !== chunks.length || sequence !== last + 1) {
      chunks = [];
      of = about;
    }
    last = sequence;
    if (index === chunks.length) chunks.push(Uint8Array.from(chunk.subarray(HEAD_BYTES)));
    if (chunks.length === count) found = parsed(Buffer.concat(chunks)) ?? found;
  }
  return found;
}

async function* entries(stream: Stream): AsyncGenerator<{ sequence: number; bytes: Uint8Array }> {
  for (let at = stream.acknowledgedThrough; ; ) {
    const some = await stream.read(at, { maxEntries: 256, maxBytes: 256 * CHUNK_BYTES });
    if (some.length === 0) return;
    for (const { sequence, buffer, start, end } of some)
      yield { sequence, bytes: buffer.subarray(start, end) };
    at = some.at(-1)!.sequence;
  }
}

function parsed(bytes: Buffer): Checkpoint | undefined {
  try {
    const checkpoint = JSON.parse(bytes.toString()) as Checkpoint;
    return checkpoint.version === VERSION ? checkpoint : undefined;
  } catch {
    return undefined;
  }
}

/** The records with these sequences, ascending; those that were let go of since are passed over. */
export async function* recordsAt(
  stream: Stream,
  sequences: readonly number[],
): AsyncGenerator<{ readonly sequence: number; readonly record: Uint8Array }> {
  for (let at = 0; at < sequences.length; ) {
    const from = sequences[at]!;
    // On from there, as long as the next one is near.
    let through = at;
    while (through + 1 < sequences.length && sequences[through + 1]! - sequences[through]! <= NEAR) through++;
    const wanted = new Set(sequences.slice(at, through + 1));
    for await (const { sequence, record } of records(stream, from - 1, sequences[through]!)) {
      if (wanted.has(sequence)) yield { sequence, record };
    }
    at = through + 1;
  }
}

/** Reading so many too many costs less than another trip to the disk. */
const NEAR = 64;

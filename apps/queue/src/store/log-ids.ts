import type { Entry, Stream } from '@rookery/storage';
import { translate, translateAsync } from './log-errors.ts';
import type { LogLane } from './log-lane.ts';
import type { KeptId } from './store.ts';

/**
 * The ids of one queue, a stream of their own. An id's payload:
 * `u48 at | u48 sequence | u8 length, lane | id`: what message it was kept for.
 *
 * It is written before its message. A crash between the two leaves an id whose message never was: `recover` finds
 * these. That a message is there and its id isn't takes a power loss that tore a hole; then `recover` reads the lanes.
 */
export class LogIds {
  found: readonly KeptId[] = [];
  lastMark = 0;
  readonly #create: () => Stream;
  #stream: Stream | undefined;

  constructor(stream: Stream | undefined, create: () => Stream) {
    this.#stream = stream;
    this.#create = create;
  }

  /** @throws StoreError */
  keep(id: string, at: number, laneName: string, sequence: number): Entry {
    const payload = Buffer.alloc(fixedBytes + laneName.length + id.length);
    payload.writeUIntLE(at, 0, 6);
    payload.writeUIntLE(sequence, 6, 6);
    payload.writeUInt8(laneName.length, 12);
    payload.write(laneName + id, fixedBytes, 'latin1');
    return translate(() => {
      this.#stream ??= this.#create();
      const entry = this.#stream.append(payload, payload, 0, 0);
      this.lastMark = entry.sequence;
      return entry;
    });
  }

  /** Its message was refused. Where that can't be written, `recover` finds it. */
  undo(entry: Entry): void {
    try {
      this.#stream?.acknowledge(entry);
    } catch {
      // Said above.
    }
  }

  forget(mark: number): void {
    translate(() => this.#stream?.acknowledgeSequence(mark));
  }

  forgetThrough(mark: number): void {
    translate(() => this.#stream?.acknowledgeThrough(mark));
  }

  remove(): void {
    this.#stream?.remove();
    this.#stream = undefined;
  }

  /**
   * Reads what is kept. `torn`: records may be missing in the middle, so messages are asked for their ids, too.
   * Returns whether anything was changed, which must be on the device before anything else happens.
   */
  async recover(lanes: ReadonlyMap<string, LogLane>, torn: boolean): Promise<boolean> {
    const stream = this.#stream;
    if (stream === undefined) return false;
    const kept: Kept[] = [];
    let changed = false;
    for (const entry of await readAll(stream)) {
      const identity = decode(entry);
      const lane = lanes.get(identity.laneName);
      if (lane !== undefined && (await translateAsync(lane.stream.has(identity.sequence)))) {
        kept.push({ ...identity, mark: entry.sequence });
      } else {
        stream.acknowledge(entry);
        changed = true;
      }
    }
    const missing = torn ? await missingIds(kept, lanes) : [];
    if (missing.length > 0) {
      // All anew, so that their marks grow in the order of their puts.
      const before = stream.nextSequence - 1;
      kept.push(...missing);
      kept.sort((a, b) => a.at - b.at || a.mark - b.mark);
      for (const [at, { id, at: time, laneName, sequence }] of kept.entries()) {
        const { sequence: mark } = this.keep(id, time, laneName, sequence);
        kept[at] = { ...kept[at]!, mark };
      }
      stream.acknowledgeThrough(before);
      changed = true;
    }
    this.lastMark = stream.nextSequence - 1;
    this.found = kept.map(({ id, at, mark }) => ({ id, at, mark }));
    return changed;
  }
}

interface Identity {
  readonly id: string;
  readonly at: number;
  readonly laneName: string;
  readonly sequence: number;
}

interface Kept extends Identity {
  readonly mark: number;
}

/** Ids that messages have and nobody kept, of puts not older than the oldest that is kept: those before have left the window. */
async function missingIds(kept: readonly Kept[], lanes: ReadonlyMap<string, LogLane>): Promise<Kept[]> {
  const oldest = kept.reduce((least, { at }) => Math.min(least, at), Number.POSITIVE_INFINITY);
  const from = kept.length === 0 ? 0 : oldest;
  const known = new Set(kept.map(({ id }) => id));
  const missing: Kept[] = [];
  for (const lane of lanes.values()) {
    let after = 0;
    for (;;) {
      const messages = await lane.read(after, readMessages, readBytes);
      if (messages.length === 0) break;
      after = messages.at(-1)!.sequence;
      for (const { carried, addedAt, sequence } of messages) {
        // What is not identified was put elsewhere and has moved.
        if (carried?.id === undefined || !carried.identified) continue;
        if (addedAt < from || known.has(carried.id)) continue;
        known.add(carried.id);
        missing.push({ id: carried.id, at: addedAt, laneName: lane.name, sequence, mark: 0 });
      }
    }
  }
  return missing;
}

const fixedBytes = 13;
const readMessages = 1000;
const readBytes = 1024 * 1024;

function decode(entry: Entry): Identity {
  const { buffer, start, end } = entry;
  const laneEnd = start + fixedBytes + buffer[start + 12]!;
  return {
    at: buffer.readUIntLE(start, 6),
    sequence: buffer.readUIntLE(start + 6, 6),
    laneName: buffer.toString('latin1', start + fixedBytes, laneEnd),
    id: buffer.toString('latin1', laneEnd, end),
  };
}

async function readAll(stream: Stream): Promise<Entry[]> {
  const all: Entry[] = [];
  for (;;) {
    const limit = { maxEntries: readMessages, maxBytes: readBytes };
    const some = await translateAsync(stream.read(all.at(-1)?.sequence ?? 0, limit));
    if (some.length === 0) return all;
    for (const entry of some) all.push(entry);
  }
}

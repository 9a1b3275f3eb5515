/**
 * What waits until a merge is over, in a stream for each configuration: what is filled of an earlier one must come into
 * the log before what was held of a later one. As safe as the log itself.
 */
import type { Stamp } from '@rookery/protocol/websocket';
import type { Log, Stream } from '@rookery/storage';
import { compareRings } from './vector.ts';

type Ring = Pick<Stamp, 'ringSequence' | 'representative'>;

export interface HeldStream extends Ring {
  readonly stream: Stream;
  /** All up to here stands in the log too. */
  copiedThrough: number;
}

const NOTHING = new Uint8Array(0);

export class Held {
  readonly #log: Log;
  readonly #name: string;
  /** By configuration, ascending. */
  #streams: HeldStream[] = [];

  constructor(log: Log, name: string) {
    this.#log = log;
    this.#name = name;
    for (const stream of log.streams.values()) {
      const found = /^h:(\d+)\.(\d+):(.+)$/.exec(stream.name);
      if (found === null || found[3] !== name) continue;
      const [ringSequence, representative] = [Number(found[1]), Number(found[2])];
      this.#streams.push({ ringSequence, representative, stream, copiedThrough: 0 });
    }
    this.#streams.sort(compareRings);
  }

  get streams(): readonly HeldStream[] {
    return this.#streams;
  }

  get count(): number {
    return this.#streams.reduce((sum, { stream }) => sum + stream.liveCount, 0);
  }

  append(record: Uint8Array, ring: Ring): void {
    this.#streamOf(ring).append(NOTHING, record, 0, record.length);
  }

  /** Something is held of this configuration or an earlier one: what comes of it goes behind that. */
  hasBefore(ring: Ring): boolean {
    const [first] = this.#streams;
    return first !== undefined && compareRings(first, ring) <= 0;
  }

  /** That of a configuration, if not all of it stands in the log. */
  findWaiting(ring: Ring): HeldStream | undefined {
    const held = this.#find(ring);
    return held !== undefined && isWaiting(held) ? held : undefined;
  }

  #find(ring: Ring): HeldStream | undefined {
    return this.#streams.find((held) => compareRings(held, ring) === 0);
  }

  /** The oldest of which not all stands in the log. */
  next(): HeldStream | undefined {
    return this.#streams.find(isWaiting);
  }

  /** Lets go of what stands in the log, when that is on the device. */
  async forgetCopied(): Promise<void> {
    const copied = this.#streams.map((held) => [held, held.copiedThrough] as const);
    await this.#log.sync();
    for (const [held, through] of copied) {
      if (held.stream.nextSequence - 1 > through) held.stream.acknowledgeThrough(through);
      else {
        held.stream.remove();
        this.#streams = this.#streams.filter((one) => one !== held);
      }
    }
  }

  #streamOf(ring: Ring): Stream {
    const last = this.#streams.at(-1);
    const found = last !== undefined && compareRings(last, ring) === 0 ? last : this.#find(ring);
    if (found !== undefined) return found.stream;
    const { ringSequence, representative } = ring;
    const stream = this.#log.createStream(`h:${ringSequence}.${representative}:${this.#name}`);
    this.#streams.push({ ringSequence, representative, stream, copiedThrough: 0 });
    this.#streams.sort(compareRings);
    return stream;
  }
}

function isWaiting({ stream, copiedThrough }: HeldStream): boolean {
  return copiedThrough < stream.nextSequence - 1;
}

/**
 * Readings that clients of this daemon have of groups that it doesn't keep. Each is at a keeper, and lives as long as
 * both daemons go from one configuration to the next together; else it goes on at another keeper behind what was given.
 */
import type { Given, Keeping, ReadingEvent, Told } from '@rookery/protocol/bus';
import {
  decodeCursor,
  decodeDaemonControl,
  encodeClientControl,
  encodeCursor,
  keptOf,
} from '@rookery/protocol/websocket';
import { patternOf } from '../settings.ts';
import { Vector } from '../vector.ts';
import type { Reader, Reading, ReadRequest } from './reading.ts';
import { WINDOW_BYTES } from './served.ts';

export interface ElsewhereOptions {
  /** ms since 1970. */
  readonly now: () => number;
  /** For so long after its first configuration the others may not have been found yet. */
  readonly findingMs: number;
  /** To the other daemons, in order, when the ring takes it. */
  readonly say: (event: ReadingEvent) => void;
}

/** Each has a window of records on its way. */
const READINGS_MAX = 1024;
/** Said for each quarter of the window: seldom enough, and the keeper needn't stop. */
const TAKEN_BYTES = WINDOW_BYTES / 4;

export class Elsewhere {
  readonly #options: ElsewhereOptions;
  /** Of the first configuration. */
  #begunMs: number | undefined;
  readonly #readings = new Map<number, ReadingElsewhere>();
  /** What daemons have said that they keep, when they last did. */
  readonly #known = new Map<number, Keeping>();
  /** Of the present configuration, when all have said what they keep. */
  #present: readonly number[] = [];
  #number: number;

  constructor(options: ElsewhereOptions) {
    this.#options = options;
    // Another life of this daemon began earlier, so none of its numbers comes again.
    this.#number = options.now();
  }

  get count(): number {
    return this.#readings.size;
  }

  /** `finding`: ask again in a moment. `full`: as many are read elsewhere as may be. */
  open(request: ReadRequest, reader: Reader): Reading | 'nobody' | 'finding' | 'full' {
    const { now, findingMs } = this.#options;
    if (![...this.#known.values()].some((keeping) => keeps(keeping, request))) {
      return this.#begunMs === undefined || now() - this.#begunMs < findingMs ? 'finding' : 'nobody';
    }
    if (this.#readings.size >= READINGS_MAX) return 'full';
    const reading = new ReadingElsewhere(request, reader, this.#options.say, (closed) =>
      this.#readings.delete(closed.number),
    );
    this.#place(reading);
    return reading;
  }

  /** A configuration ends, and these go on together. */
  onTogether(members: readonly number[]): void {
    this.#present = [];
    for (const reading of this.#readings.values()) {
      if (reading.keeper !== undefined && !members.includes(reading.keeper)) reading.lose();
    }
  }

  /** All daemons of the configuration have said what they keep. */
  onKeepers(said: ReadonlyMap<number, Keeping>): void {
    this.#begunMs ??= this.#options.now();
    for (const [id, keeping] of said) this.#known.set(id, keeping);
    this.#present = [...said.keys()].sort((a, b) => a - b);
    for (const reading of [...this.#readings.values()]) {
      if (reading.keeper === undefined) this.#place(reading);
    }
  }

  onEvent(sender: number, event: Given | Told): void {
    const reading = this.#readings.get(event.reading);
    // Of one that was closed or is elsewhere by now: that is on its way to the sender.
    if (reading === undefined || reading.keeper !== sender) return;
    if (event.kind === 'given') reading.onGiven(event.records);
    else reading.onTold(event.delivery);
  }

  /** At one keeper or another: readings are spread over them. Waits if there is none. */
  #place(reading: ReadingElsewhere): void {
    this.#readings.delete(reading.number);
    const number = this.#number++;
    const keepers = this.#present.filter((id) => keeps(this.#known.get(id)!, reading.request));
    this.#readings.set(number, reading);
    reading.begin(number, keepers[number % keepers.length]);
  }
}

class ReadingElsewhere implements Reading {
  readonly request: ReadRequest;
  readonly #reader: Reader;
  readonly #say: (event: ReadingEvent) => void;
  readonly #onClose: (reading: ReadingElsewhere) => void;
  number = 0;
  keeper: number | undefined;
  /** What the reader has been given, once that is known. */
  #given: Vector | undefined;
  #receivedBytes = 0;
  #takenBytes = 0;

  constructor(
    request: ReadRequest,
    reader: Reader,
    say: (event: ReadingEvent) => void,
    onClose: (reading: ReadingElsewhere) => void,
  ) {
    this.request = request;
    this.#reader = reader;
    this.#say = say;
    this.#onClose = onClose;
  }

  /** `keeper`: none is there for now. */
  begin(number: number, keeper: number | undefined): void {
    this.number = number;
    this.keeper = keeper;
    this.#receivedBytes = 0;
    this.#takenBytes = 0;
    if (keeper === undefined) return;
    const { group, filter, lastValue } = this.request;
    const given = this.#given;
    const from =
      given === undefined
        ? this.request.from
        : { cursor: encodeCursor({ floor: given.floor, strands: given }) };
    const request = encodeClientControl({ kind: 'subscribe', n: 1, group, from, filter, lastValue });
    this.#say({ kind: 'read', to: keeper, reading: number, request });
  }

  /** Its keeper is gone; or what was asked of it may not have reached it, and it must not answer later. */
  lose(): void {
    const { keeper, number } = this;
    this.keeper = undefined;
    if (keeper !== undefined) this.#say({ kind: 'unread', to: keeper, reading: number });
  }

  close(): void {
    this.lose();
    this.#onClose(this);
  }

  wake(): void {
    const { keeper, number } = this;
    if (keeper === undefined || this.#receivedBytes - this.#takenBytes < TAKEN_BYTES) return;
    if (!this.#reader.room) return;
    this.#takenBytes = this.#receivedBytes;
    this.#say({ kind: 'taken', to: keeper, reading: number, bytes: this.#takenBytes });
  }

  // hot: once per packet or more of records.
  onGiven(records: readonly Uint8Array[]): void {
    for (let index = 0; index < records.length; index++) {
      const record = records[index]!;
      this.#receivedBytes += record.length;
      this.#given?.raise(keptOf(record));
      this.#reader.give(record, 1);
    }
    this.wake();
  }

  onTold(text: string): void {
    const told = decodeDaemonControl(text);
    if (told.kind === 'subscribed') {
      const { sequence, last, whole, cursor } = told;
      const given = decodeCursor(cursor);
      // A view is given from its beginning by each keeper.
      if (given !== undefined && (this.#given === undefined || this.request.lastValue)) {
        this.#given = new Vector(given.strands, given.floor);
      }
      this.#reader.located({ sequence, last, whole, cursor });
    } else if (told.kind === 'caught_up') this.#reader.caughtUp(told.sequence);
    else if (told.kind === 'missed') this.#reader.missed(told.count);
  }
}

/** Whether the daemon can give what is asked for. */
function keeps({ patterns, views }: Keeping, { group, lastValue }: ReadRequest): boolean {
  const pattern = patternOf(group, patterns);
  return pattern !== undefined && (!lastValue || views.includes(pattern));
}

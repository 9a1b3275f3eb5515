/** Where in a group's log what stands, by marks: few enough to be kept in memory, close enough to read on from. Pure. */
import type { Kept, Stamp } from '@rookery/protocol/websocket';
import { compareRings, strandKey, Vector } from './vector.ts';

/** Messages between two marks, at most. */
const MARK_MESSAGES = 1024;

export interface Mark {
  /** Of the last message before it; 0 at the beginning. */
  readonly sequence: number;
  readonly timeMs: number;
  /** Of all records up to here, from the first one of this log that was there when it was opened. */
  readonly bytes: number;
}

interface Course {
  readonly stamp: Omit<Stamp, 'order'>;
  /** Sequence before its first message. */
  readonly before: number;
  order: number;
  /** Sequence of its last message. */
  last: number;
  /** Sequence of a mark, order there; ascending. */
  steps: (readonly [number, number])[];
}

const BEGINNING: Mark = { sequence: 0, timeMs: 0, bytes: 0 };

export interface IndexState {
  readonly marks: readonly Mark[];
  readonly last: Mark;
  readonly firstMs: number;
  readonly courses: readonly {
    readonly stamp: Omit<Stamp, 'order'>;
    readonly before: number;
    readonly order: number;
    readonly last: number;
    readonly steps: readonly (readonly [number, number])[];
    readonly grown: boolean;
  }[];
}

export class LogIndex {
  readonly #markMs: number;
  readonly #courses = new Map<string, Course>();
  readonly #latest = new Map<number, Course>();
  readonly #grown = new Set<Course>();
  #marks: Mark[] = [BEGINNING];
  #last: Mark = BEGINNING;
  #firstMs = 0;

  /** `markMs`: time between two marks, at most, while messages come. */
  constructor(markMs: number) {
    this.#markMs = markMs;
  }

  get state(): IndexState {
    const courses = [...this.#courses.values()].map((course) => ({
      ...course,
      grown: this.#grown.has(course),
    }));
    return { marks: this.#marks, last: this.#last, firstMs: this.#firstMs, courses };
  }

  /** For one that is empty. */
  restore({ marks, last, firstMs, courses }: IndexState): void {
    this.#marks = [...marks];
    this.#last = last;
    this.#firstMs = firstMs;
    for (const { grown, steps, ...rest } of courses) {
      const course = { ...rest, steps: [...steps] };
      this.#courses.set(strandKey({ ...course.stamp }), course);
      if (grown) this.#grown.add(course);
    }
  }

  /** Of the last message. */
  get last(): Mark {
    return this.#last;
  }

  /** When the oldest message was kept, or a little earlier; 0 for none. */
  get oldestMs(): number {
    return this.first.sequence === 0 ? this.#firstMs : this.first.timeMs;
  }

  get first(): Mark {
    return this.#marks[0]!;
  }

  // hot: once per message stored.
  add(kept: Kept, sequence: number, bytes: number): void {
    const mark = this.#marks.at(-1)!;
    if (sequence - mark.sequence > MARK_MESSAGES || kept.timeMs - mark.timeMs > this.#markMs) this.#mark();
    if (this.#last.sequence === 0) this.#firstMs = kept.timeMs;
    const course = this.#course(kept, sequence);
    course.order = Math.max(course.order, kept.order);
    course.last = sequence;
    this.#grown.add(course);
    // What was filled may be older than what stands before it: the time of a mark is that of the newest up to it.
    const timeMs = Math.max(this.#last.timeMs, kept.timeMs);
    this.#last = { sequence, timeMs, bytes: this.#last.bytes + bytes };
  }

  #mark(): void {
    const { sequence } = this.#last;
    if (sequence === this.#marks.at(-1)!.sequence) return;
    this.#marks.push(this.#last);
    for (const course of this.#grown) course.steps.push([sequence, course.order]);
    this.#grown.clear();
  }

  #course(kept: Kept, sequence: number): Course {
    const { ringSequence, representative, sender } = kept;
    const latest = this.#latest.get(sender);
    if (
      latest !== undefined &&
      latest.stamp.ringSequence === ringSequence &&
      latest.stamp.representative === representative
    ) {
      return latest;
    }
    const key = strandKey(kept);
    let course = this.#courses.get(key);
    if (course === undefined) {
      const stamp = { ringSequence, representative, sender };
      course = { stamp, before: sequence - 1, order: 0, last: sequence, steps: [] };
      this.#courses.set(key, course);
    }
    this.#latest.set(sender, course);
    return course;
  }

  /** All up to the sequence of a mark is dropped, but for last values. */
  trim(through: number): void {
    const from = this.#marks.findIndex(({ sequence }) => sequence >= through);
    if (from > 0) this.#marks = this.#marks.slice(from);
    for (const course of this.#courses.values()) {
      const keep = course.steps.findLastIndex(([sequence]) => sequence <= through);
      if (keep > 0) course.steps = course.steps.slice(keep);
    }
  }

  /** The last mark that holds. Marks are few, and sorted by sequence only: times may go back. */
  lastMark(holds: (mark: Mark) => boolean): Mark | undefined {
    return this.#marks.findLast(holds);
  }

  /** What stands up to a mark. */
  vectorAt(mark: Mark): Vector {
    const vector = new Vector();
    for (const { stamp, steps } of this.#courses.values()) {
      const step = steps.findLast(([sequence]) => sequence <= mark.sequence);
      if (step !== undefined) vector.raise({ ...stamp, order: step[1] });
    }
    return vector;
  }

  /** What stands in the whole log. */
  get vector(): Vector {
    const vector = new Vector();
    for (const { stamp, order } of this.#courses.values()) vector.raise({ ...stamp, order });
    return vector;
  }

  /** Where what is behind the orders of these strands stands: behind `after`, up to `through`, 0 if nowhere. */
  rangeOf(strands: Iterable<Stamp>): { readonly after: number; readonly through: number } {
    let after = this.#last.sequence;
    let through = 0;
    for (const strand of strands) {
      const course = this.#courses.get(strandKey(strand));
      if (course === undefined || course.order <= strand.order) continue;
      after = Math.min(after, placeBehind(course, strand.order));
      through = Math.max(through, course.last);
    }
    return { after, through };
  }

  /** The sequence behind which all stands that is of these configurations or newer ones. */
  placeOfRing(stamps: readonly Stamp[]): number {
    let place = this.#last.sequence;
    for (const { stamp, before } of this.#courses.values()) {
      if (stamps.some((one) => compareRings(one, stamp) <= 0)) place = Math.min(place, before);
    }
    return place;
  }

  /** The sequence behind which something stands that the vector lacks; nothing does up to there. */
  placeOf(vector: Vector): number {
    let place = this.#last.sequence;
    for (const course of this.#courses.values()) {
      const had = vector.orderOf(course.stamp);
      if (had < course.order) place = Math.min(place, placeBehind(course, had));
    }
    return place;
  }
}

/** A sequence behind which all of it stands that comes after the order. */
function placeBehind({ before, steps }: Course, order: number): number {
  const step = steps.findLast(([, at]) => at <= order);
  return step === undefined ? before : step[0];
}

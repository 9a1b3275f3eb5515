/** What must hold of the logs of all keepers, after peace. See "What is promised" in docs/internals/durable.md. */
import { type Kept, keptOf, keyAndDataOf } from '@rookery/protocol/websocket';
import type { Stored } from '../../src/durable/stored.ts';
import { compareStamps } from '../../src/durable/vector.ts';
import { Violation } from '../ring/history.ts';
import type { Daemon } from './daemon.ts';
import type { StepBack } from './reader.ts';

export function numberOf(record: Uint8Array): number {
  const { data } = keyAndDataOf(record);
  return Buffer.from(data.buffer, data.byteOffset, 4).readUInt32LE();
}

export function checkLogs(
  stored: ReadonlyMap<Daemon, readonly Stored[]>,
  confirmed: ReadonlySet<number>,
): void {
  const daemons = [...stored.keys()];
  const logs = new Map([...stored].map(([daemon, log]) => [daemon, shown(log)] as const));
  for (const daemon of daemons) checkOne(daemon, logs.get(daemon)!, daemons);
  const [first] = daemons as [Daemon];
  const expected = numbersOf(logs.get(first)!).join();
  const values = lastValues(stored.get(first)!);
  for (const daemon of daemons) {
    const numbers = numbersOf(logs.get(daemon)!);
    if (numbers.join() !== expected) {
      throw new Violation('same set', `d${daemon.id} holds [${numbers}], d${first.id} holds [${expected}]`);
    }
    if (values !== lastValues(stored.get(daemon)!) || values !== shownValues(daemon)) {
      throw new Violation(
        'last values',
        `d${daemon.id} has ${shownValues(daemon)}, d${first.id} has ${values}`,
      );
    }
    const held = new Set(numbers);
    for (const number of confirmed) {
      if (!held.has(number))
        throw new Violation('kept', `${number} was confirmed by a keeper, and d${daemon.id} lacks it`);
    }
  }
  for (const a of daemons)
    for (const b of daemons) if (a.id < b.id) checkPair(a, logs.get(a)!, b, logs.get(b)!);
}

/** What a plain reader is given. */
export function shown(log: readonly Stored[]): Uint8Array[] {
  return log.filter(({ note }) => note === 'shown' || note === 'late').map(({ record }) => record);
}

function checkOne(daemon: Daemon, log: readonly Uint8Array[], all: readonly Daemon[]): void {
  const seen = new Set<number>();
  const before = new Map<number, Kept[]>();
  let last = 0;
  log.forEach((record) => {
    const number = numberOf(record);
    const kept = keptOf(record);
    if (seen.has(number)) throw new Violation('once', `d${daemon.id} shows ${number} twice`);
    seen.add(number);
    if (kept.sequence <= last) {
      throw new Violation('log', `d${daemon.id} has ${kept.sequence} behind ${last}`);
    }
    last = kept.sequence;
    const earlier = before.get(kept.sender) ?? [];
    before.set(kept.sender, earlier);
    earlier.push(kept);
    const newer = earlier.find((one) => compareStamps(one, kept) > 0);
    if (newer === undefined) return;
    if (newer.ringSequence === kept.ringSequence && newer.representative === kept.representative) {
      throw new Violation('order', `d${daemon.id} holds ${number} out of its strand`);
    }
    // Stored behind a later message of the same daemon: nobody whom the keeper could ask had it then.
    const { ring } = daemon.appended.get(newer.sequence)!;
    const begun = daemon.begun.get(ring);
    for (const member of begun?.members ?? []) {
      if (
        all
          .find(({ id }) => id === member)
          ?.begun.get(ring)
          ?.held.has(kept)
      ) {
        throw new Violation(
          'order',
          `d${daemon.id} holds ${number} late, though d${member} had it in ${ring}`,
        );
      }
    }
  });
}

/** What both were delivered by the ring, both have in one order. */
function checkPair(a: Daemon, logA: readonly Uint8Array[], b: Daemon, logB: readonly Uint8Array[]): void {
  const live = (daemon: Daemon, record: Uint8Array): boolean =>
    daemon.delivered.has(stampText(keptOf(record)));
  const placeA = new Map(logA.map((record, index) => [stampText(keptOf(record)), { index, record }]));
  let last = -1;
  for (const record of logB) {
    const found = placeA.get(stampText(keptOf(record)));
    if (found === undefined || !live(a, record) || !live(b, record)) continue;
    if (found.index < last) {
      throw new Violation(
        'one order',
        `d${a.id} and d${b.id} were both delivered ${numberOf(record)}, in another order`,
      );
    }
    last = found.index;
  }
}

function stampText({ ringSequence, representative, sender, order }: Kept): string {
  return `${ringSequence}.${representative}.${sender}.${order}`;
}

/** What follows last values goes back only from a message that was older than its copy there said. */
export function checkStepsBack(log: readonly Stored[], steps: readonly StepBack[]): void {
  const oldest = oldestCopies(log);
  for (const { daemon, from, to } of steps) {
    const kept = oldest.get(numberOf(from));
    if (kept !== undefined && compareStamps(kept, keptOf(to)) > 0) {
      throw new Violation('followers', `d${daemon} went back from ${numberOf(from)} to ${numberOf(to)}`);
    }
  }
}

function oldestCopies(log: readonly Stored[]): Map<number, Kept> {
  const oldest = new Map<number, Kept>();
  for (const { record, note } of log) {
    const kept = keptOf(record);
    const other = oldest.get(numberOf(record));
    if (note !== 'restated' && (other === undefined || compareStamps(kept, other) < 0)) {
      oldest.set(numberOf(record), kept);
    }
  }
  return oldest;
}

/** A message is as old as its oldest copy; the newest of a key is its last value. */
function lastValues(log: readonly Stored[]): string {
  const oldest = oldestCopies(log);
  const values = new Map<string, number>();
  for (const { record } of log) {
    const { key } = keyAndDataOf(record);
    const number = numberOf(record);
    const before = values.get(key);
    if (key === '') continue;
    if (before === undefined || compareStamps(oldest.get(before)!, oldest.get(number)!) < 0)
      values.set(key, number);
  }
  return textOf(values);
}

export function textOf(values: ReadonlyMap<string, number>): string {
  return [...values]
    .map(([key, number]) => `${key}=${number}`)
    .sort()
    .join();
}

export function shownValues(daemon: Daemon): string {
  return daemon
    .group!.lastValues()
    .map((record) => `${keyAndDataOf(record).key}=${numberOf(record)}`)
    .sort()
    .join();
}

function numbersOf(log: readonly Uint8Array[]): number[] {
  return [...new Set(log.map(numberOf))].sort(ascending);
}

function ascending(a: number, b: number): number {
  return a - b;
}

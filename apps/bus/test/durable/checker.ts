/** What must hold of the logs of all keepers, after peace. See "What is promised" in docs/internals/durable.md. */
import { type Kept, keptOf, keyAndDataOf, originOf } from '@rookery/protocol/websocket';
import { compareStamps } from '../../src/durable/vector.ts';
import { Violation } from '../ring/history.ts';
import type { Daemon } from './daemon.ts';

export function numberOf(record: Uint8Array): number {
  const { data } = keyAndDataOf(record);
  return Buffer.from(data.buffer, data.byteOffset, 4).readUInt32LE();
}

export function checkLogs(
  logs: ReadonlyMap<Daemon, readonly Uint8Array[]>,
  confirmed: ReadonlySet<number>,
): void {
  const daemons = [...logs.keys()];
  for (const daemon of daemons) checkOne(daemon, logs.get(daemon)!, daemons);
  const [first] = daemons as [Daemon];
  const expected = numbersOf(logs.get(first)!).join();
  const values = lastValues(logs.get(first)!);
  for (const daemon of daemons) {
    const numbers = numbersOf(logs.get(daemon)!);
    if (numbers.join() !== expected) {
      throw new Violation('same set', `d${daemon.id} holds [${numbers}], d${first.id} holds [${expected}]`);
    }
    if (values !== lastValues(logs.get(daemon)!) || values !== shownValues(daemon)) {
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

function checkOne(daemon: Daemon, log: readonly Uint8Array[], all: readonly Daemon[]): void {
  const seen = new Map<number, Kept>();
  const before = new Map<number, Kept[]>();
  let last = 0;
  log.forEach((record) => {
    const number = numberOf(record);
    const kept = keptOf(record);
    const other = seen.get(number);
    // What a publisher repeated on both sides of a cut may stand there again, for the last value.
    const restated =
      originOf(record) !== undefined &&
      keyAndDataOf(record).key !== '' &&
      other !== undefined &&
      compareStamps(other, kept) < 0;
    if (other !== undefined && !restated) throw new Violation('once', `d${daemon.id} holds ${number} twice`);
    seen.set(number, kept);
    if (restated) return;
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

function lastValues(log: readonly Uint8Array[]): string {
  const values = new Map<string, Uint8Array>();
  for (const record of log) {
    const { key } = keyAndDataOf(record);
    const before = values.get(key);
    if (key !== '' && (before === undefined || compareStamps(keptOf(before), keptOf(record)) < 0))
      values.set(key, record);
  }
  return [...values]
    .map(([key, record]) => `${key}=${numberOf(record)}`)
    .sort()
    .join();
}

function shownValues(daemon: Daemon): string {
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

/** Which of the messages in a log are the last of their keys, where what was taken for it is older than it seemed. */
import { keptOf, keyAndDataOf, originOf } from '@rookery/protocol/websocket';
import type { Stored } from './stored.ts';
import { compareStamps } from './vector.ts';
import type { Value } from './view.ts';

/**
 * The record of the last message of each key, in its oldest copy. `scan` reads the log from where anything newer than
 * the values may stand; twice, for a copy that makes a message older stands behind it.
 */
export async function lastAmong(
  values: ReadonlyMap<string, Value>,
  scan: () => AsyncIterable<Stored>,
): Promise<Uint8Array[]> {
  const oldest = new Map<string, Uint8Array>();
  for await (const { record, note } of scan()) {
    if (note !== 'repeat' || !values.has(keyAndDataOf(record).key)) continue;
    const name = nameOf(record)!;
    const known = oldest.get(name);
    if (known === undefined || isNewer(known, record)) oldest.set(name, record.slice());
  }
  const last = new Map([...values].map(([key, { record }]) => [key, record] as const));
  for await (const { record, note } of scan()) {
    if (note === 'repeat') continue;
    const { key } = keyAndDataOf(record);
    const best = last.get(key);
    if (best === undefined || !isNewer(record, best)) continue;
    const other = oldest.get(nameOf(record) ?? '');
    const copy = other !== undefined && isNewer(record, other) ? other : record;
    if (isNewer(copy, best)) last.set(key, copy.slice());
  }
  return [...last.values()];
}

function nameOf(record: Uint8Array): string | undefined {
  const origin = originOf(record);
  return origin && `${origin.publisher}.${origin.sequence}`;
}

function isNewer(a: Uint8Array, b: Uint8Array): boolean {
  return compareStamps(keptOf(a), keptOf(b)) > 0;
}

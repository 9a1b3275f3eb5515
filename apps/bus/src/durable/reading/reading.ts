/** A reading of a kept group: what is asked for, who is given it, and how it begins at a keeper. */
import { decodeCursor, encodeCursor, type Filter, type From } from '@rookery/protocol/websocket';
import { compileFilter } from '../filter.ts';
import type { Begin, KeptGroup, Place } from '../group.ts';
import type { Listener, Subscription } from '../subscription.ts';
import { Vector } from '../vector.ts';
import type { Searches } from './searches.ts';

export interface ReadRequest {
  readonly group: string;
  readonly from: From;
  readonly filter: Filter;
  /** First the last value of each key, and then what becomes one. */
  readonly lastValue: boolean;
}

export interface Located {
  /** What comes stands behind it. */
  readonly sequence: number;
  /** The end of the log now. */
  readonly last: number;
  /** False: the keeper hasn't heard yet from others what it lacks. */
  readonly whole: boolean;
  /** Of who has been given nothing. */
  readonly cursor: string;
}

export interface Reader extends Listener {
  /** The place is found. Said again when another keeper goes on, for sequences are each keeper's own. */
  located(place: Located): void;
}

export interface Reading {
  /** There may be room. */
  wake(): void;
  close(): void;
}

/** `undefined` for a cursor that is none. */
export function readGroup(
  group: KeptGroup,
  request: ReadRequest,
  reader: Reader,
  searches: Searches,
): Reading | undefined {
  const begin = beginOf(request.from);
  if (begin === undefined) return undefined;
  const again = begin.kind === 'cursor';
  const how = request.lastValue ? (again ? 'view_again' : 'view') : again ? 'cursor' : 'place';
  let subscription: Subscription | undefined;
  let closed = false;
  const start = (place: Place): Promise<void> | undefined => {
    if (closed) return undefined;
    subscription = group.subscribe(place, reader, compileFilter(request.filter), how);
    const { given } = place;
    reader.located({
      sequence: subscription.position,
      last: group.tail,
      whole: group.whole,
      cursor: encodeCursor({ floor: given.floor, strands: given }),
    });
    subscription.wake();
    return subscription.reading;
  };
  const search = (): Promise<void> => group.locate(begin).then(start, (error) => group.onReadFailed(error));
  let takeBack = (): void => undefined;
  // What is behind all that stands there now needs no search, and no time may pass until it is known.
  if (begin.kind === 'now') void search();
  else takeBack = searches.add(search);
  return {
    wake: () => subscription?.wake(),
    close: () => {
      closed = true;
      takeBack();
      subscription?.close();
    },
  };
}

function beginOf(from: From): Begin | undefined {
  if (typeof from === 'string') return { kind: from };
  if ('sequence' in from) return { kind: 'sequence', sequence: from.sequence };
  if ('timeMs' in from) return { kind: 'time', timeMs: from.timeMs };
  if ('last' in from) return { kind: 'last', count: from.last };
  const given = decodeCursor(from.cursor);
  return given && { kind: 'cursor', given: new Vector(given.strands, given.floor) };
}

/** A group that a session is in: what comes from it, in order, and what can be asked of it. */
import type { Bus } from './bus.ts';
import type { GroupEvent } from './events.ts';
import type { SendOptions } from './message.ts';
import type { Reader } from './reader.ts';

/**
 * Iterate it to read its events. What isn't read waits, for the whole session: read it, or leave it. Ending a loop
 * loses nothing, the next one goes on. The loop ends when the group is left or the bus is closed.
 */
export interface Group extends AsyncIterable<GroupEvent> {
  readonly name: string;
  /** The next event. */
  next(): Promise<IteratorResult<GroupEvent, undefined>>;
  /** As `bus.multicast` and `bus.send`, to this group. */
  multicast(data: string | Uint8Array, options?: SendOptions): Promise<void>;
  send(data: string | Uint8Array, options?: SendOptions): boolean;
  members(): Promise<readonly string[]>;
  /** What hasn't been read is dropped. Resolves when all members have been told. */
  leave(): Promise<void>;
}

export function createGroup(bus: Bus, name: string, reader: Reader, leave: () => Promise<void>): Group {
  const next: Group['next'] = () => reader.next() as ReturnType<Group['next']>;
  return {
    name,
    next,
    multicast: (data, options) => bus.multicast(name, data, options),
    send: (data, options) => bus.send(name, data, options),
    members: () => bus.members(name),
    leave,
    [Symbol.asyncIterator]: () => ({ next }),
  };
}

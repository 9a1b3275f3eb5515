/** A closed group with virtual synchrony: the core over a group of the bus. */
import type { Bus } from '../bus.ts';
import { BusError } from '../errors.ts';
import type { Dropped, Lost } from '../events.ts';
import type { SendOptions } from '../message.ts';
import { FlushCore, type FlushEvent, type FlushStep, type RoomView } from './core.ts';

/** `lost`: the session has ended, and this is a new member from the next view on. `dropped`: the promises don't hold. */
export type RoomEvent = FlushEvent | Lost | Dropped;

/**
 * Iterate it: nothing goes on for any member of the room while one doesn't read, or doesn't answer a `flush_request`
 * with `flush`.
 */
export interface Room extends AsyncIterable<RoomEvent> {
  readonly name: string;
  /** The last view that was read. */
  readonly view: RoomView | undefined;
  next(): Promise<IteratorResult<RoomEvent, undefined>>;
  /** Says that all is said that is to be said in this view. From here to the next view nothing can be sent. */
  flush(): void;
  /**
   * To all members of this view, given to them in this view.
   *
   * @throws BusError `FLUSHING` before the first view, and between `flush` and the next one
   */
  multicast(data: string | Uint8Array, options?: SendOptions): Promise<void>;
  leave(): Promise<void>;
}

const encoder = new TextEncoder();

/**
 * Joins a group all of whose members do so.
 *
 * @throws BusError as `bus.join`; `BAD_ARGUMENT` if the bus was connected without `membership`
 */
export async function joinFlush(bus: Bus, name: string): Promise<Room> {
  if (!bus.membership) throw new BusError('BAD_ARGUMENT', 'a room needs views: connect with membership');
  const group = await bus.join(name);
  const core = new FlushCore();

  /** Gives the event, and sends what is to be sent. */
  const take = ({ event, send }: FlushStep): RoomEvent | undefined => {
    if (send !== undefined && bus.takesRequests) group.send(send);
    return event;
  };
  const next = async (): Promise<IteratorResult<RoomEvent, undefined>> => {
    for (;;) {
      const { done, value } = await group.next();
      if (done) return { done, value };
      let event: RoomEvent | undefined;
      if (value.kind === 'view') event = take(core.onView(value, bus.session));
      else if (value.kind === 'message') event = take(core.onMessage(value));
      else {
        if (value.kind === 'lost') core.onLost();
        event = value;
      }
      if (event !== undefined) return { done: false, value: event };
    }
  };
  return {
    name,
    next,
    get view() {
      return core.view;
    },
    flush: () => void take(core.flush()),
    async multicast(data, options) {
      const wrapped = core.wrap(typeof data === 'string' ? encoder.encode(data) : data);
      if (wrapped === undefined) {
        throw new BusError('FLUSHING', 'the members are changing: send again after the next view');
      }
      await group.multicast(wrapped, { ...options, selfDiscard: false });
    },
    leave: () => group.leave(),
    [Symbol.asyncIterator]: () => ({ next }),
  };
}

import type { Clock } from '@rookery/storage';
import type { Queue } from '../queue/queue.ts';
import type { Message } from '../store/store.ts';
import type { Loader } from './loader.ts';
import type { Registry } from './registry.ts';

/** Brings messages of one queue back to where they came from, or to another. */
export interface Redriver {
  /**
   * Moves up to `max` messages from the head of the queue, each by a change of its own; resolves with how many. What
   * does not say where it came from stays, unless `to` is given, and so does what `mayGoTo` refuses. @throws BrokerError, StoreError: those before have moved
   */
  redrive(
    from: string,
    max: number,
    to: string | undefined,
    mayGoTo?: (name: string) => boolean,
  ): Promise<number>;
}

/** Messages looked at that stay where they are: a step has an end, whatever it finds. */
const stayingMax = 1000;
/** Until another look at whether somebody else's read of the disk has ended; turn by turn would take a core meanwhile. */
const loadingMs = 1;

export function createRedriver(
  registry: Registry,
  loader: Loader,
  clock: Clock,
  onMoved: (queue: Queue) => void,
): Redriver {
  async function redrive(
    from: string,
    max: number,
    to: string | undefined,
    mayGoTo: (name: string) => boolean = () => true,
  ): Promise<number> {
    const queue = registry.queues.get(from);
    if (queue === undefined || to === from) return 0;
    const staying: Message[] = [];
    let moved = 0;
    try {
      while (moved < max && staying.length < stayingMax) {
        const message = queue.reader.take(clock.now());
        if (message === undefined) {
          if (!queue.reader.behind) break;
          // Somebody else may be reading what comes next.
          const { loading } = queue.reader;
          if (!(await loader.load(queue.reader)) && !loading) break;
          if (loading) await new Promise<void>((resolve) => clock.setTimeout(resolve, loadingMs));
          continue;
        }
        const name = to ?? message.carried?.origin;
        if (name === undefined || name === from || !mayGoTo(name)) {
          staying.push(message);
          continue;
        }
        try {
          const target = registry.findOrCreate(name, clock.now());
          target.takeOver(message, clock.now());
          onMoved(target);
        } catch (error) {
          queue.reader.putBack(message);
          throw error;
        }
        moved += 1;
      }
    } finally {
      if (staying.length > 0 && registry.queues.get(from) === queue) {
        for (const message of staying) queue.reader.putBack(message);
        queue.reader.serve(clock.now());
      }
    }
    return moved;
  }
  return { redrive };
}

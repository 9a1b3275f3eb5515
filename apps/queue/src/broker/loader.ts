import type { Clock } from '@rookery/storage';
import type { Cursor } from '../queue/cursor.ts';
import { windowMessages } from '../queue/lane.ts';
import { Queue } from '../queue/queue.ts';
import type { Reader } from '../queue/reader.ts';

/** Brings messages from the store into a window that runs low. */
export interface Loader {
  /**
   * Resolves when the reader has been served; false if it needs nothing, is being loaded already, or could not be
   * (then its waiters were told why). Never rejects. `maxMessages`: for a look at the head alone.
   */
  load(reader: Reader, maxMessages?: number): Promise<boolean>;
}

/** One read of the store: a few milliseconds of a disk, and of encoding for those who wait. */
const loadBytes = 1024 * 1024;

export function createLoader(clock: Clock): Loader {
  async function load(reader: Reader, maxMessages = windowMessages / 2): Promise<boolean> {
    const lane = reader.beginLoad();
    if (lane === undefined) return false;
    const queue = queueOf(reader);
    const through = lane.lastSequence;
    // A window is loaded when it is at most half full, so this much has room in it.
    const maxBytes = Math.min(loadBytes, queue.settings.maxMemoryBytes / 2);
    try {
      const messages = await (lane.stored ?? queue.stored.main).read(lane.windowEnd, maxMessages, maxBytes);
      reader.loaded(messages, through, clock.now(), lane);
      queue.discardOverflowAfterLoad();
    } catch (error) {
      reader.loadFailed(error as Error, lane);
      return false;
    }
    // Those who wait are still there if all that was loaded had expired or was gone.
    const more = reader.waiters.size > 0 || (reader === queue.reader && queue.overflows);
    return more && reader.needsLoad ? load(reader) : true;
  }
  return { load };
}

function queueOf(reader: Reader): Queue {
  const { source } = reader;
  if (source instanceof Queue) return source;
  return (source as Cursor).queue;
}

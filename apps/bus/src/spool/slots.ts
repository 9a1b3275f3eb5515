/** Many publishers share a folder: each has a slot of its own in it, `0`, `1`, and so on. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { LogError } from '@rookery/storage';
import { SpoolError } from './errors.ts';
import type { Store } from './store.ts';

/** Publishers at a time in one folder: more than a host has inputs, and few enough to try one after the other. */
const SLOTS_MAX = 64;

/** The first slot that nobody has. @throws SpoolError `NO_SLOT` */
export async function openFreeSlot(
  folder: string,
  open: (directory: string) => Promise<Store>,
): Promise<Store> {
  for (let slot = 0; slot < SLOTS_MAX; slot++) {
    const store = await openUnlessTaken(join(folder, String(slot)), open);
    if (store !== undefined) return store;
  }
  throw new SpoolError(
    'NO_SLOT',
    `${SLOTS_MAX} publishers use ${folder} already: give others another folder`,
  );
}

/** One after the other, what publishers left behind who are gone. Slots that somebody has are passed over. */
export async function* openAbandonedSlots(
  folder: string,
  open: (directory: string) => Promise<Store>,
): AsyncGenerator<Store, void> {
  const slots = (await readdir(folder)).filter((name) => /^\d+$/.test(name)).sort((a, b) => +a - +b);
  for (const slot of slots) {
    const store = await openUnlessTaken(join(folder, slot), open);
    if (store !== undefined) yield store;
  }
}

async function openUnlessTaken(
  directory: string,
  open: (directory: string) => Promise<Store>,
): Promise<Store | undefined> {
  try {
    return await open(directory);
  } catch (error) {
    if (error instanceof LogError && error.code === 'log-locked') return undefined;
    if (error instanceof LogError) {
      throw new SpoolError('SPOOL_FAILED', `${directory} can't be opened: ${error.message}`, {
        cause: error,
      });
    }
    throw error;
  }
}

import { type Core, rejectWaiters, stopTimers, syncLast, updateRefusals } from './core.ts';
import { closeFile } from './segment.ts';
import { durable } from './writer.ts';

/** Writes and syncs what is there; after a failure it only lets go of files and lock. */
export async function closeLog(core: Core, lock: { release(): Promise<void> }): Promise<void> {
  try {
    if (core.state === 'open') {
      core.state = 'closing';
      updateRefusals(core);
      stopTimers(core);
      if (core.stalled) rejectWaiters(core, 'log-full');
      await writeOut(core);
      stopTimers(core);
    }
    // One may begin another.
    while (core.tasks.size > 0) await Promise.all(core.tasks);
    // A worker may have been in the middle of a record.
    if (core.state === 'closing') await writeOut(core);
    while (core.tasks.size > 0) await Promise.all(core.tasks);
    if (core.state === 'closing') core.state = 'closed';
    updateRefusals(core);
    stopTimers(core);
    rejectWaiters(core, 'log-closed');
    await closeFiles(core);
  } finally {
    await lock.release();
  }
}

async function writeOut(core: Core): Promise<void> {
  // What can't be written was never committed: the owner has promised nothing for it.
  await durable(core, core.position).catch(() => undefined);
  // What was committed before a batch that found no room was.
  if (core.stalled) syncLast(core);
}

export async function closeFiles(core: Core): Promise<void> {
  core.filesClosed = true;
  for (const segment of core.segments.values()) await closeFile(segment);
  if (core.spare !== undefined) await closeFile(core.spare);
}

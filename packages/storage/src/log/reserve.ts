/** Space kept back, as a file of real zeros, so that acknowledgements and the batch in flight survive a full disk. */
import { DiskError, type DiskFile } from '../disk/disk.ts';
import { type Core, sleep, turn, updateRefusals } from './core.ts';
import { becomeFull, flush } from './writer.ts';

const SLICE_BYTES = 512 * 1024;
const RETRY_MS = 1000;

/** At opening. Without room for it the log opens full. */
export async function makeReserve(core: Core): Promise<void> {
  if (!(await writeReserve(core))) becomeFull(core);
}

/**
 * Works while the disk is full: gives up the reserve, lets the batch that stopped go on, and tries to get the
 * reserve back; when that succeeds there is room again.
 */
export async function makeRoom(core: Core): Promise<void> {
  while (core.full && core.state === 'open') {
    if (core.stalled) {
      await dropReserve(core);
      // Closing meanwhile, it is the close that says what becomes of the batch.
      if (core.state !== 'open') return;
      resume(core);
    }
    if (!core.stalled) {
      if (await writeReserve(core)) {
        core.full = false;
        updateRefusals(core);
        core.onEvent({ type: 'writable' });
        for (const worker of Object.values(core.workers)) worker.poke();
        return;
      }
      if (core.stalled) continue;
    }
    await sleep(core, RETRY_MS);
  }
}

/** Another try at the batch that stopped: it goes on, or stalls again. */
function resume(core: Core): void {
  core.stalled = false;
  flush(core);
  core.exhausted = core.stalled;
  updateRefusals(core);
}

function reservePath(core: Core): string {
  return `${core.directory}/reserve`;
}

async function dropReserve(core: Core): Promise<void> {
  core.reserveBytes = 0;
  try {
    await core.disk.remove(reservePath(core));
  } catch (error) {
    if (!(error instanceof DiskError) || error.code !== 'ENOENT') throw error;
  }
}

/** False if there is no room for it; then nothing of it is left. */
async function writeReserve(core: Core): Promise<boolean> {
  const file = await openReserve(core);
  if (file === undefined) return false;
  const wanted = core.limits.reserveBytes;
  try {
    let size = await file.size();
    if (size < wanted) {
      const zeros = Buffer.alloc(Math.min(SLICE_BYTES, wanted));
      while (size < wanted) {
        // A batch that stalls meanwhile needs the room more.
        if (core.stalled || core.state !== 'open') break;
        size += file.write(zeros, 0, Math.min(zeros.length, wanted - size), size);
        core.reserveBytes = size;
        await turn(core);
      }
      if (size >= wanted) {
        await file.sync();
        await core.disk.syncDirectory(core.directory);
      }
    } else if (size > wanted) await file.truncate(wanted);
    core.reserveBytes = Math.min(size, wanted);
  } catch (error) {
    if (!(error instanceof DiskError) || error.code !== 'ENOSPC') throw error;
  } finally {
    await file.close();
  }
  if (core.reserveBytes >= wanted && !core.stalled) return true;
  await dropReserve(core);
  return false;
}

async function openReserve(core: Core): Promise<DiskFile | undefined> {
  for (const create of [false, true]) {
    try {
      return await core.disk.open(reservePath(core), { create });
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      if (error.code === 'ENOSPC') return undefined;
      if (error.code !== 'ENOENT' || create) throw error;
    }
  }
  return undefined;
}

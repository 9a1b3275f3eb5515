/** What to do with bytes that aren't what was written: keep them in `quarantine/`, tell, and go on without them. */
import { DiskError, type DiskFile } from '../disk/disk.ts';
import { LogError } from '../errors.ts';
import type { Core } from './core.ts';
import type { Part, Segment } from './segment.ts';

export function quarantinePath(directory: string): string {
  return `${directory}/quarantine`;
}

/** A message that can't be read: its bytes are kept and the message counts as consumed, so that it pins nothing. */
export async function setAside(
  core: Core,
  segment: Segment,
  offset: number,
  bytes: Uint8Array,
  part: Part,
  sequence: number,
  size: number,
): Promise<void> {
  const stream = core.streams.get(part.stream);
  if (stream === undefined || stream.acknowledged.has(sequence)) return;
  await quarantine(core, segment.number, offset, bytes);
  if (core.state !== 'open' || stream.removed || stream.acknowledged.has(sequence)) return;
  stream.consumeDamaged(part, sequence, size);
}

/** Keeps the bytes and tells. Bytes that are kept already are only told again. @throws LogError `read-failed` */
export async function quarantine(
  core: Core,
  segment: number,
  offset: number,
  bytes: Uint8Array,
): Promise<void> {
  const folder = quarantinePath(core.directory);
  const path = `${folder}/${String(segment).padStart(16, '0')}-${offset}.damaged`;
  try {
    const file = await openKept(core, path);
    try {
      if (!(await holds(file, bytes))) {
        for (let at = 0; at < bytes.length; ) at += file.write(bytes, at, bytes.length - at, at);
        await file.sync();
      }
    } finally {
      await file.close();
    }
    await core.disk.syncDirectory(folder);
  } catch (error) {
    // A full disk must not hide the damage: it is told all the same.
    if (!(error instanceof DiskError)) throw error;
    if (error.code !== 'ENOSPC') {
      throw new LogError('read-failed', `Damaged bytes of segment ${segment} could not be kept in ${path}.`, {
        cause: error,
      });
    }
  }
  core.counters.damagedRecords++;
  core.onEvent({ type: 'damaged', segment, offset, bytes: bytes.length, quarantinePath: path });
}

/** There may be one from before, also one that a crash or a full disk cut short. */
async function openKept(core: Core, path: string): Promise<DiskFile> {
  try {
    return await core.disk.open(path, { create: true });
  } catch (error) {
    if (!(error instanceof DiskError) || error.code !== 'EEXIST') throw error;
    return core.disk.open(path, { create: false });
  }
}

async function holds(file: DiskFile, bytes: Uint8Array): Promise<boolean> {
  const kept = Buffer.allocUnsafeSlow(bytes.length);
  const filled = await file.read(kept, 0).catch(() => 0);
  return filled === bytes.length && kept.equals(bytes);
}

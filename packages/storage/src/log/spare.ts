/** Makes the next segment ahead of time, with its name and header on the device before any record goes into it. */
import { DiskError } from '../disk/disk.ts';
import { encodeHeader, SEGMENT_HEADER } from '../format/header.ts';
import { type Core, sleep } from './core.ts';
import { closeFile, makeSegment, type Segment, segmentsPath } from './segment.ts';

export async function makeSpare(core: Core): Promise<void> {
  while (core.spare === undefined && core.state === 'open') {
    try {
      core.spare = await createSegment(core);
    } catch (error) {
      if (!(error instanceof DiskError) || error.code !== 'ENOSPC') throw error;
      // Until there is room the active segment grows past its size.
      await sleep(core, 1000);
    }
  }
}

export async function createSegment(core: Core): Promise<Segment> {
  const segment = makeSegment(core.directory, core.identity, core.nextSegment, core.limits.segmentBytes);
  const file = await core.disk.open(segment.path, { create: true });
  segment.file = file;
  try {
    const header = encodeHeader({
      identity: core.identity,
      number: segment.number,
      createdMs: core.clock.now(),
    });
    for (let at = 0; at < SEGMENT_HEADER; ) at += file.write(header, at, SEGMENT_HEADER - at, at);
    await file.sync();
    await core.disk.syncDirectory(segmentsPath(core.directory));
  } catch (error) {
    await closeFile(segment);
    if (error instanceof DiskError && error.code === 'ENOSPC') await core.disk.remove(segment.path);
    throw error;
  }
  core.nextSegment++;
  return segment;
}

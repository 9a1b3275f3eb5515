import { statfs } from 'node:fs/promises';
import { type Journal, readJournal } from './journal.ts';
import { currentRelease, type HostLayout } from './layout.ts';
import { type LockHolder, lockHolder } from './lock.ts';
import { type ListedRelease, listReleases, previousRelease, readRecord } from './records.ts';

/** Where a host stands. */
export interface HostStatus {
  /** What `current` leads to. */
  readonly current: {
    readonly name: string;
    readonly id: string | null;
    readonly version: string | null;
  } | null;
  /** Where a rollback would lead. */
  readonly previous: string | null;
  /** A switch that nobody has brought to its end. */
  readonly unfinished: Journal | null;
  /** Newest first. */
  readonly releases: readonly ListedRelease[];
  readonly lock: LockHolder | null;
  /** Null when the root isn't there yet. */
  readonly freeBytes: number | null;
}

/** Looks, and changes nothing. */
export async function readStatus(layout: HostLayout): Promise<HostStatus> {
  const current = await currentRelease(layout);
  const record = current === null ? undefined : await readRecord(layout, current);
  const unfinished = (await readJournal(layout)) ?? null;
  const previous =
    unfinished?.kind === 'deploy' && unfinished.to === current
      ? unfinished.from
      : ((await previousRelease(layout, current)) ?? null);
  return {
    current:
      current === null ? null : { name: current, id: record?.id ?? null, version: record?.version ?? null },
    previous,
    unfinished,
    releases: await listReleases(layout),
    lock: await lockHolder(layout),
    freeBytes: await statfs(layout.root).then(
      ({ bavail, bsize }) => bavail * bsize,
      () => null,
    ),
  };
}

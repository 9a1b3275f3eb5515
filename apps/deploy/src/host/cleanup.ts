import { randomBytes } from 'node:crypto';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readJournal } from './journal.ts';
import { currentRelease, type HostLayout, namesIn } from './layout.ts';
import { listReleases, previousRelease } from './records.ts';

/**
 * Removes releases but the newest few, and what interrupted transfers have left. Never what runs, what a rollback
 * leads to, what a switch is about, or what somebody else has put there. Resolves to the names that are gone.
 */
export async function cleanUp(layout: HostLayout, keep: number): Promise<string[]> {
  const current = await currentRelease(layout);
  const journal = await readJournal(layout);
  const stays = new Set<string | null | undefined>([
    current,
    await previousRelease(layout, current),
    journal?.from,
    journal?.to,
  ]);
  const ours = (await listReleases(layout)).filter(({ id }) => id !== null);
  for (const { name } of ours.slice(0, keep)) stays.add(name);
  const removed = ours.flatMap(({ name }) => (stays.has(name) ? [] : [name]));
  for (const name of removed) await removeRelease(layout, name);
  for (const name of await namesIn(layout.releases)) {
    if (name.startsWith('.') && name.endsWith('.fetching')) await bury(layout, join(layout.releases, name));
  }
  for (const name of await namesIn(layout.incoming)) await rm(join(layout.incoming, name), { force: true });
  for (const name of await namesIn(layout.trash))
    await rm(join(layout.trash, name), { recursive: true, force: true });
  return removed;
}

export async function removeRelease(layout: HostLayout, name: string): Promise<void> {
  // The folder first: a record without it counts for nothing, but a folder without a record is taken for somebody else's.
  const grave = await bury(layout, layout.release(name));
  await rm(layout.record(name), { force: true });
  await rm(layout.releaseFile(name), { force: true });
  await rm(grave, { recursive: true, force: true });
}

/** Renamed before it is removed, so that a crash leaves no half of a release at its name. */
async function bury(layout: HostLayout, path: string): Promise<string> {
  await mkdir(layout.trash, { recursive: true });
  const grave = join(layout.trash, randomBytes(8).toString('hex'));
  await rename(path, grave);
  return grave;
}

import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { openRelease, type Release } from '../release/container.ts';
import { pathFromBytes } from '../release/path.ts';
import type { Fetched } from '../swarm/fetch.ts';
import { compareTree, type Difference } from '../tree/compare.ts';
import { removeRelease } from './cleanup.ts';
import type { StepContext } from './context.ts';
import { syncFolder } from './durable.ts';
import { HostError } from './errors.ts';
import { readJournal } from './journal.ts';
import { currentRelease } from './layout.ts';
import type { FetchResult, ReleaseRef, StepRequest } from './protocol.ts';
import { listReleases, readRecord, readStack, writeRecord } from './records.ts';
import { isLinked } from './shared.ts';

/** Older releases that are searched for unchanged parts: each is read once. */
const REUSED_MAX = 2;
const PROGRESS_EVERY_MS = 250;

/** Takes a piece of the release file. @throws HostError `protocol` */
export async function receive({ layout }: StepContext, request: StepRequest<'receive'>): Promise<void> {
  const { release, offset, data } = request;
  const bytes = Buffer.from(data, 'base64');
  if (offset + bytes.length > release.bytes)
    throw new HostError('protocol', 'The release file is longer than was said');
  // Written at its place: a piece that comes twice does no harm.
  await using handle = await open(layout.incomingFile(release.id), offset === 0 ? 'w' : 'r+', 0o600);
  await handle.write(bytes, 0, bytes.length, offset);
  if (request.last) await handle.sync();
}

/** Whether one need not be sent: one that is damaged, or whose signer isn't trusted, says nothing for the next. */
export async function hasReleaseFile(context: StepContext, release: ReleaseRef): Promise<boolean> {
  return openReleaseFile(context, release).then(
    () => true,
    () => false,
  );
}

/**
 * The release file: as it came last, or else as it is kept with its release.
 * @throws HostError, ReleaseError: why it is none
 */
async function openReleaseFile(
  { layout, trust }: StepContext,
  release: ReleaseRef,
): Promise<{ readonly path: string; readonly bytes: Buffer; readonly opened: Release }> {
  let failure: unknown;
  for (const path of [layout.incomingFile(release.id), layout.releaseFile(release.name)]) {
    if (!(await isSize(path, release.bytes))) continue;
    try {
      const bytes = await readFile(path);
      const opened = openRelease(bytes, trust);
      if (opened.id === release.id) return { path, bytes, opened };
      failure ??= new HostError('protocol', `${path}: this is not the release that was announced`);
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure ?? new HostError('protocol', `The release file of ${release.name} has not come whole`);
}

export interface FetchedRelease {
  readonly result: FetchResult;
  /** Goes on seeding until it is closed; undefined when the tree was here and is nobody else's source. */
  readonly seeding: Fetched | undefined;
}

/**
 * Makes the release be on this host: whole, verified, synced, and noted.
 * @throws HostError, ReleaseError
 */
export async function fetchRelease(
  context: StepContext,
  { release, trackers, stallMs, rack }: StepRequest<'fetch'>,
): Promise<FetchedRelease> {
  const { layout, trust, signal } = context;
  const began = performance.now();
  const record = await readRecord(layout, release.name);
  if (record !== undefined && record.id !== release.id) {
    throw new HostError(
      'release-conflict',
      `${layout.release(release.name)} is another release (${record.version}, ${record.id.slice(0, 16)}); give this one another version, or a name with --as`,
    );
  }
  const { path, bytes, opened } = await openReleaseFile(context, release);
  const kept = layout.releaseFile(release.name);
  let file = path;
  if (record !== undefined) {
    const differences = await differencesOf(context, release.name, bytes);
    if (differences.length === 0) {
      if (file !== kept) await rename(file, kept);
      const treeBytes = opened.manifest.chunks.lengths.reduce((sum, length) => sum + length, 0);
      const result = {
        fetchedBytes: 0,
        reusedBytes: treeBytes,
        httpBytes: 0,
        peers: 0,
        seconds: secondsSince(began),
        present: true,
      };
      return { result, seeding: undefined };
    }
    if (await isInUse(context, release.name)) {
      throw new HostError(
        'tree-wrong',
        `${layout.release(release.name)} was changed after it was deployed, and is in use: ${differences[0]!.detail}`,
      );
    }
    // The release file is kept: it is what the tree is fetched by.
    file = layout.incomingFile(release.id);
    await rename(path, file);
    await removeRelease(layout, release.name);
  } else {
    // Of a release whose folder is gone: it must not be taken for what comes to its place.
    await rm(layout.record(release.name), { force: true });
  }

  const current = await currentRelease(layout);
  const listed = await listReleases(layout);
  const older = listed.map(({ name }) => name).filter((name) => name !== current && name !== release.name);
  const reuse = [...(current === null || current === release.name ? [] : [current]), ...older].slice(
    0,
    REUSED_MAX,
  );
  let due = 0;
  // Loaded by who needs it: most of what the host's side costs to start is BitTorrent.
  const { fetch } = await import('../swarm/fetch.ts');
  const seeding = await fetch({
    release: bytes,
    to: layout.release(release.name),
    trust,
    trackers,
    reuse: reuse.map((name) => layout.release(name)),
    stallMs,
    ...(rack === undefined ? {} : { rack }),
    signal,
    onProgress(progress) {
      const now = performance.now();
      if (now < due && progress.doneBytes < progress.totalBytes) return;
      due = now + PROGRESS_EVERY_MS;
      context.emit({ event: 'progress', ...progress });
    },
  });
  try {
    await rename(file, kept);
    await syncFolder(layout.records);
    // Last: who has this record has the tree, on the device.
    const number = 1 + Math.max(0, ...listed.map((one) => one.number));
    await writeRecord(layout, { ...release, number, fetchedAt: new Date().toISOString() });
  } catch (error) {
    await seeding.close();
    throw error;
  }
  const { fetchedBytes, reusedBytes, webSeedBytes, peers, seconds } = seeding;
  return {
    result: { fetchedBytes, reusedBytes, httpBytes: webSeedBytes, peers, seconds, present: false },
    seeding,
  };
}

/** What isn't as it was fetched, but for what is linked and what hooks have added. */
async function differencesOf(
  { layout, settings, trust }: StepContext,
  name: string,
  bytes: Uint8Array,
): Promise<Difference[]> {
  const inBytes = (path: string): string => pathFromBytes(Buffer.from(path));
  const linked = {
    ...settings,
    linkedFiles: settings.linkedFiles.map(inBytes),
    linkedFolders: settings.linkedFolders.map(inBytes),
  };
  const entries = openRelease(bytes, trust).manifest.entries.filter(({ path }) => !isLinked(linked, path));
  return (await compareTree({ entries }, layout.release(name))).filter(({ kind }) => kind !== 'extra');
}

async function isInUse({ layout }: StepContext, name: string): Promise<boolean> {
  const journal = await readJournal(layout);
  return (
    (await currentRelease(layout)) === name ||
    journal?.from === name ||
    journal?.to === name ||
    (await readStack(layout)).includes(name)
  );
}

async function isSize(path: string, bytes: number): Promise<boolean> {
  return stat(path).then(
    ({ size }) => size === bytes,
    () => false,
  );
}

function secondsSince(began: number): number {
  return (performance.now() - began) / 1000;
}

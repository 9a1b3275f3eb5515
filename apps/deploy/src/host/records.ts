import { stat } from 'node:fs/promises';
import { readJson, writeDurably } from './durable.ts';
import { type HostLayout, namesIn } from './layout.ts';
import type { ReleaseRef } from './protocol.ts';

/** A release that is on the host, whole: written after its tree was verified, synced and renamed to its place. */
export interface ReleaseRecord extends ReleaseRef {
  /** Which is newer than which: clocks are put right, or wrong. */
  readonly number: number;
  /** RFC 3339. */
  readonly fetchedAt: string;
}

export interface ListedRelease {
  readonly name: string;
  /** Null for a folder that somebody else has made, such as Capistrano. */
  readonly id: string | null;
  readonly app: string | null;
  readonly version: string | null;
  /** Higher than those of all that came before it; 0 for a folder that somebody else has made. */
  readonly number: number;
  readonly at: string;
}

const LISTED_MAX = 1_000;
const STACK_MAX = 100;

export async function readRecord(layout: HostLayout, name: string): Promise<ReleaseRecord | undefined> {
  const record = await readJson<ReleaseRecord>(layout.record(name));
  return record !== undefined && (await isFolder(layout.release(name))) ? record : undefined;
}

export async function writeRecord(layout: HostLayout, record: ReleaseRecord): Promise<void> {
  await writeDurably(layout.record(record.name), JSON.stringify(record));
}

/** What is in `releases/`, newest first; what others have made there comes last. */
export async function listReleases(layout: HostLayout): Promise<ListedRelease[]> {
  const listed: ListedRelease[] = [];
  for (const name of (await namesIn(layout.releases)).slice(0, LISTED_MAX)) {
    if (name.startsWith('.')) continue;
    const record = await readRecord(layout, name);
    if (record !== undefined) {
      const { id, app, version, number, fetchedAt: at } = record;
      listed.push({ name, id, app, version, number, at });
    } else if (await isFolder(layout.release(name))) {
      listed.push({
        name,
        id: null,
        app: null,
        version: null,
        number: 0,
        at: (await stat(layout.release(name))).mtime.toISOString(),
      });
    }
  }
  return listed.sort((a, b) => b.number - a.number || (a.at < b.at ? 1 : -1));
}

export async function releaseIsThere(layout: HostLayout, name: string): Promise<boolean> {
  return isFolder(layout.release(name));
}

/** Names that were finished, oldest first. The last is what should run, the one before it where a rollback leads. */
export async function readStack(layout: HostLayout): Promise<string[]> {
  const stack = await readJson<unknown>(layout.stack);
  return Array.isArray(stack) ? stack.filter((name) => typeof name === 'string') : [];
}

export async function writeStack(layout: HostLayout, stack: readonly string[]): Promise<void> {
  await writeDurably(layout.stack, JSON.stringify(stack.slice(-STACK_MAX)));
}

/** Where a rollback leads from what runs now; undefined when there is nothing. */
export async function previousRelease(
  layout: HostLayout,
  current: string | null,
): Promise<string | undefined> {
  const stack = await readStack(layout);
  const at = current === null ? -1 : stack.lastIndexOf(current);
  const before = at === -1 ? stack : stack.slice(0, at);
  for (const name of before.reverse()) {
    if (name !== current && (await releaseIsThere(layout, name))) return name;
  }
  return undefined;
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}

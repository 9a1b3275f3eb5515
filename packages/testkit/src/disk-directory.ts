import type { DiskContent } from './disk-content.ts';
import type { Random } from './random.ts';

/** A file apart from its names. It lives as long as a name or a handle holds it. */
export interface Inode {
  readonly content: DiskContent;
  handles: number;
}

/** A change of names that is not durable until its folder is synced. */
interface Change {
  readonly inode: Inode;
  /** The name that goes, the name that comes; with both it is a rename, and happens as one. */
  readonly from: string | null;
  readonly to: string | null;
}

/** The names of one simulated folder: as they are, and as they were when it was last synced. */
export class DiskDirectory {
  readonly names = new Map<string, Inode>();
  #durable = new Map<string, Inode>();
  #changes: Change[] = [];

  link(name: string, inode: Inode): void {
    this.#change({ inode, from: null, to: name });
  }

  unlink(name: string, inode: Inode): void {
    this.#change({ inode, from: name, to: null });
  }

  rename(from: string, to: string, inode: Inode): void {
    this.#change({ inode, from, to });
  }

  /** All files that have a name here, or may have one again after a crash. */
  *everNamed(): Iterable<Inode> {
    yield* this.names.values();
    yield* this.#durable.values();
    for (const { inode } of this.#changes) yield inode;
  }

  /** What a sync that begins now will make durable. */
  beginSync(): readonly unknown[] {
    return this.#changes.slice();
  }

  finishSync(changes: readonly unknown[]): void {
    const covered = new Set(changes);
    for (const change of this.#changes) if (covered.has(change)) apply(this.#durable, change);
    this.#changes = this.#changes.filter((change) => !covered.has(change));
  }

  /** The power fails: any subset of the changes since the last sync stays. */
  crash(random: Random): void {
    const keep = random.pick([0, 0.5, 1]);
    for (const change of this.#changes) if (random.chance(keep)) apply(this.#durable, change);
    this.#changes = [];
    this.names.clear();
    for (const [name, inode] of this.#durable) this.names.set(name, inode);
  }

  #change(change: Change): void {
    this.#changes.push(change);
    apply(this.names, change);
  }
}

function apply(names: Map<string, Inode>, { inode, from, to }: Change): void {
  if (from !== null) {
    // When the change that made the old name was lost, what builds on it is lost too.
    if (names.get(from) !== inode) return;
    names.delete(from);
  }
  if (to !== null) names.set(to, inode);
}

/** `rookery-bus tail`: the lines of a file that is rotated, each once, from where the last one went on. */
import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Publisher } from '../../spool/index.ts';
import { type Line, LineSplitter } from '../lines.ts';
import type { Tally } from '../tally.ts';
import { type FileIdentity, HEAD_BYTES, identityOf, isSame } from './identity.ts';

/** How often a file is looked at: an event is out within it, and a look costs some 20 us. */
const POLL_MS = 100;
/** A file that was renamed is still written to until its server has opened the new one. */
const ROTATED_QUIET_MS = 1000;
/** As much at a time as a page cache gives well. */
const READ_BYTES = 256 * 1024;

export interface FollowOptions {
  readonly groups: readonly string[];
  /** Of a file that was never followed before: its first line, or what comes. */
  readonly fromStart: boolean;
}

interface Place {
  readonly identity: FileIdentity;
  readonly offset: number;
}

/** Follows a file until the signal is given; then reads to its end once more. */
export async function follow(
  path: string,
  options: FollowOptions,
  publisher: Publisher,
  tally: Tally,
  signal: AbortSignal,
): Promise<void> {
  const follower = new Follower(resolve(path), options, publisher, tally, signal);
  try {
    await follower.run();
  } finally {
    await follower.close();
  }
}

class Follower {
  readonly #path: string;
  readonly #options: FollowOptions;
  readonly #publisher: Publisher;
  readonly #tally: Tally;
  readonly #signal: AbortSignal;
  readonly #buffer = Buffer.allocUnsafe(READ_BYTES);
  #file: FileHandle | undefined;
  #identity: FileIdentity | undefined;
  /** Behind the last whole line that was published. */
  #offset = 0;
  #splitter = new LineSplitter();
  /** Read, and part of a line without an end. */
  #readTo = 0;
  #missing = false;
  /** The spool was full when the signal came: what is behind the last line is for the next time. */
  #stopped = false;

  constructor(path: string, options: FollowOptions, publisher: Publisher, tally: Tally, signal: AbortSignal) {
    this.#path = path;
    this.#options = options;
    this.#publisher = publisher;
    this.#tally = tally;
    this.#signal = signal;
  }

  async run(): Promise<void> {
    const place = this.#storedPlace();
    if (place !== undefined) await this.#catchUp(place);
    let first = place === undefined;
    let quietSince = performance.now();
    while (!this.#signal.aborted) {
      if (this.#file === undefined) {
        await this.#open(first && !this.#options.fromStart);
        first = false;
        quietSince = performance.now();
      }
      if (await this.#readOn()) quietSince = performance.now();
      else if (this.#file !== undefined && (await this.#wasRotated())) {
        if (performance.now() - quietSince >= ROTATED_QUIET_MS) await this.#endFile();
        else await this.#pause();
      } else await this.#pause();
    }
    await this.#readOn();
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }

  async #pause(): Promise<void> {
    await delay(POLL_MS, undefined, { signal: this.#signal }).catch(() => undefined);
  }

  #storedPlace(): Place | undefined {
    const stored = this.#publisher.positions[this.#path];
    return stored === undefined ? undefined : (JSON.parse(stored) as Place);
  }

  /** The file of the last time is found by what it is; what was rotated away since is read first, the oldest first. */
  async #catchUp({ identity, offset }: Place): Promise<void> {
    const names = await rotatedNames(this.#path);
    for (const [index, name] of names.entries()) {
      const file = await open(name).catch(() => undefined);
      if (file === undefined) continue;
      if (!(await isSame(file, identity))) {
        await file.close();
        continue;
      }
      this.#use(file, await identityOf(file, offset), offset);
      if (name === this.#path) return;
      await this.#readToEnd();
      for (const later of names.slice(index + 1)) {
        if (later === this.#path) break;
        const next = await open(later).catch(() => undefined);
        if (next === undefined) continue;
        this.#use(next, await identityOf(next, 0), 0);
        await this.#readToEnd();
      }
      return;
    }
    this.#tally.say(
      `${this.#path}: what it was when it was read last is not there any more; read from its start`,
    );
  }

  async #readToEnd(): Promise<void> {
    while (!this.#signal.aborted && (await this.#readOn()));
    if (!this.#signal.aborted) await this.#endFile();
  }

  async #open(atEnd: boolean): Promise<void> {
    const file = await open(this.#path).catch((error: NodeJS.ErrnoException) => {
      if (!this.#missing) this.#tally.say(`${this.#path} can't be read (${error.code}); waiting for it`);
      this.#missing = true;
      return undefined;
    });
    if (file === undefined) return;
    this.#missing = false;
    const { size } = await file.stat();
    this.#use(file, await identityOf(file, atEnd ? size : 0), atEnd ? size : 0);
  }

  #use(file: FileHandle, identity: FileIdentity, offset: number): void {
    void this.#file?.close();
    this.#file = file;
    this.#identity = identity;
    this.#startAt(offset);
  }

  #startAt(offset: number): void {
    this.#offset = offset;
    this.#readTo = offset;
    this.#splitter = new LineSplitter();
  }

  /** Publishes what has come. False if nothing has. */
  async #readOn(): Promise<boolean> {
    const file = this.#file;
    if (file === undefined || this.#stopped) return false;
    await this.#noticeTruncation(file);
    const { bytesRead } = await file.read(this.#buffer, 0, READ_BYTES, this.#readTo);
    if (bytesRead === 0) return false;
    // A hash of what was there first: an empty file has no name for itself yet.
    if (this.#identity!.headBytes < this.#readTo + bytesRead && this.#identity!.headBytes < HEAD_BYTES) {
      this.#identity = await identityOf(file, this.#readTo + bytesRead);
    }
    this.#readTo += bytesRead;
    for (const line of this.#splitter.push(this.#buffer.subarray(0, bytesRead))) {
      if (!(await this.#publish(line))) return false;
    }
    return true;
  }

  /** Cut short and written anew (copytruncate), or by something that begins otherwise. */
  async #noticeTruncation(file: FileHandle): Promise<void> {
    const { size } = await file.stat();
    if (size >= this.#readTo && (await isSame(file, this.#identity!))) return;
    if (this.#readTo > 0) this.#tally.say(`${this.#path} was truncated; read from its start`);
    this.#identity = await identityOf(file, 0);
    this.#startAt(0);
  }

  async #wasRotated(): Promise<boolean> {
    const named = await stat(this.#path, { bigint: true }).catch(() => undefined);
    return (
      named === undefined ||
      String(named.dev) !== this.#identity!.device ||
      String(named.ino) !== this.#identity!.inode
    );
  }

  /** Its last line may have no end. */
  async #endFile(): Promise<void> {
    const last = this.#splitter.end();
    if (last !== undefined) await this.#publish(last);
    await this.close();
  }

  /** False if the signal was given first. The line and the place behind it are kept together. */
  async #publish({ bytes, cut, consumed }: Line): Promise<boolean> {
    const offset = this.#offset + consumed;
    const place: Place = { identity: this.#identity!, offset };
    if (cut) this.#tally.add('cut');
    const position = { name: this.#path, at: JSON.stringify(place) };
    while (bytes.length > 0 && !this.#publisher.offer(this.#options.groups, bytes, {}, position)) {
      // The file holds the rest.
      if (this.#signal.aborted) {
        this.#stopped = true;
        return false;
      }
      await this.#publisher.room(this.#signal);
    }
    if (bytes.length > 0) this.#tally.add('published');
    this.#offset = offset;
    return true;
  }
}

/** The file and those that it was renamed to, as far as their names begin like its own; the oldest first. */
async function rotatedNames(path: string): Promise<string[]> {
  const folder = dirname(path);
  const base = basename(path);
  const names = (await readdir(folder).catch(() => [])).filter(
    (name) =>
      name === base ||
      ((name.startsWith(`${base}.`) || name.startsWith(`${base}-`)) && !/\.(gz|zst|xz|bz2)$/.test(name)),
  );
  const files = await Promise.all(
    names.map(async (name) => {
      const found = await stat(join(folder, name)).catch(() => undefined);
      return { name: join(folder, name), modifiedMs: found?.mtimeMs ?? 0, isFile: found?.isFile() ?? false };
    }),
  );
  return files
    .filter(({ isFile }) => isFile)
    .sort((a, b) => {
      if (a.name === path || b.name === path) return a.name === path ? 1 : -1;
      return a.modifiedMs - b.modifiedMs || byRotation(a.name, b.name);
    })
    .map(({ name }) => name);
}

/** Of files of one moment: `.2` is older than `.1`, and a date sorts as it reads. */
function byRotation(a: string, b: string): number {
  const [first, second] = [a, b].map((name) => Number(/\.(\d{1,3})$/.exec(name)?.[1]));
  if (first! >= 0 && second! >= 0) return second! - first!;
  return a < b ? -1 : 1;
}

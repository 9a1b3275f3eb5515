import { posix } from 'node:path';
import type { SimulatedClock } from './clock.ts';
import { DiskContent } from './disk-content.ts';
import { DiskDirectory, type Inode } from './disk-directory.ts';
import { type Machine, SimulatedFile } from './disk-file.ts';
import {
  type CrashKind,
  type DiskFault,
  type DiskOperation,
  SimulatedDiskError,
  type SimulatedDiskOptions,
} from './disk-types.ts';
import { Random } from './random.ts';

interface Pending {
  readonly effect: () => void;
}

interface Fault {
  readonly spec: DiskFault;
  passes: number;
  left: number;
}

/**
 * The one simulated disk, with the fault model of docs/internals/storage.md behind the shape of the storage package's
 * `Disk`. Everything it decides is drawn from one seeded generator, everything that takes time is an event of the
 * simulated clock.
 *
 * @example
 * const disk = new SimulatedDisk({ clock, random: new Random(7) });
 * const log = await clock.run(openLog({ disk, clock, directory: '/data', sync: 'always' }));
 * disk.crash(); // the power fails
 * disk.restart(); // old handles stay dead
 */
export class SimulatedDisk {
  capacityBytes: number;
  shortWriteChance: number;
  /** Operations begun and completed so far: what `crashAfter` counts. */
  operations = 0;
  crashes = 0;
  /** Files that the program has opened and not closed. */
  openFiles = 0;
  /** When the last crash was, by the clock's `elapsedMs`. */
  crashedAtMs = Number.NEGATIVE_INFINITY;
  /** What a program did that goes wrong on real systems, such as closing a file that is being read. */
  readonly misuses: string[] = [];

  readonly #error: (code: string, message: string) => Error;
  readonly #clock: SimulatedClock;
  readonly #random: Random;
  readonly #syncMs: readonly [number, number];
  readonly #readMs: readonly [number, number];
  readonly #directoryMs: readonly [number, number];
  readonly #writeBackChance: number;
  readonly #directories = new Map<string, DiskDirectory>();
  readonly #locks = new Set<string>();
  readonly #inFlight = new Set<Pending>();
  #faults: Fault[] = [];
  #usedBytes = 0;
  #down = false;
  /** Handles of earlier lives are dead. */
  #life = 0;
  #crashAt = Number.POSITIVE_INFINITY;
  #crashKind: CrashKind = 'power';

  constructor(options: SimulatedDiskOptions) {
    this.#error = options.makeError ?? ((code, message) => new SimulatedDiskError(code, message));
    this.#clock = options.clock;
    this.#random = options.random ?? new Random(0, 'disk');
    this.capacityBytes = options.capacityBytes ?? Number.POSITIVE_INFINITY;
    this.#syncMs = options.syncMs ?? [0.2, 8];
    this.#readMs = options.readMs ?? [0.02, 0.5];
    this.#directoryMs = options.directoryMs ?? [0.05, 2];
    this.shortWriteChance = options.shortWriteChance ?? 0.02;
    this.#writeBackChance = options.writeBackChance ?? 0.05;
    this.#directories.set('/', new DiskDirectory());
  }

  // ---- What the program under test sees

  makeDirectory(path: string): Promise<void> {
    return this.#later('makeDirectory', path, this.#directoryMs, () => {
      for (let at = posix.resolve(path); !this.#directories.has(at); at = posix.dirname(at)) {
        this.#directories.set(at, new DiskDirectory());
      }
    });
  }

  list(path: string): Promise<string[]> {
    return this.#later('list', path, this.#directoryMs, () => {
      return this.#random.shuffle([...this.#directory(path).names.keys()]);
    });
  }

  open(path: string, options: { create: boolean }): Promise<SimulatedFile> {
    return this.#later('open', path, this.#directoryMs, () => {
      const full = posix.resolve(path);
      const directory = this.#directory(posix.dirname(full));
      const name = posix.basename(full);
      let inode = directory.names.get(name);
      if (options.create) {
        if (inode !== undefined) throw this.#error('EEXIST', `${path} exists`);
        inode = { content: new DiskContent(), handles: 0 };
        directory.link(name, inode);
      }
      if (inode === undefined) throw this.#error('ENOENT', `${path} does not exist`);
      this.openFiles++;
      return new SimulatedFile(this.#machine, full, inode);
    });
  }

  rename(from: string, to: string): Promise<void> {
    return this.#later('rename', from, this.#directoryMs, () => {
      const [source, name, inode] = this.#find(from);
      const target = this.#directory(posix.dirname(posix.resolve(to)));
      const replacedName = posix.basename(posix.resolve(to));
      const replaced = target.names.get(replacedName);
      if (source === target) source.rename(name, replacedName, inode);
      else {
        target.link(replacedName, inode);
        source.unlink(name, inode);
      }
      if (replaced !== undefined && replaced !== inode) this.#forgetIfFree(replaced);
    });
  }

  remove(path: string): Promise<void> {
    return this.#later('remove', path, this.#directoryMs, () => {
      const [directory, name, inode] = this.#find(path);
      directory.unlink(name, inode);
      this.#forgetIfFree(inode);
    });
  }

  syncDirectory(path: string): Promise<void> {
    const changes = this.#down ? [] : this.#directory(path).beginSync();
    return this.#later('syncDirectory', path, this.#syncMs, () => this.#directory(path).finishSync(changes));
  }

  lock(path: string): Promise<{ release(): Promise<void> }> {
    return this.#later('lock', path, this.#directoryMs, () => {
      const full = posix.resolve(path);
      if (this.#locks.has(full)) throw this.#error('ELOCKED', `${path} is locked`);
      this.#locks.add(full);
      const life = this.#life;
      return {
        release: (): Promise<void> =>
          this.#later('close', path, this.#directoryMs, () => {
            if (life === this.#life) this.#locks.delete(full);
          }),
      };
    });
  }

  // ---- What the test does to it

  /** True from a crash until `restart`. */
  get down(): boolean {
    return this.#down;
  }

  /** Bytes of all files, also of removed ones that are still open. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** The power fails. */
  crash(): void {
    this.#goDown();
    for (const inode of this.#inodes()) inode.content.crash(this.#random);
    for (const directory of this.#directories.values()) directory.crash(this.#random);
    this.#recount();
  }

  /** The process is killed; the machine runs on. */
  kill(): void {
    this.#goDown();
    for (const inode of this.#inodes()) inode.content.kill(this.#random);
    this.#recount();
  }

  /** After a crash: the machine is there again. Whatever an old life still tries does not reach it. */
  restart(): void {
    this.#down = false;
  }

  /** Crashes by itself when so many more operations have begun or completed. A write may get half its bytes out first. */
  crashAfter(operations: number, kind: CrashKind): void {
    this.#crashAt = this.operations + operations;
    this.#crashKind = kind;
  }

  /** Lets operations fail; the returned function takes the fault away. */
  inject(spec: DiskFault): () => void {
    const fault = { spec, passes: spec.after ?? 0, left: spec.times ?? 1 };
    this.#faults.push(fault);
    return () => {
      this.#faults = this.#faults.filter((other) => other !== fault);
    };
  }

  /** All files, by path. */
  files(): { path: string; bytes: number }[] {
    const found: { path: string; bytes: number }[] = [];
    for (const [path, directory] of this.#directories) {
      for (const [name, inode] of directory.names) {
        found.push({ path: posix.join(path, name), bytes: inode.content.length });
      }
    }
    return found.sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  /** The bytes of a file as a read would see them. */
  contentOf(path: string): Buffer {
    const { content } = this.#find(path)[2];
    const buffer = Buffer.alloc(content.length);
    content.read(buffer, 0);
    return buffer;
  }

  /** Those of them that are certain to outlive a power loss. */
  durableContentOf(path: string): Buffer {
    return this.#find(path)[2].content.durable();
  }

  /** Changes bits of one byte at rest. */
  flip(path: string, position: number, mask: number): void {
    this.#find(path)[2].content.flip(position, mask);
  }

  // ---- Within

  /** What a file needs of its disk. */
  readonly #machine: Machine = {
    later: <T>(operation: DiskOperation, path: string, life: number, effect: () => T): Promise<T> => {
      const ms =
        operation === 'sync' ? this.#syncMs : operation === 'read' ? this.#readMs : this.#directoryMs;
      return life === this.#life ? this.#later(operation, path, ms, effect) : never();
    },
    write: (
      inode: Inode,
      path: string,
      life: number,
      buffer: Uint8Array,
      start: number,
      length: number,
      position: number,
    ): number => this.#write(inode, path, life, buffer, start, length, position),
    resize: (inode: Inode, length: number): void => {
      if (length > inode.content.length) this.#requireRoom(length - inode.content.length);
      this.#usedBytes += length - inode.content.length;
      inode.content.truncate(length);
    },
    closed: (inode: Inode): void => {
      this.openFiles--;
      this.#forgetIfFree(inode);
    },
    failSync: (inode: Inode, path: string): void => {
      const fault = this.#fault('sync', path);
      if (fault === undefined) return;
      inode.content.failSync(this.#random, fault.lost ?? this.#random.pick(['cached', 'evicted']));
      throw this.#error(fault.code ?? 'EIO', `sync of ${path} failed`);
    },
    life: (): number => (this.#down ? -1 : this.#life),
    misuse: (what: string): Error => {
      this.misuses.push(what);
      return this.#error('EBADF', what);
    },
  };

  #write(
    inode: Inode,
    path: string,
    life: number,
    buffer: Uint8Array,
    start: number,
    length: number,
    position: number,
  ): number {
    if (this.#down || life !== this.#life) throw this.#crashed();
    const { content } = inode;
    const room = Math.max(0, this.capacityBytes - this.#usedBytes);
    const growth = Math.max(0, position + length - content.length);
    let count = growth <= room ? length : Math.max(0, content.length + room - position);
    if (length > 0 && count <= 0) throw this.#error('ENOSPC', `no room for ${path}`);
    if (count > 1 && this.#random.chance(this.shortWriteChance)) count = this.#random.between(1, count);
    const crashes = this.#counts();
    const fault = crashes ? undefined : this.#fault('write', path);
    if (crashes || fault !== undefined) count = this.#random.between(0, count);
    this.#usedBytes += Math.max(0, position + count - content.length);
    content.write(buffer, start, count, position);
    if (crashes) {
      this.#crashNow();
      throw this.#crashed();
    }
    if (fault !== undefined) throw this.#error(fault.code ?? 'EIO', `write to ${path} failed`);
    if (this.#random.chance(this.#writeBackChance)) content.writeBack(this.#random);
    return count;
  }

  #later<T>(
    operation: DiskOperation,
    path: string,
    [fromMs, toMs]: readonly [number, number],
    effect: () => T,
  ): Promise<T> {
    if (this.#down) return never();
    if (this.#counts()) {
      this.#crashNow();
      return never();
    }
    return new Promise((resolve, reject) => {
      const pending = { effect };
      this.#inFlight.add(pending);
      const complete = (): void => {
        // It is not there any more when a crash came first.
        if (!this.#inFlight.has(pending)) return;
        if (this.#counts()) {
          this.#crashNow();
          return;
        }
        this.#inFlight.delete(pending);
        try {
          const fault = operation === 'sync' ? undefined : this.#fault(operation, path);
          if (fault) throw this.#error(fault.code ?? 'EIO', `${operation} of ${path} failed`);
          resolve(effect());
        } catch (error) {
          reject(error);
        }
      };
      this.#clock.schedule(complete, fromMs + this.#random.float() * (toMs - fromMs));
    });
  }

  /** Counts an operation; true when it is the one to crash at. */
  #counts(): boolean {
    this.operations++;
    return this.operations >= this.#crashAt;
  }

  /**
   * What a synchronous call throws at the moment of a crash and ever after: a program can't be stopped in the middle of
   * a call otherwise. It looks like any other failed write. Asynchronous calls just never complete.
   */
  #crashed(): Error {
    return this.#error('EIO', 'the simulated machine is down');
  }

  #crashNow(): void {
    if (this.#crashKind === 'kill') this.kill();
    else this.crash();
  }

  #goDown(): void {
    // What the program had asked for and not been answered may have happened all the same.
    for (const { effect } of this.#inFlight) {
      if (!this.#random.chance(0.5)) continue;
      try {
        effect();
      } catch {
        // Nobody is left to be told that it failed.
      }
    }
    this.#inFlight.clear();
    this.openFiles = 0;
    this.#locks.clear();
    this.#faults = [];
    this.#crashAt = Number.POSITIVE_INFINITY;
    this.#down = true;
    this.#life++;
    this.crashes++;
    this.crashedAtMs = this.#clock.elapsedMs;
  }

  #fault(operation: DiskOperation, path: string): DiskFault | undefined {
    for (const fault of this.#faults) {
      const { spec } = fault;
      if (fault.left <= 0 || spec.operation !== operation || !(spec.path?.(path) ?? true)) continue;
      if (fault.passes > 0) {
        fault.passes--;
        continue;
      }
      fault.left--;
      return spec;
    }
    return undefined;
  }

  #requireRoom(bytes: number): void {
    if (this.#usedBytes + bytes > this.capacityBytes) throw this.#error('ENOSPC', 'no room');
  }

  #directory(path: string): DiskDirectory {
    const directory = this.#directories.get(posix.resolve(path));
    if (directory === undefined) throw this.#error('ENOENT', `${path} does not exist`);
    return directory;
  }

  #find(path: string): [DiskDirectory, string, Inode] {
    const full = posix.resolve(path);
    const directory = this.#directory(posix.dirname(full));
    const name = posix.basename(full);
    const inode = directory.names.get(name);
    if (inode === undefined) throw this.#error('ENOENT', `${path} does not exist`);
    return [directory, name, inode];
  }

  #forgetIfFree(inode: Inode): void {
    if (inode.handles > 0) return;
    for (const directory of this.#directories.values()) {
      for (const named of directory.names.values()) if (named === inode) return;
    }
    this.#usedBytes -= inode.content.length;
  }

  /** All files with a name, or with one that a crash may bring back. */
  *#inodes(): Iterable<Inode> {
    const seen = new Set<Inode>();
    for (const directory of this.#directories.values()) {
      for (const inode of directory.everNamed()) {
        if (seen.has(inode)) continue;
        seen.add(inode);
        yield inode;
      }
    }
  }

  #recount(): void {
    this.#usedBytes = 0;
    for (const directory of this.#directories.values()) {
      for (const inode of directory.names.values()) {
        inode.handles = 0;
        this.#usedBytes += inode.content.length;
      }
    }
  }
}

function never<T>(): Promise<T> {
  return new Promise(() => undefined);
}

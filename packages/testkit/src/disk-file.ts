import type { Inode } from './disk-directory.ts';
import type { DiskOperation } from './disk-types.ts';

export interface Machine {
  later<T>(operation: DiskOperation, path: string, life: number, effect: () => T): Promise<T>;
  write(
    inode: Inode,
    path: string,
    life: number,
    buffer: Uint8Array,
    start: number,
    length: number,
    position: number,
  ): number;
  resize(inode: Inode, length: number): void;
  closed(inode: Inode): void;
  failSync(inode: Inode, path: string): void;
  life(): number;
  misuse(what: string): Error;
}

/** An open file of a simulated disk. Dead after a crash: writes throw, the rest never completes. */
export class SimulatedFile {
  readonly #machine: Machine;
  readonly #path: string;
  readonly #inode: Inode;
  readonly #life: number;
  #open = true;
  #busy = 0;

  /** Files come from `SimulatedDisk.open`. */
  constructor(machine: Machine, path: string, inode: Inode) {
    this.#machine = machine;
    this.#path = path;
    this.#inode = inode;
    this.#life = machine.life();
    inode.handles++;
  }

  write(buffer: Uint8Array, start: number, length: number, position: number): number {
    if (!this.#open) throw this.#closed('write');
    if (start < 0 || length < 0 || start + length > buffer.length || position < 0) {
      throw new RangeError(`write of [${start}, ${start + length}) of ${buffer.length} bytes at ${position}`);
    }
    return this.#machine.write(this.#inode, this.#path, this.#life, buffer, start, length, position);
  }

  read(buffer: Uint8Array, position: number): Promise<number> {
    return this.#later('read', () => this.#inode.content.read(buffer, position));
  }

  sync(): Promise<void> {
    if (!this.#open || this.#machine.life() !== this.#life) return this.#later('sync', () => undefined);
    const layer = this.#inode.content.beginSync();
    return this.#later('sync', () => {
      this.#machine.failSync(this.#inode, this.#path);
      this.#inode.content.finishSync(layer);
    });
  }

  truncate(length: number): Promise<void> {
    return this.#later('truncate', () => this.#machine.resize(this.#inode, length));
  }

  size(): Promise<number> {
    return this.#later('size', () => this.#inode.content.length);
  }

  async close(): Promise<void> {
    if (this.#busy > 0)
      this.#machine.misuse(`${this.#path} was closed while ${this.#busy} calls were in flight`);
    await this.#later(
      'close',
      () => {
        if (this.#inode.handles > 0) this.#inode.handles--;
        this.#machine.closed(this.#inode);
      },
      true,
    );
  }

  async #later<T>(operation: DiskOperation, effect: () => T, closes = false): Promise<T> {
    if (!this.#open) throw this.#closed(operation);
    if (closes) this.#open = false;
    this.#busy++;
    try {
      return await this.#machine.later(operation, this.#path, this.#life, effect);
    } finally {
      this.#busy--;
    }
  }

  #closed(operation: string): Error {
    return this.#machine.misuse(`${operation} of ${this.#path} after it was closed`);
  }
}

/** A journal of another program, read from its beginning to its end in pieces. */
import { type FileHandle, open } from 'node:fs/promises';

/** A piece. Bodies are skipped, and read when it is known that they are still wanted. */
const READ_BYTES = 1024 * 1024;

export class JournalFile implements AsyncDisposable {
  readonly path: string;
  readonly #handle: FileHandle;
  #buffer = Buffer.alloc(0);
  #at = 0;
  /** Of the file, where the buffer begins. */
  #base = 0;

  private constructor(path: string, handle: FileHandle) {
    this.path = path;
    this.#handle = handle;
  }

  static async open(path: string): Promise<JournalFile> {
    return new JournalFile(path, await open(path));
  }

  /** Where the next byte stands in the file. */
  get position(): number {
    return this.#base + this.#at;
  }

  /** The next bytes; undefined if the file ends before. They are good until the next call. */
  async take(count: number): Promise<Buffer | undefined> {
    if (this.#buffer.length - this.#at < count && !(await this.#fill(count))) return undefined;
    this.#at += count;
    return this.#buffer.subarray(this.#at - count, this.#at);
  }

  /** False if the file ends before. */
  async skip(count: number): Promise<boolean> {
    const left = this.#buffer.length - this.#at;
    if (count <= left) {
      this.#at += count;
      return true;
    }
    const { size } = await this.#handle.stat();
    if (this.position + count > size) return false;
    this.#base = this.position + count;
    this.#buffer = Buffer.alloc(0);
    this.#at = 0;
    return true;
  }

  /** Bytes of anywhere in the file. */
  async read(position: number, length: number): Promise<Buffer> {
    const body = Buffer.allocUnsafe(length);
    let read = 0;
    while (read < length) {
      const { bytesRead } = await this.#handle.read(body, read, length - read, position + read);
      if (bytesRead === 0) throw new Error(`${this.path} became shorter while it was read`);
      read += bytesRead;
    }
    return body;
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#handle.close();
  }

  async #fill(count: number): Promise<boolean> {
    const rest = this.#buffer.subarray(this.#at);
    const next = Buffer.allocUnsafe(Math.max(READ_BYTES, count));
    rest.copy(next);
    this.#base += this.#at;
    this.#at = 0;
    let filled = rest.length;
    while (filled < count) {
      const { bytesRead } = await this.#handle.read(next, filled, next.length - filled, this.#base + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    this.#buffer = next.subarray(0, filled);
    return filled >= count;
  }
}

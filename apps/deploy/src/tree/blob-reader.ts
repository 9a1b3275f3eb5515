import { ReleaseError } from '../errors.ts';
import type { ContentSink } from '../release/builder.ts';
import { type BytePath, displayPath } from '../release/path.ts';
import type { TreeFile } from './tree.ts';

/** A line of 64 hexadecimal digits, "blob" and a size. */
const HEADER_BYTES_MAX = 128;
const NEWLINE = 10;

/** Takes the output of `git cat-file --batch` for these files apart, and gives their bytes to the sink. */
export class BlobReader {
  readonly #files: readonly TreeFile[];
  readonly #objects: ReadonlyMap<BytePath, string>;
  readonly #sink: ContentSink;
  readonly #onBytes: ((count: number) => void) | undefined;
  #number = 0;
  #header = '';
  /** Bytes of the blob at hand that are still to come; undefined while its header comes. */
  #left: number | undefined;

  constructor(
    files: readonly TreeFile[],
    objects: ReadonlyMap<BytePath, string>,
    sink: ContentSink,
    onBytes?: (count: number) => void,
  ) {
    this.#files = files;
    this.#objects = objects;
    this.#sink = sink;
    this.#onBytes = onBytes;
  }

  push(block: Buffer): void {
    let at = 0;
    while (at < block.length) {
      if (this.#left === undefined) at = this.#takeHeader(block, at);
      else if (this.#left > 0) {
        const take = Math.min(this.#left, block.length - at);
        this.#sink.bytes(block.subarray(at, at + take));
        this.#onBytes?.(take);
        this.#left -= take;
        at += take;
      } else {
        // The line feed after each blob.
        at++;
        this.#sink.end();
        this.#left = undefined;
        this.#number++;
      }
    }
  }

  /** @throws ReleaseError `git-failed` when not every blob has come whole */
  finish(): void {
    if (this.#number !== this.#files.length) throw this.#failure();
  }

  #takeHeader(block: Buffer, start: number): number {
    const newline = block.indexOf(NEWLINE, start);
    const end = newline === -1 ? block.length : newline;
    this.#header += block.toString('latin1', start, end);
    if (this.#header.length > HEADER_BYTES_MAX) throw this.#failure();
    if (newline === -1) return end;
    const file = this.#files[this.#number];
    if (file === undefined || this.#header !== `${this.#objects.get(file.path)} blob ${file.size}`)
      throw this.#failure();
    this.#header = '';
    this.#left = file.size;
    this.#sink.begin(file);
    return newline + 1;
  }

  #failure(): ReleaseError {
    const file = this.#files[this.#number];
    const name = file === undefined ? 'the tree' : displayPath(file.path);
    return new ReleaseError('git-failed', `${name}: git did not give the blob; try git fsck`);
  }
}

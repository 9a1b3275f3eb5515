/**
 * A group's recorded files: one is written, as `NAME.part`; a finished one has its name, and is on the device. What was
 * begun and finished stands in `GROUP.files`, a name a line, so that a restart knows what to go on with and what is old;
 * of a group that daemons keep, `GROUP.position` says how far it is recorded.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { access, type FileHandle, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { replaceFile, syncFolder } from '../replace-file.ts';
import { endOf, fileName } from './name.ts';
import { type Position, readPosition, storePosition } from './position.ts';

export interface RecordOptions {
  readonly directory: string;
  /** See `fileName`. */
  readonly name: string;
  /** A file that is this long is finished; 0 for no limit. */
  readonly maxBytes: number;
  /** A file ends with each such span; 0 for none. */
  readonly everyMs: number;
  /** What was written is on the device after this; 0: before the next write. */
  readonly syncMs: number;
  readonly compress: boolean;
  /** Finished files that stay; 0 for all. */
  readonly keep: number;
}

const LINE_END = 0x0a;
/** At the end of a torn file, from which its last whole line is looked for. */
const TAIL_BYTES = 64 * 1024;

export class RecordedFiles {
  readonly #group: string;
  readonly #options: RecordOptions;
  readonly #index: string;
  readonly #position: string;
  /** Behind all that is written; none for a group that nobody keeps. */
  #cursor: string | undefined;
  #finished: string[] = [];
  #name = '';
  #file: FileHandle | undefined;
  #bytes = 0;
  #endsMs = Number.POSITIVE_INFINITY;
  #syncedMs = 0;
  #dirty = false;
  #compressing: Promise<void> = Promise.resolve();

  private constructor(group: string, options: RecordOptions) {
    this.#group = group;
    this.#options = options;
    this.#index = join(options.directory, `${fileName('%g', group, new Date(0))}.files`);
    this.#position = positionPath(group, options);
  }

  /** Behind what is recorded; undefined where that was never known. */
  static async cursor(group: string, options: RecordOptions): Promise<string | undefined> {
    return (await readPosition(positionPath(group, options)))?.cursor;
  }

  /**
   * Goes on with what a crash left. With a cursor, what comes is behind `RecordedFiles.cursor` or, where there is none,
   * behind this one: the file is cut where that is. Without one it is cut at its last whole line.
   */
  static async open(
    group: string,
    options: RecordOptions,
    now: number,
    cursor?: string,
  ): Promise<RecordedFiles> {
    const files = new RecordedFiles(group, options);
    await mkdir(options.directory, { recursive: true });
    if (cursor === undefined) await rm(files.#position, { force: true });
    const position = await readPosition(files.#position);
    const lines = (await readFile(files.#index, 'utf8').catch(() => ''))
      .split('\n')
      .filter((line) => line !== '');
    const last = lines.at(-1);
    const begun = last?.startsWith('part ') ? last.slice(5) : position?.file;
    files.#finished = lines.filter((line) => !line.startsWith('part '));
    if (begun && !(await files.#resume(begun, now, position))) {
      // Killed between the rename and the index.
      if (!files.#finished.includes(begun) && (await exists(join(options.directory, begun))))
        files.#finished.push(begun);
    }
    files.#cursor = position?.cursor ?? cursor;
    if (position === undefined) await files.#storePosition();
    await files.#finishCompressing();
    return files;
  }

  /** Finished ones, by name, the oldest first. */
  get finished(): readonly string[] {
    return this.#finished;
  }

  /** Whole lines, and the cursor behind them. Resolves when the system has them. */
  async write(bytes: Buffer, now: number, cursor?: string): Promise<void> {
    const { maxBytes } = this.#options;
    if (this.#file !== undefined && (now >= this.#endsMs || (maxBytes > 0 && this.#bytes >= maxBytes))) {
      await this.finish();
    }
    this.#file ??= await this.#begin(now);
    await this.#file.appendFile(bytes);
    this.#bytes += bytes.length;
    this.#cursor = cursor;
    this.#dirty = true;
    if (now - this.#syncedMs >= this.#options.syncMs) await this.sync(now);
  }

  /** Called now and then: what is due by time happens also while nothing comes. */
  async tick(now: number): Promise<void> {
    if (this.#file !== undefined && now >= this.#endsMs) await this.finish();
    else if (this.#dirty && now - this.#syncedMs >= this.#options.syncMs) await this.sync(now);
  }

  async sync(now: number): Promise<void> {
    if (this.#dirty) {
      await this.#file?.datasync();
      await this.#storePosition();
    }
    this.#dirty = false;
    this.#syncedMs = now;
  }

  /** The file that is written gets its name. */
  async finish(): Promise<void> {
    const file = this.#file;
    if (file === undefined) return;
    const { directory, compress } = this.#options;
    const path = join(directory, this.#name);
    // On the device before it has its name: whoever sees the name may rely on the file. And recorded as it is: a finished
    // file can't be cut.
    await file.sync();
    await this.#storePosition();
    this.#dirty = false;
    this.#file = undefined;
    await file.close();
    await rename(`${path}.part`, path);
    await syncFolder(dirname(path));
    this.#finished.push(this.#name);
    await this.#storeIndex(undefined);
    const name = this.#name;
    if (compress) {
      // One at a time: what can't be compressed as fast as it comes must not pile up.
      await this.#compressing;
      this.#startCompressing([name]);
    }
    await this.#removeOld();
  }

  /** What is written now stays `.part`, for the next start to go on with. */
  async close(): Promise<void> {
    await this.sync(0);
    await this.#file?.close();
    this.#file = undefined;
    await this.#compressing;
  }

  async #begin(now: number): Promise<FileHandle> {
    this.#name = await this.#freeName(fileName(this.#options.name, this.#group, new Date(now)));
    this.#endsMs = endOf(now, this.#options.everyMs);
    this.#bytes = 0;
    const path = join(this.#options.directory, this.#name);
    await mkdir(dirname(path), { recursive: true });
    await this.#storeIndex(this.#name);
    return await open(`${path}.part`, 'a');
  }

  /** False if there is nothing to go on with. */
  async #resume(name: string, now: number, position: Position | undefined): Promise<boolean> {
    const path = join(this.#options.directory, `${name}.part`);
    if (!(await exists(path))) return false;
    const file = await open(path, 'r+');
    const { size, birthtimeMs } = await file.stat();
    const known = position?.file === name ? position.bytes : 0;
    const whole = position === undefined ? await wholeLines(file, size) : Math.min(known, size);
    await file.truncate(whole);
    await file.close();
    this.#name = name;
    this.#bytes = whole;
    this.#endsMs = endOf(Math.min(birthtimeMs, now), this.#options.everyMs);
    this.#file = await open(path, 'a');
    return true;
  }

  /** Two files may begin in one second. */
  async #freeName(wanted: string): Promise<string> {
    for (let number = 0; ; number++) {
      const name = number === 0 ? wanted : `${wanted}.${number}`;
      const path = join(this.#options.directory, name);
      const taken = await Promise.all([path, `${path}.part`, `${path}.gz`].map(exists));
      if (!taken.includes(true) && !this.#finished.includes(name)) return name;
    }
  }

  /** What a crash left: a compressed file has its name when it is whole, and then the other one is too much. */
  async #finishCompressing(): Promise<void> {
    const left: string[] = [];
    for (const name of this.#finished) {
      const path = join(this.#options.directory, name);
      if (!(await exists(path))) continue;
      if (await exists(`${path}.gz`)) await rm(path);
      else left.push(name);
    }
    if (this.#options.compress) this.#startCompressing(left);
  }

  #startCompressing(names: readonly string[]): void {
    this.#compressing = (async () => {
      for (const name of names) await this.#compress(name);
    })();
    // Thrown where it is waited for.
    this.#compressing.catch(() => undefined);
  }

  async #compress(name: string): Promise<void> {
    const path = join(this.#options.directory, name);
    await pipeline(createReadStream(path), createGzip(), createWriteStream(`${path}.gz.part`));
    const file = await open(`${path}.gz.part`, 'r+');
    await file.sync();
    await file.close();
    await rename(`${path}.gz.part`, `${path}.gz`);
    await syncFolder(dirname(path));
    await rm(path, { force: true });
  }

  async #removeOld(): Promise<void> {
    const { keep, directory } = this.#options;
    if (keep === 0 || this.#finished.length <= keep) return;
    await this.#compressing;
    for (const name of this.#finished.splice(0, this.#finished.length - keep)) {
      for (const end of ['', '.gz']) await rm(join(directory, `${name}${end}`), { force: true });
    }
    await this.#storeIndex(undefined);
  }

  async #storeIndex(part: string | undefined): Promise<void> {
    const lines = [...this.#finished, ...(part === undefined ? [] : [`part ${part}`])];
    await replaceFile(this.#index, lines.map((line) => `${line}\n`).join(''));
  }

  async #storePosition(): Promise<void> {
    if (this.#cursor === undefined) return;
    const file = this.#file === undefined ? '' : this.#name;
    await storePosition(this.#position, { file, bytes: this.#bytes, cursor: this.#cursor });
  }
}

function positionPath(group: string, { directory }: RecordOptions): string {
  return join(directory, `${fileName('%g', group, new Date(0))}.position`);
}

async function wholeLines(file: FileHandle, size: number): Promise<number> {
  const buffer = Buffer.alloc(TAIL_BYTES);
  for (let end = size; end > 0; ) {
    const from = Math.max(0, end - TAIL_BYTES);
    const { bytesRead } = await file.read(buffer, 0, end - from, from);
    const last = buffer.subarray(0, bytesRead).lastIndexOf(LINE_END);
    if (last >= 0) return from + last + 1;
    end = from;
  }
  return 0;
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

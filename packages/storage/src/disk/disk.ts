/**
 * The one seam between the log and the machine. `nodeDisk` is the real one; the simulated one lives in testkit
 * and implements the fault model of docs/internals/storage.md.
 *
 * Writes are synchronous, because handing 100 bytes to the page cache costs less than a trip through the thread
 * pool; everything that can wait for the device (sync, read, directory work) is asynchronous.
 */
export interface Disk {
  /** Creates the folder and its parents. Durable when it returns. */
  makeDirectory(path: string): Promise<void>;
  /** Names (not paths) of the files in the folder, in no order. */
  list(path: string): Promise<string[]>;
  /** Opens for reading and writing; `create` makes an empty file and fails with `EEXIST` if there is one. */
  open(path: string, options: { create: boolean }): Promise<DiskFile>;
  /** Replaces `to` if it exists. Durable only after `syncDirectory` of the folder. */
  rename(from: string, to: string): Promise<void>;
  /** Durable only after `syncDirectory` of the folder. Open files stay readable. */
  remove(path: string): Promise<void>;
  syncDirectory(path: string): Promise<void>;
  /** Takes an exclusive lock that dies with its process. Rejects with `DiskError` code `ELOCKED` when it is taken. */
  lock(path: string): Promise<{ release(): Promise<void> }>;
}

export interface DiskFile {
  /**
   * Hands `length` bytes of `buffer`, from `start`, to the operating system at `position` of the file.
   * May write less than asked and returns how much. Throws `DiskError` (`ENOSPC`, `EIO`, …).
   */
  write(buffer: Uint8Array, start: number, length: number, position: number): number;
  /** Fills `buffer` from `position`; resolves with the count of bytes read, less than asked only at the end. */
  read(buffer: Uint8Array, position: number): Promise<number>;
  /** Resolves when all that was written before the call is on the device. */
  sync(): Promise<void>;
  truncate(length: number): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
}

/** What a disk throws: `code` is the operating system's (`ENOSPC`, `EIO`, `ENOENT`, `EEXIST`) or `ELOCKED`. */
export class DiskError extends Error {
  readonly code: string;
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'DiskError';
    this.code = code;
  }
}

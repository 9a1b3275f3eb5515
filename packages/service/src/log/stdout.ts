import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import type { DestinationStream } from 'pino';

/**
 * What waits for a slow reader of stdout before lines are dropped: a stuck log collector must neither stop the server
 * nor fill its memory.
 */
const WAITING_BYTES_MAX = 16 * 1024 * 1024;
/** A reader that is slow, or a disk that is full: there may be room again. */
const PASSING: ReadonlySet<string> = new Set(['EAGAIN', 'EBUSY', 'ENOSPC', 'EDQUOT']);
/** How soon a full pipe is tried again. */
const RETRY_MS = 50;
/** How long a process that ends waits for a reader that does not read. */
const EXIT_WAIT_MS = 500;

/** Pino's stream with what `flushLog` needs of it. */
export interface FlushableStream extends DestinationStream {
  flush(done: () => void): void;
}

let stdout: LineWriter | undefined;

/**
 * Stdout for all logs of the process, with one order of lines and one thing to do at the exit. A line is with the system before the next statement runs, so neither a crash nor an exit loses it.
 *
 * A pipe (a shell's, Docker's) never blocks the event loop. Where it can't be opened anew (systemd's socket, another
 * user's pipe) a reader that does not read blocks it, as with everything that writes to stdout. Pino's asynchronous
 * destination would not, but its flush does not wait for the line that is being written: the last one got lost.
 */
export function stdoutDestination(): FlushableStream {
  if (stdout === undefined) {
    const fd = stdoutFd();
    const writer = new LineWriter((bytes) => writeSync(fd, bytes));
    process.once('exit', () => writer.flushSync(EXIT_WAIT_MS));
    stdout = writer;
  }
  return stdout;
}

function stdoutFd(): number {
  if (process.platform !== 'linux' || !fstatSync(1).isFIFO()) return 1;
  try {
    // Opened anew, because O_NONBLOCK on the pipe as it is would also change it for whoever else writes there.
    return openSync('/proc/self/fd/1', constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    // Another user's pipe (EACCES) or one without a reader (ENXIO).
    return 1;
  }
}

/** Writes lines in order, keeps what does not fit for later, and drops lines when too much waits. */
export class LineWriter implements FlushableStream {
  readonly #write: (bytes: Buffer) => number;
  readonly #bytesMax: number;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #dropped = 0;
  #timer: NodeJS.Timeout | undefined;
  #flushed: (() => void)[] = [];
  /** The reader has gone: there is nobody to tell, and nowhere to tell it. */
  #broken = false;

  /** @param write gives the bytes it took, or throws EAGAIN or ENOSPC when it takes none now. */
  constructor(write: (bytes: Buffer) => number, bytesMax: number = WAITING_BYTES_MAX) {
    this.#write = write;
    this.#bytesMax = bytesMax;
  }

  write(line: string): void {
    if (this.#broken) return;
    const bytes = Buffer.from(line);
    if (this.#waitingBytes + bytes.length > this.#bytesMax) {
      this.#dropped++;
      return;
    }
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (this.#timer === undefined) this.#pump();
  }

  /** Calls `done` when nothing waits any more, or nobody reads. */
  flush(done: () => void): void {
    if (this.#waitingBytes === 0) done();
    else this.#flushed.push(done);
  }

  /** Tries for `waitMs` to get rid of what waits; only for the exit of the process, since it blocks. */
  flushSync(waitMs: number): void {
    const end = performance.now() + waitMs;
    while (!this.#drain() && performance.now() < end) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }

  #pump(): void {
    this.#timer = undefined;
    if (this.#drain()) {
      for (const done of this.#flushed.splice(0)) done();
    } else {
      // Not for its sake alone does a process live on; what is left goes out at its exit.
      this.#timer = setTimeout(() => this.#pump(), RETRY_MS).unref();
    }
  }

  /** Writes until nothing waits (true) or the reader is full (false). */
  #drain(): boolean {
    try {
      while (this.#waitingBytes > 0) {
        const bytes = this.#waiting.length === 1 ? this.#waiting[0]! : Buffer.concat(this.#waiting);
        const taken = this.#write(bytes);
        this.#waitingBytes -= taken;
        this.#waiting = taken === bytes.length ? [] : [bytes.subarray(taken)];
        if (this.#waitingBytes === 0) this.#tellDropped();
      }
      return true;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== undefined && PASSING.has(code)) return false;
      this.#broken = true;
      this.#waiting = [];
      this.#waitingBytes = 0;
      return true;
    }
  }

  #tellDropped(): void {
    if (this.#dropped === 0) return;
    const told = {
      level: 'warn',
      time: new Date().toISOString(),
      dropped: this.#dropped,
      msg: 'log lines dropped',
    };
    this.#dropped = 0;
    const bytes = Buffer.from(`${JSON.stringify(told)}\n`);
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
  }
}

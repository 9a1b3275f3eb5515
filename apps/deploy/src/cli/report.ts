import type { ReleaseError } from '../errors.ts';
import { type BytePath, displayPath, pathText, pathToBytes } from '../release/path.ts';
import { showBar } from './bar.ts';

/** Where a command says what it does: lines and a bar for people, or NDJSON for programs. */
export interface Reporter {
  /** One line of NDJSON: `{"event":…}`; names are in snake case with their units. Nothing for people. */
  event(name: string, fields?: Readonly<Record<string, unknown>>): void;
  /** Lines on stdout for people. Nothing with --json. */
  say(text: string): void;
  progress(
    phase: string,
    doneBytes: number,
    totalBytes: number,
    fields?: Readonly<Record<string, unknown>>,
  ): void;
  /** Where people watch; undefined with --json, and where stdout is no terminal. */
  readonly terminal: NodeJS.WriteStream | undefined;
  /** Takes the bar away. Call before anything else is written. */
  endProgress(): void;
}

export interface Streams {
  readonly stdout: NodeJS.WriteStream | { write(text: string): unknown; readonly isTTY?: false };
  /** Bars are drawn on it when it is a terminal. */
  readonly stderr: NodeJS.WriteStream | { write(text: string): unknown; readonly isTTY?: false };
}

/** Often enough to look alive, seldom enough to cost nothing. */
const PROGRESS_EVERY_MS = 250;

export function createReporter(json: boolean, { stdout, stderr }: Streams): Reporter {
  const bar = !json && stderr.isTTY ? showBar(stderr) : undefined;
  let due = 0;
  return {
    terminal: !json && stdout.isTTY ? stdout : undefined,
    event(name, fields = {}) {
      if (json) stdout.write(`${JSON.stringify({ event: name, ...fields })}\n`);
    },
    say(text) {
      if (!json) stdout.write(text);
    },
    progress(phase, doneBytes, totalBytes, fields = {}) {
      const now = performance.now();
      if (now < due && doneBytes < totalBytes) return;
      due = now + PROGRESS_EVERY_MS;
      bar?.update(phase, doneBytes, totalBytes);
      this.event('progress', { phase, done_bytes: doneBytes, total_bytes: totalBytes, ...fields });
    },
    endProgress: () => bar?.stop(),
  };
}

/** Runs a command and tells a program why it failed; people read it on stderr in any case. */
export async function reported<T>(reporter: Reporter, command: () => Promise<T>): Promise<T> {
  try {
    return await command();
  } catch (error) {
    const { code, message, problems } = error as Partial<ReleaseError>;
    reporter.event('failed', { code: code ?? 'unexpected', message, problems: problems ?? [message] });
    throw error;
  } finally {
    reporter.endProgress();
  }
}

/** A path in JSON. Where its bytes are no text, `path` only looks like it, and `path_base64` is exact. */
export function jsonPath(path: BytePath): { readonly path: string; readonly path_base64?: string } {
  const text = pathText(path);
  if (text !== undefined) return { path: text };
  return { path: displayPath(path), path_base64: pathToBytes(path).toString('base64') };
}

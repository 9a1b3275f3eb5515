import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';

export interface CommandEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly timedOut: boolean;
  /** The end of what it has written, both outputs together. */
  readonly output: string;
}

/** It travels in events, and the end is where the reason is. */
const OUTPUT_BYTES_MAX = 16 * 1024;
/** Between SIGTERM and SIGKILL. */
const GRACE_MS = 3_000;
/** What a daemon that a command has left behind may still hold open. */
const OUTPUT_AFTER_EXIT_MS = 200;

/** Waits for a line on descriptor 3, and becomes the command; whoever dies before it sends one has started nothing. */
const GATE = 'read -r go <&3 || exit; exec sh -c "$0" 3<&-';

/**
 * Runs `sh -c` in a process group of its own. When its time is over or the signal says so the whole group is ended;
 * what a command leaves running when it ends by itself is left alone.
 */
export async function runCommand(
  command: string,
  options: {
    readonly cwd: string;
    readonly env: Readonly<Record<string, string>>;
    readonly timeoutMs: number;
    readonly signal: AbortSignal;
    /** The command begins once this resolves, as the process that it names. */
    readonly onStart?: (pid: number) => Promise<void>;
  },
): Promise<CommandEnd> {
  options.signal.throwIfAborted();
  const child = spawn('sh', ['-c', GATE, command], {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    detached: true,
  });
  const gate = child.stdio[3] as Writable | undefined;
  // Who was ended before it began reads no more.
  gate?.on('error', () => undefined);
  const output = keepEnd(child);
  const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  const closed = once(child, 'close');
  closed.catch(() => undefined);
  let timedOut = false;
  const stop = (): void => void endGroup(child, ended);
  const timer = setTimeout(() => {
    timedOut = true;
    stop();
  }, options.timeoutMs);
  options.signal.addEventListener('abort', stop, { once: true });
  try {
    if (child.pid !== undefined) await options.onStart?.(child.pid);
    gate?.end('\n');
    const [code, signal] = await ended;
    await Promise.race([closed, delay(OUTPUT_AFTER_EXIT_MS, undefined, { ref: false })]);
    return { code, signal, timedOut, output: output() };
  } finally {
    clearTimeout(timer);
    options.signal.removeEventListener('abort', stop);
    child.stdout?.destroy();
    child.stderr?.destroy();
    gate?.destroy();
  }
}

async function endGroup(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  if (child.pid === undefined) return;
  signalGroup(child.pid, 'SIGTERM');
  await Promise.race([ended.catch(() => undefined), delay(GRACE_MS)]);
  // Also what a shell that has obeyed leaves in its group.
  signalGroup(child.pid, 'SIGKILL');
}

export function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch {
    // Nobody is left in it.
  }
}

function keepEnd({ stdout, stderr }: ChildProcess): () => string {
  const parts: Buffer[] = [];
  let length = 0;
  const keep = (part: Buffer): void => {
    parts.push(part);
    length += part.length;
    while (length - parts[0]!.length >= OUTPUT_BYTES_MAX) length -= parts.shift()!.length;
  };
  stdout?.on('data', keep);
  stderr?.on('data', keep);
  return () => Buffer.concat(parts).subarray(-OUTPUT_BYTES_MAX).toString('utf8');
}

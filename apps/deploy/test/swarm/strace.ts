import { spawnSync } from 'node:child_process';

/** Whether system calls can be watched here; where they can't, it says why, and in CI that is a failure. */
export function straceAvailable(): boolean {
  const { status, error, stderr } = spawnSync('strace', ['-f', '-qq', '-o', '/dev/null', 'true'], {
    encoding: 'utf8',
  });
  if (status === 0) return true;
  const reason = `skipped: strace does not run here: ${error?.message ?? stderr.trim()}`;
  if (process.env.ROOKERY_TEST_REQUIRE_CLIENTS === '1') throw new Error(reason);
  process.stderr.write(`${reason}\n`);
  return false;
}

/** One thread for files: strace counts calls by thread. */
export const ONE_FILE_THREAD = { UV_THREADPOOL_SIZE: '1' } as const;

/**
 * Runs a program until it enters a system call for the n-th time: that call isn't made, the program gets SIGKILL.
 * @param path only calls that concern it count
 */
export function killedAt(
  call: string,
  options: { readonly when?: number; readonly path?: string } = {},
): string[] {
  const { when = 1, path } = options;
  return [
    ...['strace', '-f', '-qq', '-o', '/dev/null', '-e', `trace=${call}`],
    ...['-e', `inject=${call}:signal=SIGKILL:when=${when}`],
    ...(path === undefined ? [] : ['-P', path]),
  ];
}

/** Runs a program in which all of these system calls fail. */
export function failing(call: string, error: string): string[] {
  return [
    ...['strace', '-f', '-qq', '-o', '/dev/null', '-e', `trace=${call}`],
    ...['-e', `inject=${call}:error=${error}`],
  ];
}

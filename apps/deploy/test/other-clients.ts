import { spawnSync } from 'node:child_process';

/** Clients of others, unmodified: what they make of our torrents decides. */
function available(name: string, command: string, args: string[]): boolean {
  if (spawnSync(command, args).status === 0) return true;
  const reason = `skipped: ${name} is not installed`;
  if (process.env.ROOKERY_TEST_REQUIRE_CLIENTS === '1') throw new Error(reason);
  process.stderr.write(`${reason}\n`);
  return false;
}

export const PYTHON = '/usr/bin/python3';
/** Whether Debian's aria2 and python3-libtorrent are here. */
export const clients: boolean =
  available('aria2', 'aria2c', ['--version']) &&
  available('python3-libtorrent', PYTHON, ['-c', 'import libtorrent']);

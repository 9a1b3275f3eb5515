// Installs the locked dependencies when they are missing or the lock has changed, and does nothing otherwise,
// so that `npm start` and `npm test` work on a bare clone and cost nothing the second time.
// Plain JavaScript without dependencies: it runs on whatever Node the machine has, before the pinned one is there.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const stampPath = `${root}node_modules/.rookery-lock`;
const lock = createHash('sha256')
  .update(readFileSync(`${root}package-lock.json`))
  .digest('hex');

if (!existsSync(stampPath) || readFileSync(stampPath, 'utf8') !== lock) {
  console.error('Installing the locked dependencies (once; about half a minute) …');
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const { status } = spawnSync(npm, ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(status ?? 1);
  writeFileSync(stampPath, lock);
}

// `npm start`: the queue on its embedded store, as a newcomer tries it. Settings go through: `npm start -- --port 0`.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const given = process.argv.slice(2);
const defaults = ['--log-format', 'pretty'];
if (!given.includes('--data')) defaults.push('--data', `${root}.rookery/queue`);
const command = [`${root}apps/queue/bin/rookery-queue.js`, 'serve', ...defaults, ...given];
// On the first run the shell has found the machine's own Node before the pinned one was there, and stays with it.
const pinned = `${root}node_modules/.bin/node`;
const node = existsSync(pinned) ? pinned : process.execPath;
const server = spawn(node, command, { stdio: ['inherit', 'pipe', 'inherit'] });

let said = '';
server.stdout.on('data', (chunk) => {
  process.stdout.write(chunk);
  if (said === undefined) return;
  said += chunk;
  const listening = /listening on (\S+):(\d+)/.exec(said);
  const admin = /"admin":"([^"]+)"/.exec(said);
  if (listening === null || admin === null) return;
  said = undefined;
  const [, host, port] = listening;
  process.stdout.write(`
Rookery's queue listens on ${host}:${port} and speaks memcache. In another terminal, try:

  printf 'set jobs 0 0 5\\r\\nhello\\r\\nquit\\r\\n' | curl -s telnet://${host}:${port}
  printf 'get jobs\\r\\nquit\\r\\n' | curl -s telnet://${host}:${port}
  curl ${admin[1]}/queues

Ctrl-C stops it; what was put stays where it is for the next start.
`);
});

// The terminal sends Ctrl-C to both; the server drains, and this waits for it.
for (const signal of ['SIGINT', 'SIGTERM'])
  process.on(signal, () => signal === 'SIGTERM' && server.kill(signal));
server.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGTERM' ? 143 : 130)));

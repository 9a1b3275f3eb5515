// `npm start`: the queue and the bus, as a newcomer tries them. Flags are the queue's (`npm start -- --port 0`), those
// after `--bus` the bus's (`npm start -- --port 0 --bus --ws 127.0.0.1:0`); ROOKERY_QUEUE_… and ROOKERY_BUS_… count too.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
// On the first run the shell has found the machine's own Node before the pinned one was there, and stays with it.
const pinned = `${root}node_modules/.bin/node`;
const node = existsSync(pinned) ? pinned : process.execPath;

const given = process.argv.slice(2);
const border = given.includes('--bus') ? given.indexOf('--bus') : given.length;
const servers = [
  {
    name: 'queue',
    command: 'serve',
    flags: given.slice(0, border),
    tellHow: ({
      host,
      port,
      admin,
    }) => `Rookery's queue listens on ${host}:${port} and speaks memcache. In another terminal, try:

  printf 'set jobs 0 0 5\\r\\nhello\\r\\nquit\\r\\n' | curl -s telnet://${host}:${port}
  printf 'get jobs\\r\\nquit\\r\\n' | curl -s telnet://${host}:${port}
  curl ${admin}/queues
`,
  },
  {
    name: 'bus',
    command: 'daemon',
    flags: given.slice(border + 1),
    tellHow: ({ host, port, websocket }) => {
      const url = websocket === 'ws://127.0.0.1:4804' ? '' : ` --url ${websocket}`;
      return `Rookery's bus listens on ${websocket}, and on ${host}:${port} for Spread's clients. In two other terminals, try:

  npx rookery-bus sub news${url}
  npx rookery-bus pub -g news hello${url}
`;
    },
  },
];

const running = new Set();
let stopping = false;
let exitCode = 0;
let silent = servers.length;

for (const server of servers) {
  const { name, command, flags } = server;
  const defaults = ['--log-format', 'pretty'];
  if (!flags.some((flag) => flag === '--data' || flag.startsWith('--data='))) {
    defaults.push('--data', `${root}.rookery/${name}`);
  }
  const bin = `${root}apps/${name}/bin/rookery-${name}.js`;
  const child = spawn(node, [bin, command, ...defaults, ...flags], { stdio: ['inherit', 'pipe', 'inherit'] });
  running.add(child);
  passOn(child, server);
  child.on('error', (error) => end(child, name, 1, error.message));
  child.on('exit', (code, signal) => end(child, name, code ?? (signal === 'SIGTERM' ? 143 : 130)));
}

/** What the server writes goes to the terminal; where it listens is told in `how` besides. */
function passOn(child, server) {
  let said = '';
  child.stdout.on('data', (chunk) => {
    process.stdout.write(chunk);
    if (said === undefined) return;
    said += chunk;
    const address = /listening on (\S+):(\d+)/.exec(said);
    const admin = /"admin":"([^"]+)"/.exec(said);
    if (address === null || admin === null) return;
    const websocket = /"websocket":"([^"]+)"/.exec(said);
    said = undefined;
    server.how = server.tellHow({
      host: address[1],
      port: address[2],
      admin: admin[1],
      websocket: websocket?.[1],
    });
    silent--;
    // When both are up, so that the one's log doesn't run over what is told of the other.
    if (silent > 0) return;
    process.stdout.write(`\n${servers.map(({ how }) => how).join('\n')}
Ctrl-C stops it all; what was put into the queue stays where it is for the next start.
`);
  });
}

/** Both or none: one that ends takes the other along, and its failure is the command's. */
function end(child, name, code, reason) {
  if (!running.delete(child)) return;
  if (!stopping)
    console.error(
      `Rookery’s ${name} has ended${reason === undefined ? '' : ` (${reason})`}; stopping the rest.`,
    );
  stopping = true;
  if (exitCode === 0) exitCode = code;
  for (const other of running) other.kill('SIGTERM');
  if (running.size === 0) process.exit(exitCode);
}

// The terminal sends Ctrl-C to all; the servers drain, and this waits for them.
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    stopping = true;
    if (signal === 'SIGTERM') for (const child of running) child.kill(signal);
  });
}

// `npm start`: the queue, the bus and the deployer's tracker, as a newcomer tries them. Flags are the queue's
// (`npm start -- --port 0`), those after `--bus` the bus's (`npm start -- --port 0 --bus --ws 127.0.0.1:0`), those after
// `--tracker` the tracker's; ROOKERY_QUEUE_… and ROOKERY_BUS_… count too.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
// On the first run the shell has found the machine's own Node before the pinned one was there, and stays with it.
const pinned = `${root}node_modules/.bin/node`;
const node = existsSync(pinned) ? pinned : process.execPath;

const given = process.argv.slice(2);
/** The flags after this one, up to the next server's. */
function flagsOf(first, ...others) {
  const from = first === undefined ? 0 : given.indexOf(first) + 1;
  if (first !== undefined && from === 0) return [];
  const ends = others.map((other) => given.indexOf(other, from)).filter((at) => at >= 0);
  return given.slice(from, Math.min(given.length, ...ends));
}

/** What is told of a server that logs as the queue and the bus do, once it has said where it listens. */
function listening(said) {
  const address = /listening on (\S+):(\d+)/.exec(said);
  const admin = /"admin":"([^"]+)"/.exec(said)?.[1];
  const websocket = /"websocket":"([^"]+)"/.exec(said)?.[1];
  return address === null || admin === undefined
    ? undefined
    : { host: address[1], port: address[2], admin, websocket };
}

const servers = [
  {
    name: 'queue',
    bin: 'apps/queue/bin/rookery-queue.js',
    command: 'serve',
    defaults: [
      ['--log-format', 'pretty'],
      ['--data', `${root}.rookery/queue`],
    ],
    flags: flagsOf(undefined, '--bus', '--tracker'),
    ready: listening,
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
    bin: 'apps/bus/bin/rookery-bus.js',
    command: 'daemon',
    defaults: [
      ['--log-format', 'pretty'],
      ['--data', `${root}.rookery/bus`],
    ],
    flags: flagsOf('--bus', '--tracker'),
    ready: listening,
    tellHow: ({ host, port, websocket }) => {
      const url = websocket === 'ws://127.0.0.1:4804' ? '' : ` --url ${websocket}`;
      return `Rookery's bus listens on ${websocket}, and on ${host}:${port} for Spread's clients. In two other terminals, try:

  npx rookery-bus sub news${url}
  npx rookery-bus pub -g news hello${url}
`;
    },
  },
  {
    name: 'tracker',
    bin: 'apps/deploy/bin/rookery-deploy.js',
    command: 'tracker',
    defaults: [
      ['--listen', '127.0.0.1:4881'],
      ['--ui', '127.0.0.1:4882'],
    ],
    flags: flagsOf('--tracker', '--bus'),
    ready: (said) => {
      const [, page, url] = /Its page: (\S+)\n.*The tracker listens: (\S+)/s.exec(said) ?? [];
      return url === undefined ? undefined : { page, url };
    },
    tellHow: ({
      page,
      url,
    }) => `Rookery's tracker listens on ${url}, and shows swarms on ${page}. All three together:

  npm run tour
`,
  },
];

const running = new Set();
let stopping = false;
let exitCode = 0;
let silent = servers.length;

for (const server of servers) {
  const { name, bin, command, flags } = server;
  const defaults = server.defaults.filter(
    ([flag]) => !flags.some((one) => one === flag || one.startsWith(`${flag}=`)),
  );
  const child = spawn(node, [`${root}${bin}`, command, ...defaults.flat(), ...flags], {
    stdio: ['inherit', 'pipe', 'inherit'],
  });
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
    const facts = server.ready(said);
    if (facts === undefined) return;
    said = undefined;
    server.how = server.tellHow(facts);
    silent--;
    // When all are up, so that the one's log doesn't run over what is told of another.
    if (silent > 0) return;
    process.stdout.write(`\n${servers.map(({ how }) => how).join('\n')}
Ctrl-C stops it all; what was put into the queue stays where it is for the next start.
`);
  });
}

/** All or none: one that ends takes the others along, and its failure is the command's. */
function end(child, name, code, reason) {
  if (!running.delete(child)) return;
  if (!stopping)
    console.error(
      `Rookery’s ${name} has ended${reason === undefined ? '' : ` (${reason})`}; stopping the rest.`,
    );
  // The tracker says by its code that it was told to stop.
  const told = stopping && (code === 130 || code === 143);
  stopping = true;
  if (exitCode === 0 && !told) exitCode = code;
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

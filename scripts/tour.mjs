// `npm run tour`, while `npm start` runs in another terminal: lines of a web server's log go through the bus and the
// queue to a worker on eight hosts (folders of this machine), while releases of the worker are pushed to them. Each
// command is printed before it is run, and can be typed as it stands. Servers elsewhere: ROOKERY_BUS_URL,
// ROOKERY_QUEUE_SERVER, and --tracker URL.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const { values: flags } = parseArgs({
  options: {
    tracker: { type: 'string', default: 'http://127.0.0.1:4881/announce' },
    folder: { type: 'string', default: join(root, '.rookery/tour') },
  },
});
const folder = flags.folder;
// biome-ignore lint/suspicious/noUndeclaredEnvVars: none of turbo's tasks runs this
const queueServer = process.env.ROOKERY_QUEUE_SERVER || '127.0.0.1:22122';
const HOSTS = Array.from({ length: 8 }, (_, index) => `host${index + 1}`);
const LINES_PER_SECOND = 20;
/** What is under way comes to its end within this. */
const DRAIN_MS = 30_000;

// `npx rookery-…` finds the same programs; without npx they start at once.
process.env.PATH = `${join(root, 'node_modules/.bin')}${delimiter}${process.env.PATH}`;
process.env.ROOKERY_DEPLOY_HISTORY = join(folder, 'history');
const running = new Set();

function start(command, options = {}) {
  const child = spawn(command, { cwd: folder, shell: true, detached: true, stdio: 'ignore', ...options });
  running.add(child);
  child.on('exit', () => running.delete(child));
  return child;
}

/** Runs a command in front of the reader; resolves to its exit code. */
async function run(command) {
  process.stdout.write(`\n$ ${command}\n`);
  const child = spawn(command, { cwd: folder, shell: true, stdio: ['ignore', 'inherit', 'inherit'] });
  const [code] = await once(child, 'exit');
  return code;
}

function say(text) {
  process.stdout.write(`\n${text}\n`);
}

/** A worker is a shell script: it takes a line on its standard input, and fails if it can't do its work. */
async function release(version, work) {
  const path = join(folder, `worker-${version}`);
  await mkdir(path, { recursive: true });
  await writeFile(join(path, 'work'), `#!/bin/sh\n${work}\n`);
  await chmod(join(path, 'work'), 0o755);
}

const works = (version) => `echo "${version} $(cat)" >> "\${ROOKERY_OUT:-/dev/null}"`;

async function prepare() {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await release('1.0', works('1.0'));
  await release('1.1', works('1.1'));
  await release('1.2', 'echo "work: no such table: visits" >&2; exit 1');
  await writeFile(
    join(folder, 'hosts.toml'),
    `[defaults.check]
command = "echo 'GET /health' | ./work"
within_ms = 2000
interval_ms = 200

${HOSTS.map((host) => `[hosts.${host}]\nroot = "${join(folder, host)}"\n`).join('')}`,
  );
}

const push = (version) =>
  `rookery-deploy push worker-${version}.release --tree worker-${version} --trust key.pub --hosts hosts.toml` +
  ` --wave 1,50% --tracker ${flags.tracker}`;

async function deploy(version, expected) {
  await run(
    `rookery-deploy pack worker-${version} --app worker --version ${version} --key key -o worker-${version}.release > pack.log`,
  );
  const code = await run(push(version));
  if (code !== expected)
    throw new Error(`the push of ${version} ended with ${code} and not with ${expected}`);
}

/** How many lines each release has worked on. */
async function worked() {
  const counts = {};
  for (const host of HOSTS) {
    const text = await readFile(join(folder, `${host}.out`), 'utf8').catch(() => '');
    for (const line of text.split('\n').filter((one) => one !== '')) {
      const version = line.slice(0, line.indexOf(' '));
      counts[version] = (counts[version] ?? 0) + 1;
    }
  }
  return counts;
}

const total = (counts) => Object.values(counts).reduce((sum, count) => sum + count, 0);

async function until(what, check) {
  const giveUpAt = performance.now() + DRAIN_MS;
  while (!(await check())) {
    if (performance.now() > giveUpAt) throw new Error(`${what} took too long; does npm start run?`);
    await delay(100);
  }
}

/** A web server's log, line by line. */
function startTraffic(pipe) {
  let sent = 0;
  const write = () => {
    const time = new Date().toISOString();
    const page = ['/', '/shop', '/shop/7', '/basket'][sent % 4];
    pipe.write(`127.0.0.1 - - [${time}] "GET ${page} HTTP/1.1" 200 512 "-" "tour ${sent}"\n`);
    sent++;
  };
  const timer = setInterval(write, 1000 / LINES_PER_SECOND);
  return () => {
    clearInterval(timer);
    return sent;
  };
}

async function tour() {
  say(`Everything lies in ${folder}, which is made anew.`);
  await prepare();
  await run('rookery-deploy keygen --out key');

  say('1. The worker’s first release, to eight hosts.');
  await deploy('1.0', 0);

  say('2. A web server’s log flows: bus, queue, a worker on each host.');
  const group = `tour-${process.pid}`;
  const requests = `requests-${process.pid}`;
  const forward = `rookery-bus forward ${group} --queue ${queueServer}/${requests}`;
  const log = `rookery-bus log -g ${group} --spool spool`;
  const worker = (host) =>
    `ROOKERY_OUT=$PWD/${host}.out rookery-queue get ${requests} --follow --exec ${join(folder, host)}/current/work`;
  for (const command of [forward, worker('host1'), '… and so on host2 to host8', `webserver | ${log}`]) {
    process.stdout.write(`$ ${command}\n`);
  }
  for (const host of HOSTS) start(worker(host));
  start(forward);
  const logging = start(log, { stdio: ['pipe', 'ignore', 'inherit'] });
  // Nobody keeps the group: what comes before somebody listens is nobody's.
  let probes = 0;
  await until('the first line', async () => {
    logging.stdin.write(`probe ${probes++}\n`);
    return total(await worked()) > 0;
  });
  await delay(1_000);
  const before = total(await worked());
  const stopTraffic = startTraffic(logging.stdin);
  await until('the log', async () => total(await worked()) >= before + LINES_PER_SECOND);
  process.stdout.write(`${total(await worked()) - before} lines have come through.\n`);

  say('3. A new release, in waves of 1, 4 and 8 hosts, while the log flows.');
  await deploy('1.1', 0);
  await delay(1_000);

  say('4. A bad one: its check fails on the first host, and it rolls back by itself.');
  await deploy('1.2', 1);

  say('5. What runs now, and what was done.');
  await run('rookery-deploy status --hosts hosts.toml');
  await run('rookery-deploy history');

  const sent = stopTraffic();
  await until('the last line', async () => total(await worked()) - before >= sent);
  const counts = await worked();
  const told = Object.entries(counts).map(([version, count]) => `${count} by ${version}`);
  say(
    `${sent} lines of the log, all of them worked on, and none by 1.2 (with those before: ${told.join(', ')}).`,
  );
  await run(`rookery-queue delete ${requests}`);
}

let stopping = false;
function stop() {
  stopping = true;
  for (const child of running) {
    try {
      // Its own group: the shell, and what it has started.
      process.kill(-child.pid, 'SIGTERM');
    } catch {
      // It has ended meanwhile.
    }
  }
}
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    stop();
    process.exitCode = 130;
    process.exit();
  });
}
try {
  await tour();
} catch (error) {
  if (!stopping) console.error(`\n${basename(process.argv[1])}: ${error.message}`);
  process.exitCode = 1;
} finally {
  stop();
}

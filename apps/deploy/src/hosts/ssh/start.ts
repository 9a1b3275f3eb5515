import type { HostBundle } from './bundle.ts';

// What happens on a host between sshd and the host's side. Nothing of it is quoted for a shell: the command is a
// constant, and every value goes by stdin.

/** Before each word that is meant for the coordinator: login scripts write to stdout, too. */
export const MARK = 'rookery-deploy: ';

/** Of package.json's engines. */
const NODE_VERSIONS = 'v2[4-9].*|v[3-9][0-9].*|v[1-9][0-9][0-9].*';
export const NODE_NEEDED = 'Node 24 or later';

/** Where Node lies when a login would have to say so: a command by ssh has no login's PATH. */
const NODE_PLACES = [
  'node',
  'nodejs',
  '/usr/local/bin/node',
  '/usr/bin/node',
  '/opt/node/bin/node',
  '/opt/homebrew/bin/node',
  '/snap/bin/node',
  '"$HOME"/.local/bin/node',
  '"$HOME"/.nvm/versions/node/*/bin/node',
  '"$HOME"/.volta/bin/node',
  '"$HOME"/.local/share/mise/installs/node/*/bin/node',
  '"$HOME"/.local/share/fnm/node-versions/*/installation/bin/node',
  '"$HOME"/.asdf/installs/nodejs/*/bin/node',
];

/**
 * The first line of stdin is the Node to use, or empty; the second what it shall run. `read` takes no byte more than
 * its line from a pipe (POSIX), so what follows is for Node. No quotes, backslashes, exclamation marks or ends of line:
 * so it means the same to sh, fish and csh, one of which is the user's login shell.
 */
const FIND_NODE = [
  'IFS= read -r wanted; IFS= read -r ROOKERY_START; export ROOKERY_START; seen=',
  'try() { v=$("$1" --version 2>/dev/null </dev/null) || return 0',
  `case $v in ${NODE_VERSIONS}) exec "$1" -e "eval(process.env.ROOKERY_START)";; esac; seen="$seen $1 is $v"; }`,
  `if [ -n "$wanted" ]; then try "$wanted"; else for n in ${NODE_PLACES.join(' ')}`,
  'do p=$(command -v "$n") && try "$p"; done; fi',
  `echo "${MARK}no-node$seen"; exit 1`,
].join('; ');

export const REMOTE_COMMAND: string = `exec /bin/sh -c '${FIND_NODE}'`;

/** The two lines that the remote command reads. */
export function startLines(bundle: HostBundle, node: string | undefined): string {
  const given = [bundle.sha256, bundle.packed.length, MARK].map((value) => JSON.stringify(value)).join(', ');
  // `import` stands here and not in the function: what builds and tests this program would rewrite it there.
  const program = `(${receiveBundle.toString()})(${given}, (url) => import(url))`;
  return `${node ?? ''}\neval(${JSON.stringify(program)})\n`;
}

/**
 * Runs on the host, as text: it may use nothing of this file. Has the bundle in the user's cache, whole and by its
 * hash, before it becomes the host's side; where it isn't, asks for it.
 */
async function receiveBundle(
  sha256: string,
  packedBytes: number,
  mark: string,
  load: (url: string) => Promise<unknown>,
): Promise<void> {
  const { homedir } = process.getBuiltinModule('node:os');
  const { isAbsolute, join } = process.getBuiltinModule('node:path');
  const { createHash, randomUUID } = process.getBuiltinModule('node:crypto');
  const { once } = process.getBuiltinModule('node:events');
  const { pathToFileURL } = process.getBuiltinModule('node:url');
  const { gunzipSync } = process.getBuiltinModule('node:zlib');
  const files = process.getBuiltinModule('node:fs/promises');
  const DAY_MS = 86_400_000;

  delete process.env.ROOKERY_START;
  const say = (words: string): void => void process.stdout.write(`${mark}${words}\n`);
  const { XDG_CACHE_HOME: given = '' } = process.env;
  const cache = join(isAbsolute(given) ? given : join(homedir(), '.cache'), 'rookery-deploy');
  const name = `host-${sha256}.mjs`;
  const file = join(cache, name);
  const isIt = (bytes: Buffer): boolean => createHash('sha256').update(bytes).digest('hex') === sha256;

  const take = async (): Promise<Buffer> => {
    const parts: Buffer[] = [];
    for (let left = packedBytes; left > 0; ) {
      const part = process.stdin.read() as Buffer | null;
      if (part !== null) {
        parts.push(part);
        left -= part.length;
      } else if (process.stdin.readableEnded) throw new Error('the coordinator has gone');
      else await Promise.race([once(process.stdin, 'readable'), once(process.stdin, 'end')]);
    }
    return gunzipSync(Buffer.concat(parts));
  };
  const keep = async (bytes: Buffer): Promise<void> => {
    // A name of its own: others may be sending the same one now.
    const temporary = join(cache, `.${randomUUID()}.new`);
    try {
      const handle = await files.open(temporary, 'wx', 0o600);
      try {
        await handle.writeFile(bytes);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await files.rename(temporary, file);
    } finally {
      await files.rm(temporary, { force: true });
    }
  };
  const removeOld = async (): Promise<void> => {
    for (const other of await files.readdir(cache)) {
      const keepMs = /^host-[0-9a-f]{64}\.mjs$/.test(other) ? 30 * DAY_MS : DAY_MS;
      const stats = await files.lstat(join(cache, other)).catch(() => undefined);
      if (other !== name && stats !== undefined && Date.now() - stats.mtimeMs > keepMs) {
        await files.rm(join(cache, other), { force: true, recursive: true });
      }
    }
  };

  try {
    await files.mkdir(cache, { recursive: true, mode: 0o700 });
    const stats = await files.lstat(cache);
    if (!stats.isDirectory() || stats.uid !== process.getuid?.() || (stats.mode & 0o022) !== 0) {
      throw new Error(`${cache} must be a folder that only its user may write to`);
    }
    const there = await files.readFile(file).catch(() => undefined);
    if (there !== undefined && isIt(there)) {
      // Its age is counted from its last use.
      await files.utimes(file, new Date(), new Date());
    } else {
      say('missing');
      const bytes = await take();
      if (!isIt(bytes)) throw new Error('the program came over damaged');
      await keep(bytes);
    }
    await removeOld().catch(() => undefined);
  } catch (error) {
    say(`unprepared ${(error as Error).message}`);
    process.exitCode = 1;
    process.stdin.destroy();
    return;
  }
  say('starting');
  await load(pathToFileURL(file).href);
}

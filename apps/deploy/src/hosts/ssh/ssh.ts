import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { HostError } from '../../host/errors.ts';
import { KILL_LINE } from '../../host/protocol.ts';
import type { Host } from '../../inventory/host.ts';
import { throwIfGivenUp } from '../given-up.ts';
import { type ProcessStream, processStream } from '../process-stream.ts';
import type { HostStream, Transport } from '../transport.ts';
import { type HostBundle, readBundle } from './bundle.ts';
import { sshFailure } from './failure.ts';
import { MARK, NODE_NEEDED, REMOTE_COMMAND, startLines } from './start.ts';

export interface SshOptions {
  /** A file for `ssh -F`, instead of the user's own configuration. */
  readonly config?: string;
  /** What hosts are sent; default the one of this program. */
  readonly bundle?: string;
}

/** A machine that is down answers nothing: TCP alone would wait for two minutes. */
const CONNECT_WITHIN_SECONDS = 15;
/** Three without an answer, and ssh gives the connection up: before the coordinator's own 60 s. */
const ALIVE_EVERY_SECONDS = 10;
const ALIVE_MISSED_MAX = 3;
/** What login scripts may write before the first word of ours. */
const NOISE_BYTES_MAX = 64 * 1024;
/** Between the word that kills the host's side and the end of the connection. */
const KILLED_WITHIN_MS = 1_000;

/** Another machine, by the system's OpenSSH and the user's configuration of it; it needs Node and nothing else. */
export function sshTransport({ config, bundle: path }: SshOptions = {}): Transport {
  let read: Promise<HostBundle> | undefined;
  return {
    name: 'ssh',
    async open(host, { signal }) {
      throwIfGivenUp(signal);
      read ??= readBundle(path);
      const bundle = await read.catch((error: unknown) => {
        read = undefined;
        throw error;
      });
      const child = spawn('ssh', sshArguments(host, config), {
        stdio: ['pipe', 'pipe', 'pipe'],
        // Ctrl-C goes to everybody in the terminal's process group: what a host does about it, its coordinator says.
        detached: true,
      });
      const stream = await processStream(child);
      const abort = (): void => void stream.kill();
      signal.addEventListener('abort', abort, { once: true });
      if (signal.aborted) abort();
      try {
        await start(stream, host, bundle);
        return { ...stream, kill: () => kill(stream) };
      } catch (error) {
        await stream.kill();
        throwIfGivenUp(signal);
        throw error;
      } finally {
        signal.removeEventListener('abort', abort);
      }
    },
  };
}

/** Flags win over the user's configuration; they are only what a command without a person before it needs. */
function sshArguments({ address, user, port }: Host, config: string | undefined): string[] {
  const options = {
    BatchMode: 'yes',
    ConnectTimeout: CONNECT_WITHIN_SECONDS,
    ServerAliveInterval: ALIVE_EVERY_SECONDS,
    ServerAliveCountMax: ALIVE_MISSED_MAX,
    // Two connections at once can't have the same forwarded port; and a host gets nothing of its coordinator's.
    ClearAllForwardings: 'yes',
    RemoteCommand: 'none',
    // A master that is there is used. To become one would be to outlive the host's side, for others.
    ControlMaster: 'no',
    LogLevel: 'ERROR',
  };
  return [
    ...(config === undefined ? [] : ['-F', config]),
    ...['-T', '-a', '-x'],
    ...Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]),
    ...(port === undefined ? [] : ['-p', String(port)]),
    ...(user === undefined ? [] : ['-l', user]),
    ...['--', address, REMOTE_COMMAND],
  ];
}

async function start(stream: ProcessStream, { address, node }: Host, bundle: HostBundle): Promise<void> {
  stream.input.write(startLines(bundle, node));
  for (;;) {
    const words = await nextWords(stream.output);
    if (words === undefined) {
      await stream.ended;
      throw sshFailure(address, stream.exitCode(), stream.stderr());
    }
    const [word, ...rest] = words.split(' ');
    const more = rest.join(' ');
    if (word === 'starting') return;
    if (word === 'missing') stream.input.write(bundle.packed);
    else if (word === 'no-node') throw noNode(address, node, more);
    else throw new HostError('host-unprepared', `${address}: ${more}`);
  }
}

function noNode(address: string, node: string | undefined, seen: string): HostError {
  const found = seen === '' ? '' : ` (there is only: ${seen})`;
  const where = node === undefined ? 'it has none in the usual places' : `${node} is none`;
  return new HostError(
    'host-unprepared',
    `${address}: ${NODE_NEEDED} is needed, and ${where}${found}; install it, or give its path as node in the inventory`,
  );
}

/**
 * The next line that is meant for us, without its mark; undefined at the end. What comes after it stays in the stream.
 * @throws HostError `protocol`: a login script that doesn't stop writing
 */
async function nextWords(stream: Readable): Promise<string | undefined> {
  for (let read = 0; read <= NOISE_BYTES_MAX; ) {
    const line = await nextLine(stream);
    if (line === undefined) return undefined;
    read += line.length + 1;
    if (line.startsWith(MARK)) return line.slice(MARK.length);
  }
  throw new HostError('protocol', 'A login script of the host writes without end to stdout');
}

async function nextLine(stream: Readable): Promise<string | undefined> {
  let line = Buffer.alloc(0);
  while (line.length <= NOISE_BYTES_MAX) {
    const part = stream.read() as Buffer | null;
    if (part === null) {
      if (stream.readableEnded || stream.destroyed) return undefined;
      await changed(stream);
      continue;
    }
    const end = part.indexOf(10);
    if (end === -1) line = Buffer.concat([line, part]);
    else {
      if (end + 1 < part.length) stream.unshift(part.subarray(end + 1));
      return Buffer.concat([line, part.subarray(0, end)]).toString('utf8');
    }
  }
  return line.toString('utf8');
}

/** Resolves when there is something to read, or nothing any more. */
function changed(stream: Readable): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      for (const name of ['readable', 'end', 'close']) stream.off(name, done);
      resolve();
    };
    for (const name of ['readable', 'end', 'close']) stream.on(name, done);
  });
}

/** The connection's end alone would let a step come to its own: a switch that nobody waits for any more. */
async function kill(stream: HostStream): Promise<void> {
  stream.input.end(`${KILL_LINE}\n`);
  const late = new AbortController();
  await Promise.race([
    stream.ended,
    delay(KILLED_WITHIN_MS, undefined, { signal: late.signal }).then(
      () => stream.kill(),
      () => undefined,
    ),
  ]);
  late.abort();
}

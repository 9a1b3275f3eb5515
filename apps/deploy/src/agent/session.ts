import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { isDeepStrictEqual } from 'node:util';
import { asHostError, HostError } from '../host/errors.ts';
import { readLines } from '../host/lines.ts';
import { type Hello, KILL_LINE, LEASE_MS, LINE_BYTES_MAX } from '../host/protocol.ts';
import { HOOK_NAMES, type HostSettings } from '../host/settings.ts';
import { type ProcessStream, processStream } from '../hosts/process-stream.ts';
import { HOST_PROGRAM, HOST_PROGRAM_FLAGS } from '../hosts/program.ts';

export interface AgentSessionOptions {
  readonly socket: TLSSocket;
  readonly roots: ReadonlyMap<string, HostSettings>;
  /** Who may have signed a release. */
  readonly trust: readonly string[];
  readonly helloWithinMs: number;
  /** The host's side runs; who asked for it. */
  readonly onStarted: (hello: Hello, pid: number | undefined) => void;
}

/** A coordinator's connection and the host's side that was started for it. */
export interface AgentSession {
  /** Resolves when both are gone, with why; never rejects. */
  readonly ended: Promise<{ readonly reason: string }>;
  /** The coordinator is gone, as far as the host's side is concerned: a step that runs comes to its end. */
  end(): void;
  /** `SIGTERM` cancels the step that runs, and lets the host's side end in order. */
  signal(signal: 'SIGTERM' | 'SIGKILL'): void;
}

/** Who has been answered, and doesn't hang up. */
const HANG_UP_WITHIN_MS = 5_000;

/** Serves an authenticated coordinator: what it asks for is checked by the agent's own settings, and done by a process. */
export function startSession(options: AgentSessionOptions): AgentSession {
  const { socket, helloWithinMs } = options;
  let host: HostProcess | undefined;
  let over = false;
  // Silence is the end of a coordinator; the host's side says so by itself, but it may be what hangs.
  socket.setTimeout(2 * LEASE_MS, () => socket.destroy());

  const serve = async (): Promise<string> => {
    const late = setTimeout(() => socket.destroy(), helloWithinMs);
    try {
      // Not the socket itself: to have read it to its end would close it for writing, too.
      for await (const line of readLines(linesOf(socket), LINE_BYTES_MAX)) {
        clearTimeout(late);
        if (host === undefined) {
          if (over) break;
          const hello = parseHello(line);
          host = await startHost(hello, options);
          if (over) host.stream.input.end();
          options.onStarted(hello, host.pid);
          await host.say(line);
        } else if (line === KILL_LINE) host.signal('SIGKILL');
        else await host.say(line);
      }
    } finally {
      clearTimeout(late);
      host?.stream.input.end();
    }
    return host === undefined ? 'it said nothing' : (await host.stream.ended).reason;
  };
  const ended = (async (): Promise<{ readonly reason: string }> => {
    try {
      return { reason: await serve() };
    } catch (error) {
      // A line without end is as little this protocol as one that is no JSON.
      const failure =
        error instanceof RangeError ? new HostError('protocol', error.message) : asHostError(error);
      refuse(socket, failure);
      await host?.stream.ended;
      return { reason: `${failure.code}: ${failure.message}` };
    } finally {
      hangUp(socket);
      if (!socket.closed) await once(socket, 'close');
    }
  })();
  return {
    ended,
    end() {
      over = true;
      if (host === undefined) socket.destroy();
      else host.stream.input.end();
    },
    signal: (signal) => host?.signal(signal),
  };
}

/** Tells a coordinator why it isn't served, and closes. */
export function refuse(socket: TLSSocket, { code, message }: HostError): void {
  if (socket.writable) socket.write(`${JSON.stringify({ id: 0, failed: { code, message } })}\n`);
  hangUp(socket);
}

/** What the other end still says is read: a reset would take away what it was told. */
function hangUp(socket: TLSSocket): void {
  socket.end();
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), HANG_UP_WITHIN_MS);
  socket.once('close', () => clearTimeout(timer));
}

function linesOf(socket: TLSSocket): PassThrough {
  const lines = socket.pipe(new PassThrough());
  socket.once('close', () => lines.end());
  return lines;
}

function parseHello(line: string): Hello {
  try {
    const hello = JSON.parse(line) as Hello;
    if (typeof hello.hello === 'number' && typeof hello.settings.root === 'string') return hello;
  } catch {
    // Told below.
  }
  throw new HostError('protocol', 'This is the agent of rookery-deploy, and what it was told is no hello');
}

/**
 * The settings that hold for what a coordinator wants: the agent's own. What the inventory says otherwise is refused
 * and not passed over in silence, since somebody expects that it is done.
 * @throws HostError `not-allowed`
 */
function settingsFor(
  asked: Pick<HostSettings, 'root' | 'hooks' | 'check'>,
  roots: ReadonlyMap<string, HostSettings>,
): HostSettings {
  const own = roots.get(asked.root);
  if (own === undefined) {
    throw new HostError('not-allowed', `${asked.root} is no root of this agent: its own settings name them`);
  }
  for (const name of HOOK_NAMES) {
    const hook = asked.hooks?.[name];
    if (hook !== undefined && !isDeepStrictEqual(hook, own.hooks[name])) {
      throw new HostError(
        'not-allowed',
        `The hook ${name} is not this agent’s: its own settings name its hooks; take it out of the inventory`,
      );
    }
  }
  if (asked.check !== undefined && !isDeepStrictEqual(asked.check, own.check)) {
    throw new HostError(
      'not-allowed',
      'The check is not this agent’s: its own settings name it; take it out of the inventory',
    );
  }
  return own;
}

interface HostProcess {
  readonly stream: ProcessStream;
  readonly pid: number | undefined;
  /** With its back pressure. */
  say(line: string): Promise<void>;
  signal(signal: 'SIGTERM' | 'SIGKILL'): void;
}

async function startHost(
  { settings }: Hello,
  { socket, roots, trust }: AgentSessionOptions,
): Promise<HostProcess> {
  const own = { settings: settingsFor(settings, roots), trust };
  const child = spawn(process.execPath, [...HOST_PROGRAM_FLAGS, HOST_PROGRAM], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: {
      ...withoutOwn(process.env),
      ROOKERY_HOST_SETTINGS: JSON.stringify(own),
      ROOKERY_COORDINATOR: (socket.remoteAddress ?? '').replace(/^::ffff:/, ''),
    },
    // What ends the agent is not to end a switch half-way.
    detached: true,
  });
  const stream = await processStream(child);
  const { input, output, ended } = stream;
  let wholeLine = true;
  output.on('data', (part: Buffer) => {
    wholeLine = part.at(-1) === 10;
  });
  output.pipe(socket, { end: false });
  socket.once('close', () => {
    output.unpipe(socket);
    // Nobody listens any more; the host's side must be able to write all the same.
    output.resume();
  });
  void ended.then(({ reason }) => {
    if (child.exitCode === 0 || !wholeLine) hangUp(socket);
    else refuse(socket, new HostError('vanished', `The host's side is gone: ${reason}`));
  });
  return {
    stream,
    pid: child.pid,
    async say(line) {
      if (input.writableEnded || input.destroyed || input.write(`${line}\n`)) return;
      await Promise.race([once(input, 'drain'), ended]);
    },
    signal: (signal) => void child.kill(signal),
  };
}

/** The agent's own variables are nothing for hooks: its admin token may be among them. */
function withoutOwn(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => !name.startsWith('ROOKERY_DEPLOY_AGENT_')),
  );
}

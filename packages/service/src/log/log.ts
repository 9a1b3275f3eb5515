import { type DestinationStream, type Logger, pino, stdTimeFunctions } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { useColor } from '../cli/color.ts';
import { stdoutDestination } from './stdout.ts';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export const LOG_FORMATS = ['auto', 'json', 'pretty'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export type LogFormat = (typeof LOG_FORMATS)[number];

/** Pino's logger. Make one child per part: `log.child({ part: 'admin' })`; errors go under `err`. */
export type Log = Logger;

/** Takes whole lines, each with its end of line. */
export interface LogDestination {
  write(line: string): unknown;
}

export interface LogOptions {
  /** The program: `rookery-queue`. On every line. */
  readonly name: string;
  /** Default `info`. */
  readonly level?: LogLevel;
  /** Default `auto`: pretty when stdout is a terminal, else JSON. With a `destination`, auto is JSON. */
  readonly format?: LogFormat;
  /** Default: the process's stdout. */
  readonly destination?: LogDestination;
  /** Colour of the pretty format. Default: on a terminal, unless NO_COLOR is set. */
  readonly color?: boolean;
}

/** How long the last lines may take to reach a stuck reader. */
const FLUSH_MS = 1000;

/** Keys that never reach a log, wherever an object is logged under the top or one level down. */
const REDACTED_KEYS = ['token', 'password', 'secret', 'authorization', 'adminToken'];

/**
 * One logger per process or server. JSON lines have `level` (a word), `time` (RFC 3339), `name`, `msg` and, from
 * children, `part`. At an exit, what waits is flushed.
 */
export function createLogger(options: LogOptions): Log {
  const children = new LevelFollowers();
  const log = pino(
    {
      name: options.name,
      level: options.level ?? 'info',
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: REDACTED_KEYS.flatMap((key) => [key, `*.${key}`]), censor: '***' },
      onChild: (child) => children.add(child),
    },
    destinationFor(options),
  );
  followers.set(log, children);
  return log;
}

/** Changes the level of a logger made by `createLogger` and of all its children; a reload of the settings does this. */
export function setLogLevel(log: Log, level: LogLevel): void {
  log.level = level;
  followers.get(log)?.setLevel(level);
}

/**
 * Resolves when every line so far has been handed to the system, or after a second: what nobody reads holds no stop back.
 * An unwritable log resolves too.
 */
export function flushLog(log: Log): Promise<void> {
  return new Promise((resolve) => {
    // It keeps the process alive: with nothing else to do Node would end it here, and not with its exit code.
    const timer = setTimeout(resolve, FLUSH_MS);
    log.flush(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function destinationFor(options: LogOptions): DestinationStream {
  const format = options.format ?? 'auto';
  const terminal = options.destination === undefined && process.stdout.isTTY === true;
  if (format === 'json' || (format === 'auto' && !terminal)) {
    return options.destination === undefined ? stdoutDestination() : lines(options.destination);
  }
  // A stream in this thread and no worker transport: a bundled app has no file that a worker could load.
  const pretty = prettyFactory({
    colorize: options.color ?? (options.destination === undefined && useColor(process.stdout, process.env)),
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'pid,hostname,name,part',
    messageFormat: '{if part}[{part}] {end}{msg}',
  });
  const target = options.destination ?? process.stdout;
  return { write: (line) => void target.write(pretty(line)) };
}

function lines(target: LogDestination): DestinationStream {
  return { write: (line) => void target.write(line) };
}

/** Pino's children copy their parent's level once; these follow it, without being kept from the garbage collector. */
class LevelFollowers {
  readonly #refs = new Set<WeakRef<Log>>();
  readonly #gone = new FinalizationRegistry<WeakRef<Log>>((ref) => this.#refs.delete(ref));

  add(child: Log): void {
    const ref = new WeakRef(child);
    this.#refs.add(ref);
    this.#gone.register(child, ref);
  }

  setLevel(level: LogLevel): void {
    for (const ref of this.#refs) {
      const child = ref.deref();
      if (child !== undefined) child.level = level;
    }
  }
}

const followers = new WeakMap<Log, LevelFollowers>();

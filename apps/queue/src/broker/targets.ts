import type { Dialect } from '../dialect.ts';
import { BrokerError } from './errors.ts';

/** What the key of a get asks for: a queue or cursor, and how to read it. */
export interface ReadTarget {
  readonly queue: string;
  readonly cursor: string | undefined;
  readonly open: boolean;
  readonly close: boolean;
  readonly abort: boolean;
  readonly peek: boolean;
  /** How long to wait for a message; 0: not at all. */
  readonly timeoutMs: number;
}

/** What the key of a set asks for. */
export interface WriteTarget {
  /** At least one; several from `a+b`. */
  readonly queues: readonly string[];
  /** The reply waits for the device, whatever the server's mode. */
  readonly sync: boolean;
}

/** memcached's own bound, for the name without options. */
const nameBytesMax = 250;

/**
 * Options are taken off the end of the key: `NAME[/t=MS][/open][/close][/abort][/peek][/cursor=NAME]`, in any order,
 * verbs in any case. A memcache key may well hold slashes of its own, so what is no option belongs to the name (but in
 * Kestrel's dialect, whose names hold none, it is refused as there).
 * @throws BrokerError `bad-name`, `bad-options`
 */
export function parseReadTarget(key: string, dialect: Dialect): ReadTarget {
  const target = {
    queue: key,
    cursor: undefined as string | undefined,
    open: false,
    close: false,
    abort: false,
    peek: false,
    timeoutMs: 0,
  };
  let slash = key.lastIndexOf('/');
  while (slash >= 0 && readOption(target.queue.slice(slash + 1), target)) {
    target.queue = target.queue.slice(0, slash);
    slash = target.queue.lastIndexOf('/');
  }
  if (dialect.kestrelNames && target.cursor === undefined) {
    const dot = target.queue.indexOf('.');
    if (dot > 0) {
      target.cursor = target.queue.slice(dot + 1);
      target.queue = target.queue.slice(0, dot);
    }
  }
  checkName(target.queue, dialect);
  if (target.cursor !== undefined) checkName(target.cursor, dialect);
  const { open, close, abort, peek } = target;
  if ((abort && (open || close || peek)) || (peek && (open || close))) {
    throw new BrokerError('bad-options', 'abort and peek go with no other verb');
  }
  return target;
}

function readOption(
  option: string,
  target: {
    -readonly [name in keyof ReadTarget]: ReadTarget[name];
  },
): boolean {
  const lower = option.toLowerCase();
  if (lower === 'open') target.open = true;
  else if (lower === 'close') target.close = true;
  else if (lower === 'abort') target.abort = true;
  else if (lower === 'peek') target.peek = true;
  else if (/^t=\d{1,10}$/.test(lower)) target.timeoutMs = Number(lower.slice(2));
  else if (lower.startsWith('cursor=') && option.length > 7) target.cursor = option.slice(7);
  else return false;
  return true;
}

/**
 * `NAME[+NAME…][/sync]`.
 * @throws BrokerError `bad-name`, `bad-options`
 */
export function parseWriteTarget(key: string, dialect: Dialect): WriteTarget {
  const sync = /\/sync$/i.test(key);
  const names = sync ? key.slice(0, -5) : key;
  const queues = names.includes('+') ? [...new Set(names.split('+'))] : [names];
  for (const name of queues) {
    checkName(name, dialect);
    const option = optionAtEnd(name);
    if (option !== undefined) {
      throw new BrokerError('bad-name', `a queue's name can't end in "/${option}": that is an option of get`);
    }
  }
  return { queues, sync };
}

/** What a name ends in that is taken for an option: such a queue could be written to and never read. */
export function optionAtEnd(name: string): string | undefined {
  const last = name.slice(name.lastIndexOf('/') + 1);
  if (last === name) return undefined;
  return /^(open|close|abort|peek|sync|t=\d{1,10}|cursor=.+)$/i.test(last) ? last : undefined;
}

/** @throws BrokerError `bad-name` */
function checkName(name: string, dialect: Dialect): void {
  if (name.length === 0) throw new BrokerError('bad-name', 'the queue has no name');
  if (name.length > nameBytesMax) {
    throw new BrokerError('bad-name', `a queue's name has ${nameBytesMax} bytes at most`);
  }
  if (dialect.kestrelNames && /[./~]/.test(name)) {
    throw new BrokerError('bad-name', 'Queue name contains illegal characters (one of: ~ . /)');
  }
}

/** Keys come again and again: their parsed form is kept, up to so many. */
const cachedKeysMax = 10_000;

/** A parser that remembers what it parsed; refused keys are not remembered. */
export function cached<T>(parse: (key: string) => T): (key: string) => T {
  let known = new Map<string, T>();
  // hot:
  return (key) => {
    let target = known.get(key);
    if (target === undefined) {
      target = parse(key);
      if (known.size >= cachedKeysMax) known = new Map();
      known.set(key, target);
    }
    return target;
  };
}

import type { Dialect } from '../dialect.ts';
import type { PutOptions } from '../queue/queue.ts';
import { ordinaryPriority } from '../store/store.ts';
import { BrokerError } from './errors.ts';

/** What the key of a get asks for: a queue or cursor, and how to read it. */
export interface ReadTarget {
  readonly queue: string;
  readonly cursor: string | undefined;
  readonly open: boolean;
  readonly close: boolean;
  readonly abort: boolean;
  readonly peek: boolean;
  /** Like `abort`, but to where dead letters go. */
  readonly bury: boolean;
  /** With `abort`: ready again only so many milliseconds from now. */
  readonly delayMs: number;
  /** How long to wait for a message; 0: not at all. */
  readonly timeoutMs: number;
  /** Messages wanted, at least 1. */
  readonly batch: number;
}

/** What the key of a set asks for. */
export interface WriteTarget {
  /** At least one; several from `a+b`. */
  readonly queues: readonly string[];
  /** The reply waits for the device, whatever the server's mode. */
  readonly sync: boolean;
  /** Undefined for most. */
  readonly options: PutOptions | undefined;
}

/** memcached's own bound, for the name without options. */
const nameBytesMax = 250;

/**
 * Options are taken off the end of the key: `NAME[/t=MS][/open][/close][/abort][/delay=MS][/bury][/peek][/batch=N]
 * [/cursor=NAME]`, in any order, verbs in any case. A memcache key may well hold slashes of its own, so what is no option belongs to the name (but in
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
    bury: false,
    delayMs: 0,
    timeoutMs: 0,
    batch: 1,
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
  const { open, close, abort, bury, peek } = target;
  if (((abort || bury || peek) && (open || close)) || Number(abort) + Number(bury) + Number(peek) > 1) {
    throw new BrokerError(
      'bad-options',
      `${bury ? 'bury' : 'abort and peek go'}${bury ? ' goes' : ''} with no other verb`,
    );
  }
  checkReadOptions(target);
  return target;
}

function checkReadOptions({ open, close, abort, bury, peek, delayMs, batch, cursor }: ReadTarget): void {
  if (delayMs > 0 && !abort) {
    throw new BrokerError(
      'bad-options',
      'a read has a delay only with abort; that of a message is set by its put',
    );
  }
  if (batch > 1 && (abort || bury || peek || (close && !open))) {
    throw new BrokerError('bad-options', 'a batch goes with a plain read and with open');
  }
  if (cursor !== undefined && (bury || delayMs > 0)) {
    throw new BrokerError('bad-options', "a cursor reads along: it can't move messages");
  }
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
  else if (lower === 'bury') target.bury = true;
  else if (/^delay=\d{1,15}$/.test(lower)) target.delayMs = Number(lower.slice(6));
  else if (/^batch=[1-9]\d{0,8}$/.test(lower)) target.batch = Number(lower.slice(6));
  else if (/^t=\d{1,10}$/.test(lower)) target.timeoutMs = Number(lower.slice(2));
  else if (lower.startsWith('cursor=') && option.length > 7) target.cursor = option.slice(7);
  else return false;
  return true;
}

/**
 * `NAME[+NAME…][/sync][/delay=MS][/priority=N][/id=ID]`, in any order.
 * @throws BrokerError `bad-name`, `bad-options`
 */
export function parseWriteTarget(key: string, dialect: Dialect): WriteTarget {
  const options = {
    sync: false,
    delayMs: 0,
    priority: ordinaryPriority,
    id: undefined as string | undefined,
  };
  let names = key;
  let slash = key.lastIndexOf('/');
  while (slash >= 0 && writeOption(names.slice(slash + 1), options)) {
    names = names.slice(0, slash);
    slash = names.lastIndexOf('/');
  }
  const queues = names.includes('+') ? [...new Set(names.split('+'))] : [names];
  for (const name of queues) checkWrittenName(name, dialect);
  const { sync, delayMs, priority, id } = options;
  const special = delayMs > 0 || priority !== ordinaryPriority || id !== undefined;
  return { queues, sync, options: special ? { delayMs, priority, id } : undefined };
}

function writeOption(
  option: string,
  options: { sync: boolean; delayMs: number; priority: number; id: string | undefined },
): boolean {
  const lower = option.toLowerCase();
  // A second one is a part of the name, and as such refused.
  if (lower === 'sync' && !options.sync) options.sync = true;
  else if (/^delay=\d{1,15}$/.test(lower)) options.delayMs = Number(lower.slice(6));
  else if (/^priority=\d$/.test(lower)) options.priority = Number(lower.slice(9));
  else if (lower.startsWith('id=') && option.length > 3) {
    options.id = option.slice(3);
    if (options.id.length > idBytesMax) {
      throw new BrokerError('bad-options', `an id has ${idBytesMax} bytes at most`);
    }
  } else return false;
  return true;
}

/** A UUID, or a SHA-256 in hex. */
const idBytesMax = 64;

/** What a name ends in that is taken for an option: such a queue could be written to and never read. */
export function optionAtEnd(name: string): string | undefined {
  const last = name.slice(name.lastIndexOf('/') + 1);
  if (last === name) return undefined;
  return optionPattern.test(last) ? last : undefined;
}

// What only looks like one as well: a misspelt delay must not become another queue.
const optionPattern =
  /^(open|close|abort|peek|bury|sync|t=\d{1,10}|delay=.*|priority=.*|batch=.*|id=.*|cursor=.+)$/i;

/** Of a queue that messages come to. @throws BrokerError `bad-name` */
export function checkWrittenName(name: string, dialect: Dialect): void {
  checkName(name, dialect);
  const option = optionAtEnd(name);
  if (option !== undefined) {
    throw new BrokerError('bad-name', `a queue's name can't end in "/${option}": that is an option of get`);
  }
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
  let lastKey: string | undefined;
  let lastTarget: T;
  // hot:
  return (key) => {
    if (key === lastKey) return lastTarget;
    let target = known.get(key);
    if (target === undefined) {
      target = parse(key);
      // Each is another one: they would drive out those that come again.
      if ((target as Partial<WriteTarget> | undefined)?.options?.id !== undefined) return target;
      if (known.size >= cachedKeysMax) known = new Map();
      known.set(key, target);
    }
    lastKey = key;
    lastTarget = target;
    return target;
  };
}

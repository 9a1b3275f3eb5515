/** The simulator is worth something only if it can fail: each of these broken logs or disks must be found out. */
import { expect, test } from 'vitest';
import { type Disk, type DiskFile, type Log, openLog, type Stream } from '../src/index.ts';
import { SimulationFailure } from './failure.ts';
import { type Sabotage, simulate } from './simulation.ts';

const SEEDS = 200;

/** The first seed that finds it out, and what it says. */
async function found(sabotage: Sabotage): Promise<string> {
  for (let seed = 1; seed <= SEEDS; seed++) {
    try {
      await simulate(seed, sabotage);
    } catch (error) {
      if (!(error instanceof SimulationFailure)) throw error;
      return error.message.split('\n')[0]!;
    }
  }
  return `not found in ${SEEDS} seeds`;
}

/** A disk whose files are changed by `bend`. */
function withFiles(bend: (file: DiskFile, path: string) => Partial<DiskFile>): (disk: Disk) => Disk {
  return (disk) => ({
    ...bound(disk),
    open: async (path, options) => {
      const file = await disk.open(path, options);
      return { ...boundFile(file), ...bend(file, path) };
    },
  });
}

function bound(disk: Disk): Disk {
  return {
    makeDirectory: (path) => disk.makeDirectory(path),
    list: (path) => disk.list(path),
    open: (path, options) => disk.open(path, options),
    rename: (from, to) => disk.rename(from, to),
    remove: (path) => disk.remove(path),
    syncDirectory: (path) => disk.syncDirectory(path),
    lock: (path) => disk.lock(path),
  };
}

function boundFile(file: DiskFile): DiskFile {
  return {
    write: (buffer, start, length, position) => file.write(buffer, start, length, position),
    read: (buffer, position) => file.read(buffer, position),
    sync: () => file.sync(),
    truncate: (length) => file.truncate(length),
    size: () => file.size(),
    close: () => file.close(),
  };
}

/** A log whose streams are changed by `bend`. */
function withStreams(bend: (stream: Stream, property: string) => unknown): typeof openLog {
  return async (options) => {
    const log = await openLog(options);
    const wrapped = new Map<Stream, Stream>();
    const unwrap = (stream: Stream): Stream =>
      [...wrapped].find(([, proxy]) => proxy === stream)?.[0] ?? stream;
    const wrap = (stream: Stream): Stream => {
      const known = wrapped.get(stream);
      if (known !== undefined) return known;
      const proxy = new Proxy(stream, {
        get: (target, property) => {
          const bent = bend(target, String(property));
          if (bent !== undefined) return bent;
          if (property === 'append') {
            return (...[head, body, start, end, moved]: Parameters<Stream['append']>) =>
              target.append(head, body, start, end, moved && { ...moved, stream: unwrap(moved.stream) });
          }
          return ownOf(target, property);
        },
      });
      wrapped.set(stream, proxy);
      return proxy;
    };
    return new Proxy(log, {
      get: (target, property): unknown => {
        if (property === 'streams')
          return new Map([...log.streams].map(([name, stream]) => [name, wrap(stream)]));
        if (property === 'createStream')
          return (...args: Parameters<Log['createStream']>) => wrap(log.createStream(...args));
        return ownOf(target, property);
      },
    });
  };
}

/** As if it were asked of the target itself: a method of a class finds its private fields nowhere else. */
function ownOf(target: object, property: string | symbol): unknown {
  const value: unknown = Reflect.get(target, property, target);
  return typeof value === 'function' ? value.bind(target) : value;
}

test('counter-test: the wrappers alone break nothing', { timeout: 60_000 }, async () => {
  expect(await found({ disk: withFiles(() => ({})), open: withStreams(() => undefined) })).toContain(
    'not found',
  );
});

test('a disk that says it synced and did not', async () => {
  const disk = withFiles(() => ({ sync: () => Promise.resolve() }));
  expect(await found({ disk })).toMatch(/durable|lost|acknowledged|readable header/);
});

test('a folder that says it synced and did not', async () => {
  const disk = (real: Disk): Disk => ({ ...bound(real), syncDirectory: () => Promise.resolve() });
  expect(await found({ disk })).not.toContain('not found');
});

test('a log that commits before it has synced', async () => {
  const open: typeof openLog = (options) => openLog({ ...options, sync: 'never' });
  expect(await found({ open, options: { sync: 'always' } })).toMatch(/durable|lost/);
});

test('a log that syncs too late', async () => {
  const open: typeof openLog = (options) => openLog({ ...options, sync: { everyMs: 400 } });
  expect(await found({ open, options: { sync: { everyMs: 5 } } })).toMatch(/durable|lost/);
});

test('a disk that loses a write now and then', async () => {
  let writes = 0;
  const disk = withFiles((file, path) => ({
    write: (buffer, start, length, position) =>
      ++writes % 40 === 0 && path.endsWith('.segment') ? length : file.write(buffer, start, length, position),
  }));
  expect(await found({ disk })).not.toContain('not found');
});

test('a log that forgets an acknowledgement now and then', async () => {
  let acknowledged = 0;
  const open = withStreams((stream, property) => {
    if (property !== 'acknowledge') return undefined;
    return (entry: Parameters<Stream['acknowledge']>[0]) => {
      if (++acknowledged % 20 !== 0) stream.acknowledge(entry);
    };
  });
  expect(await found({ open })).not.toContain('not found');
});

test('a log that leaves out the last of what it read', async () => {
  const open = withStreams((stream, property) => {
    if (property !== 'read') return undefined;
    return async (...args: Parameters<Stream['read']>) => {
      const entries = await stream.read(...args);
      return entries.length > 2 ? entries.toSpliced(1, 1) : entries;
    };
  });
  expect(await found({ open })).not.toContain('not found');
});

test('a log that acknowledges without being asked', async () => {
  let appended = 0;
  const open = withStreams((stream, property) => {
    if (property !== 'append') return undefined;
    return (...args: Parameters<Stream['append']>) => {
      const entry = stream.append(...args);
      if (++appended % 30 === 0) stream.acknowledge(entry);
      return entry;
    };
  });
  expect(await found({ open })).not.toContain('not found');
});

test('a log that moves in two steps', async () => {
  const open = withStreams((stream, property) => {
    if (property !== 'append') return undefined;
    return (...args: Parameters<Stream['append']>) => {
      const [head, body, start, end, moved] = args;
      const entry = stream.append(head, body, start, end);
      moved?.stream.acknowledge(moved.entry);
      return entry;
    };
  });
  const weights = {
    append: 20,
    acknowledge: 1,
    acknowledgeNext: 1,
    acknowledgeThrough: 0,
    cursor: 0,
    move: 20,
  };
  const rest = { attributes: 0, create: 1, remove: 0, read: 1, peek: 0, sync: 0, settle: 0 };
  const options = { sync: 'never', weights: { ...weights, ...rest }, streams: 3 } as const;
  expect(await found({ open, options })).toMatch(/live in both places|in neither place/);
});

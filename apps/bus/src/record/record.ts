/** `rookery-bus record`: what comes to groups goes to files, each group's to its own. */
import type { Bus, SessionEvent } from '../client/index.ts';
import { RecordedFiles, type RecordOptions } from './files.ts';

/** How often files are looked at that nothing comes to. */
const TICK_MS = 250;

/**
 * Records until the signal is given or the bus ends. `lineOf` makes the line of an event, with its end; none leaves it out.
 */
export async function record(
  bus: Bus,
  groups: readonly string[],
  options: RecordOptions,
  lineOf: (event: SessionEvent) => Uint8Array | undefined,
  onReady: () => void,
  signal: AbortSignal,
): Promise<void> {
  const files = new Map<string, RecordedFiles>();
  for (const group of new Set(groups)) files.set(group, await RecordedFiles.open(group, options, Date.now()));
  /** One at a time: the order of the lines is the order of the writes. */
  let writing: Promise<void> = Promise.resolve();
  const failed = Promise.withResolvers<never>();
  const then = (work: () => Promise<void>): void => {
    writing = writing.then(work);
    writing.catch(failed.reject);
  };
  const timer = setInterval(() => {
    for (const one of files.values()) then(() => one.tick(Date.now()));
  }, TICK_MS);
  const over = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  try {
    const events = bus[Symbol.asyncIterator]();
    await Promise.all([...files.keys()].map((group) => bus.join(group)));
    onReady();
    await Promise.race([readAll(events, files, lineOf, then, () => writing), over, failed.promise]);
  } finally {
    clearInterval(timer);
    // What came in this turn is written, too.
    await new Promise((resolve) => setImmediate(resolve));
    await writing.catch(() => undefined);
    for (const one of files.values()) await one.close();
  }
}

async function readAll(
  events: AsyncIterator<SessionEvent, undefined>,
  files: ReadonlyMap<string, RecordedFiles>,
  lineOf: (event: SessionEvent) => Uint8Array | undefined,
  then: (work: () => Promise<void>) => void,
  written: () => Promise<void>,
): Promise<void> {
  let waiting = new Map<string, Uint8Array[]>();
  let bytes = 0;
  const flush = (): void => {
    const batch = waiting;
    waiting = new Map();
    bytes = 0;
    for (const [group, lines] of batch) {
      then(() => files.get(group)!.write(Buffer.concat(lines), Date.now()));
    }
  };
  // hot: once per event; those of one turn are one write.
  for (;;) {
    const { value: event, done } = await events.next();
    if (done) break;
    const line = lineOf(event);
    if (line === undefined) continue;
    if (waiting.size === 0) setImmediate(flush);
    for (const group of groupsOf(event) ?? files.keys()) {
      if (!files.has(group)) continue;
      const lines = waiting.get(group);
      if (lines === undefined) waiting.set(group, [line]);
      else lines.push(line);
      bytes += line.length;
    }
    // What the disk hasn't taken yet isn't read from the daemon: its policy for slow readers decides.
    if (bytes >= BATCH_BYTES) {
      flush();
      await written();
    }
  }
  flush();
}

const BATCH_BYTES = 1024 * 1024;

/** Of what concerns the whole session: undefined. */
function groupsOf(event: SessionEvent): readonly string[] | undefined {
  if (event.kind === 'message') return event.groups;
  return event.kind === 'lost' ? undefined : [event.group];
}

/** `rookery-bus record`: what comes to groups goes to files, each group's to its own. */
import {
  type Bus,
  BusError,
  type From,
  type SessionEvent,
  type Subscription,
  type SubscriptionEvent,
} from '../client/index.ts';
import { RecordedFiles, type RecordOptions } from './files.ts';
import { lockRecording, type RecordLock } from './lock.ts';

/** How often files are looked at that nothing comes to. */
const TICK_MS = 250;
/** Waiting for the disk at most, of a group. What it hasn't taken yet isn't read from the daemon. */
const BATCH_BYTES = 1024 * 1024;

export interface RecordLines {
  /** Of an event its line, with its end; none leaves it out. */
  readonly ofJoined: (event: SessionEvent) => Uint8Array | undefined;
  readonly ofKept: (event: SubscriptionEvent, group: string) => Uint8Array | undefined;
}

/**
 * Records until the signal is given or the bus ends. A group that the daemon keeps is read behind what is recorded, or
 * the first time from `from`; another one is joined. `onReady` is told which are joined.
 *
 * @throws RecordError
 */
export async function record(
  bus: Bus,
  groups: readonly string[],
  options: RecordOptions,
  from: From,
  lines: RecordLines,
  onReady: (joined: readonly string[]) => void,
  signal: AbortSignal,
): Promise<void> {
  const failed = Promise.withResolvers<never>();
  const over = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  const locks: RecordLock[] = [];
  const joined = new Map<string, Recording>();
  const kept = new Map<string, Recording>();
  const events = bus[Symbol.asyncIterator]();
  const loops: Promise<void>[] = [];
  const timer = setInterval(() => {
    for (const one of [...joined.values(), ...kept.values()]) one.tick();
  }, TICK_MS);
  try {
    for (const group of new Set(groups)) {
      locks.push(await lockRecording(group, options.directory));
      const cursor = await RecordedFiles.cursor(group, options);
      const subscription = await subscribed(bus, group, cursor === undefined ? from : { cursor });
      if (subscription === undefined) await bus.join(group);
      const files = await RecordedFiles.open(group, options, Date.now(), subscription?.cursor);
      const recording = new Recording(files, () => subscription?.cursor, failed.reject);
      if (subscription === undefined) joined.set(group, recording);
      else {
        kept.set(group, recording);
        loops.push(readKept(subscription, recording, lines));
      }
    }
    if (joined.size > 0) loops.push(readJoined(events, joined, lines));
    onReady([...joined.keys()]);
    await Promise.race([Promise.all(loops), over, failed.promise]);
  } finally {
    clearInterval(timer);
    for (const one of [...joined.values(), ...kept.values()]) await one.close();
    for (const lock of locks) await lock.release();
  }
}

/** Undefined if nobody keeps the group. */
async function subscribed(bus: Bus, group: string, from: From): Promise<Subscription | undefined> {
  try {
    return await bus.subscribe(group, { from });
  } catch (error) {
    if (error instanceof BusError && error.code === 'NOT_KEPT') return undefined;
    throw error;
  }
}

// hot: once per event; those of one turn are one write.
async function readKept(
  subscription: Subscription,
  recording: Recording,
  { ofKept }: RecordLines,
): Promise<void> {
  for (;;) {
    const { value: event, done } = await subscription.next();
    if (done) return;
    const line = ofKept(event, subscription.group);
    if (line === undefined) continue;
    recording.add(line);
    if (recording.waitingBytes >= BATCH_BYTES) await recording.flush();
  }
}

async function readJoined(
  events: AsyncIterator<SessionEvent, undefined>,
  recordings: ReadonlyMap<string, Recording>,
  { ofJoined }: RecordLines,
): Promise<void> {
  for (;;) {
    const { value: event, done } = await events.next();
    if (done) return;
    const line = ofJoined(event);
    if (line === undefined) continue;
    for (const group of groupsOf(event) ?? recordings.keys()) {
      const recording = recordings.get(group);
      recording?.add(line);
      if (recording !== undefined && recording.waitingBytes >= BATCH_BYTES) await recording.flush();
    }
  }
}

/** Of what concerns the whole session: undefined. */
function groupsOf(event: SessionEvent): readonly string[] | undefined {
  if (event.kind === 'message') return [...new Set(event.groups)];
  return event.kind === 'lost' ? undefined : [event.group];
}

/** The lines of one turn, and the files that they go to. */
class Recording {
  waitingBytes = 0;
  readonly #files: RecordedFiles;
  readonly #cursor: () => string | undefined;
  readonly #onFailed: (error: Error) => void;
  #lines: Uint8Array[] = [];
  /** One at a time: the order of the lines is the order of the writes. */
  #writing: Promise<void> = Promise.resolve();
  #over = false;
  #failed = false;

  constructor(files: RecordedFiles, cursor: () => string | undefined, onFailed: (error: Error) => void) {
    this.#files = files;
    this.#cursor = cursor;
    this.#onFailed = onFailed;
  }

  add(line: Uint8Array): void {
    if (this.#over) return;
    if (this.#lines.length === 0) setImmediate(() => void this.flush());
    this.#lines.push(line);
    this.waitingBytes += line.length;
  }

  /**
   * Call it right behind `add`, or between turns: elsewhere the cursor may be behind an event whose line isn't here yet.
   * Resolves when the system has the lines.
   */
  flush(): Promise<void> {
    if (this.#lines.length > 0) {
      const bytes = Buffer.concat(this.#lines);
      const cursor = this.#cursor();
      this.#lines = [];
      this.waitingBytes = 0;
      this.#then(() => this.#files.write(bytes, Date.now(), cursor));
    }
    return this.#writing;
  }

  tick(): void {
    this.#then(() => this.#files.tick(Date.now()));
  }

  /** What came in this turn is written, too; what comes afterwards isn't. */
  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      setImmediate(() => {
        void this.flush();
        this.#over = true;
        resolve();
      });
    });
    await this.#writing;
    await this.#files.close();
  }

  /** A failure ends the recording: what follows must not be written behind a hole. */
  #then(work: () => Promise<void>): void {
    this.#writing = this.#writing.then(async () => {
      if (this.#failed) return;
      try {
        await work();
      } catch (error) {
        this.#failed = true;
        this.#onFailed(error as Error);
      }
    });
  }
}

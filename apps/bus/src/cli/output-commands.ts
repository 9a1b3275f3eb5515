/** The commands that carry events out: their flags, and what they call. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { address, interruptible, setExitCode } from '@rookery/service';
import { type Command, InvalidArgumentError } from 'commander';
import { type Bus, BusError, type From, type SessionEvent, type SubscriptionEvent } from '../client/index.ts';
import { type ForwardedMessage, forward, type Place } from '../forward/forward.ts';
import { monitor } from '../monitor/monitor.ts';
import { fileName } from '../record/name.ts';
import { type RecordLines, record } from '../record/record.ts';
import { replaceFile } from '../replace-file.ts';
import { createAdminClient, DEFAULT_ADMIN_URL } from './admin-client.ts';
import { type ConnectionFlags, type Environment, explained, openBus, targetOf } from './connection.ts';
import { eventJson, eventLine, keptJson, messageLine } from './describe-event.ts';
import { addConnection, duration, number, place, size } from './flags.ts';

export function addOutputCommands(root: Command, environment: Environment): void {
  addRecord(root, environment);
  addForward(root, environment);
  addMonitor(root, environment);
}

interface RecordFlags extends ConnectionFlags {
  readonly directory: string;
  readonly fileName: string;
  readonly maxBytes: number;
  /** ms */
  readonly every: number;
  /** ms */
  readonly sync: number;
  readonly compress: boolean;
  readonly keep: number;
  readonly from: From;
  readonly json: boolean;
}

function addRecord(root: Command, environment: Environment): void {
  const command = root
    .command('record')
    .description('Write what comes to groups to files, finished by size and time.')
    .argument('<group...>', 'the groups')
    .option('-d, --directory <folder>', 'where to', '.')
    .option(
      '--file-name <pattern>',
      '%Y %m %d %H %M %S %s in UTC, %g the group',
      pattern,
      '%g.%Y%m%dT%H%M%SZ.log',
    )
    .option('--max-bytes <size>', 'a file that is so long is finished; 0 for none', size, 64 * 1024 * 1024)
    .option(
      '--every <duration>',
      'files end with each so long: 1h ends them with the hour; 0 for none',
      duration,
      3_600_000,
    )
    .option('--sync <duration>', 'what was written is on the device after this', duration, 1000)
    .option('--compress', 'finished files with gzip', false)
    .option('--keep <number>', 'finished files of a group that stay; 0 for all', number(0), 0)
    .option(
      '--from <place>',
      'of kept groups, where to begin the first time, as of sub; later behind what is recorded',
      place,
      'now',
    )
    .option('--json', 'an object a line, as of sub --json; else the messages', false);
  addConnection(command).action(async (groups: readonly string[], flags: RecordFlags) => {
    const { directory, fileName: name, maxBytes, every: everyMs, sync: syncMs, compress, keep } = flags;
    const options = { directory, name, maxBytes, everyMs, syncMs, compress, keep };
    const lines = recordLines(new Set(groups), flags.json);
    const tellReady = (joined: readonly string[]): void => {
      if (joined.length > 0) {
        tell(
          `no daemon here keeps ${joined.join(' ')}: what comes while this isn't running won't be recorded`,
        );
      }
      tell(`recording ${[...new Set(groups)].join(' ')} in ${directory}`);
    };
    await onBus(root, flags, environment, (bus, signal) =>
      record(bus, groups, options, flags.from, lines, tellReady, signal),
    );
  });
}

function recordLines(groups: ReadonlySet<string>, json: boolean): RecordLines {
  return {
    ofJoined(event) {
      if (event.kind === 'left') return undefined;
      if (json) return Buffer.from(eventJson(event, groups, new Date()));
      if (event.kind === 'message') return Buffer.from(messageLine(event.data, false));
      if (event.kind === 'dropped' || event.kind === 'lost') process.stderr.write(eventLine(event));
      return undefined;
    },
    ofKept(event, group) {
      if (event.kind === 'caught_up') return undefined;
      if (event.kind === 'missed') tell(missedText(group, event.count));
      if (json) return Buffer.from(keptJson(event, group));
      return event.kind === 'message' ? Buffer.from(messageLine(event.data, false)) : undefined;
    },
  };
}

function tell(text: string): void {
  process.stderr.write(`rookery-bus: ${text}\n`);
}

function missedText(group: string, count: number): string {
  return `${group}: up to ${count} messages are no longer kept and were not read`;
}

interface ForwardFlags extends ConnectionFlags {
  readonly cursor?: string;
  readonly from: From;
  readonly queue: { readonly host: string; readonly port: number; readonly name: string };
}

function addForward(root: Command, environment: Environment): void {
  const command = root
    .command('forward')
    .description('Put what comes to a group into a queue that speaks memcache, each message at least once.')
    .argument('<group>', 'the group')
    .requiredOption('--queue <address>', 'HOST:PORT/NAME', queueAddress)
    .option('--cursor <file>', 'of a group that daemons keep: where it goes on after a restart')
    .option(
      '--from <place>',
      'of a group that daemons keep, where to begin while the cursor’s file isn’t there, as of sub',
      place,
      'now',
    );
  addConnection(command).action(async (group: string, flags: ForwardFlags) => {
    const { name: queue, ...at } = flags.queue;
    await onBus(root, flags, environment, async (bus, signal) => {
      signal.addEventListener('abort', () => void bus.close(), { once: true });
      const { events, place } = await sourceOf(bus, group, flags.from, flags.cursor);
      const messages = messagesOf(events, group);
      tell(`forwarding ${group} to ${queue}`);
      const counts = await forward(messages, { address: at, queue, tell, place }, signal);
      tell(`${counts.stored} stored, ${counts.repeated} sent again, ${counts.refused} refused`);
    });
  });
}

type ForwardEvent = SessionEvent | SubscriptionEvent;

/** A kept group is read behind the cursor's place; one that nobody keeps, from now on. */
async function sourceOf(
  bus: Bus,
  group: string,
  from: From,
  file: string | undefined,
): Promise<{ readonly events: AsyncIterable<ForwardEvent>; readonly place: Place | undefined }> {
  const stored = file === undefined ? '' : await storedCursor(file);
  try {
    const events = await bus.subscribe(group, { from: stored === '' ? from : { cursor: stored } });
    if (file === undefined) return { events, place: undefined };
    const store = (text: string): Promise<void> => replaceFile(file, `${text}\n`);
    // Also before anything comes: a restart then begins where this one did.
    if (stored === '' && events.cursor !== undefined) await store(events.cursor);
    return { events, place: { cursor: () => events.cursor, store } };
  } catch (error) {
    if (!(error instanceof BusError && error.code === 'NOT_KEPT')) throw error;
    if (file !== undefined) tell(`no daemon here keeps ${group}: forwarding what comes from now on`);
    return { events: await bus.join(group), place: undefined };
  }
}

/** Empty where there is no such file. */
async function storedCursor(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  return text.trim();
}

async function* messagesOf(
  events: AsyncIterable<ForwardEvent>,
  group: string,
): AsyncGenerator<ForwardedMessage> {
  // Of two groups that go to one queue each has its own.
  const short = createHash('sha256').update(group).digest('base64url').slice(0, 8);
  for await (const event of events) {
    if (event.kind === 'message') {
      // Empty for what nobody keeps.
      const id = 'id' in event ? event.id : '';
      yield { data: event.data, id: id === '' ? undefined : `${id}-${short}` };
    } else if (event.kind === 'dropped' || event.kind === 'lost') tell(eventLine(event).trim());
    else if (event.kind === 'missed') tell(missedText(group, event.count));
  }
}

function addMonitor(root: Command, environment: Environment): void {
  root
    .command('monitor')
    .description(
      'Show a daemon’s ring, groups, sessions and rates, anew each second; without a terminal, lines.',
    )
    .option(
      '--admin-url <url>',
      `the daemon’s admin server (default: ${DEFAULT_ADMIN_URL}; ROOKERY_BUS_ADMIN_URL)`,
    )
    .action(async ({ adminUrl }: { adminUrl?: string }) => {
      const { stdout } = process;
      const screen = {
        write: (text: string) => void stdout.write(text),
        size: () => (stdout.isTTY ? { rows: stdout.rows, columns: stdout.columns } : undefined),
      };
      const code = await interruptible((signal) => {
        const gone = new AbortController();
        stdout.once('close', () => gone.abort());
        const until = AbortSignal.any([signal, gone.signal]);
        return monitor(createAdminClient(adminUrl, environment, until), screen, until);
      });
      setExitCode(root, code);
    });
}

async function onBus(
  root: Command,
  flags: ConnectionFlags,
  environment: Environment,
  run: (bus: Bus, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const code = await interruptible(async (signal) => {
    const target = await targetOf(flags, environment);
    const bus = await openBus(target, signal, { membership: false });
    try {
      await run(bus, signal);
    } catch (error) {
      if (!signal.aborted) throw explained(error, target.urls);
    } finally {
      await bus.close();
    }
  });
  setExitCode(root, code);
}

function pattern(text: string): string {
  try {
    if (fileName(text, 'g', new Date()) === '') throw new RangeError('a file has a name');
    return text;
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

function queueAddress(text: string): ForwardFlags['queue'] {
  const slash = text.indexOf('/');
  const parsed = address().safeParse(text.slice(0, Math.max(0, slash)));
  const name = text.slice(slash + 1);
  if (slash < 0 || !parsed.success || !/^[!-~]{1,250}$/.test(name)) {
    throw new InvalidArgumentError('It is HOST:PORT/NAME, such as 127.0.0.1:22122/events.');
  }
  return { ...parsed.data, name };
}

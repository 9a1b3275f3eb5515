/** The commands that are clients of a daemon: their flags, and what they call. */
import { KEY_BYTES, SERVICES, type Service } from '@rookery/protocol/websocket';
import { interruptible, setExitCode } from '@rookery/service';
import { type Command, InvalidArgumentError } from 'commander';
import type { From } from '../client/index.ts';
import { createAdminClient, DEFAULT_ADMIN_URL } from './admin-client.ts';
import { type ConnectionFlags, type Environment, targetOf } from './connection.ts';
import { addConnection, collect, number, place } from './flags.ts';
import { type FloodOptions, flood } from './flood/flood.ts';
import { STAMP_BYTES } from './flood/stamp.ts';
import { listGroups, listMembers } from './groups.ts';
import { addInputCommands } from './input-commands.ts';
import { addOutputCommands } from './output-commands.ts';
import { pub } from './pub.ts';
import { pubSpooled } from './pub-spooled.ts';
import { status } from './status.ts';
import { sub } from './sub.ts';
import { parseFilters, subKept } from './sub-kept.ts';

/** Messages larger than this are none, whatever a daemon's `message_bytes` says. */
const SIZE_MAX = 1024 ** 3;

export function addClientCommands(root: Command, environment: Environment): void {
  addPub(root, environment);
  addSub(root, environment);
  addGroups(root, environment);
  addStatus(root, environment);
  addFlood(root, environment);
  addInputCommands(root, environment);
  addOutputCommands(root, environment);
}

interface PubFlags extends ConnectionFlags {
  readonly group: readonly string[];
  readonly service: Service;
  readonly key?: string;
  readonly type: number;
  readonly lines: boolean;
  readonly spool?: string;
}

function addPub(root: Command, environment: Environment): void {
  const command = root
    .command('pub')
    .description('Publish a message: the text that is given, or standard input.')
    .argument('[text...]', 'the message, its words with a space between')
    .requiredOption('-g, --group <name>', 'where to, a group or a session (may be repeated)', collect);
  addService(command)
    .option('--key <key>', 'a newer message with the same key may replace it for a slow reader', parseKey)
    .option('--type <number>', 'the message type, 0 to 65535: the application’s', number(0, 65_535), 0)
    .option('--lines', 'each line of standard input is a message of its own', false)
    .option('--spool <folder>', 'keep messages there until a daemon has ordered them, and wait for one');
  addConnection(command).action(async (words: readonly string[], flags: PubFlags) => {
    const { group, type, key, service, lines, spool } = flags;
    if (lines && words.length > 0) command.error('error: --lines reads standard input: give no text');
    const text = words.length === 0 ? undefined : words.join(' ');
    const options = { groups: group, text, lines, service, messageType: type };
    await interrupted(root, async (signal) => {
      const target = await targetOf(flags, environment);
      const given = key === undefined ? options : { ...options, key };
      if (spool === undefined) await pub(target, given, signal);
      else await pubSpooled(target, given, spool, signal);
    });
  });
}

interface SubFlags extends ConnectionFlags {
  readonly members: boolean;
  readonly json: boolean;
  readonly count?: number;
  readonly name?: string;
  readonly from?: From;
  readonly filter: readonly string[];
  readonly lastValue: boolean;
}

function addSub(root: Command, environment: Environment): void {
  const command = root
    .command('sub')
    .description('Print what comes to groups, until Ctrl-C.')
    .argument('<group...>', 'the groups to join')
    .option('--members', 'also who is in the groups, at each change', false)
    .option('--json', 'for programs: an object a line', false)
    .option('--count <number>', 'end after so many messages', number(1))
    .option('--name <name>', 'the session’s name, 1 to 10 characters; else the daemon gives one')
    .option(
      '--from <place>',
      'of kept groups, where to begin: start, now, a sequence, -N for the last N, a time, or a cursor',
      place,
    )
    .option(
      '--filter <filter>',
      'of kept groups, only what matches: key=NAME or key=BEGINNING*, word=WORDS, .PATH=VALUE in JSON (may be repeated)',
      collect,
      [],
    )
    .option('--last-value', 'of kept groups, first the last value of each key', false);
  addConnection(command).action(async (groups: readonly string[], flags: SubFlags) => {
    const { members, json, count, name, from, filter: filters, lastValue } = flags;
    const filter = parseFilters(filters);
    if (filter === undefined) return command.error('error: a filter is key=NAME, word=WORDS or .PATH=VALUE');
    const kept = from !== undefined || filters.length > 0 || lastValue;
    if (kept && members)
      command.error('error: --members is for who joins; kept groups are read without joining');
    if (lastValue && from !== undefined) command.error('error: --last-value begins now: give no --from');
    await interrupted(root, async (signal) => {
      if (kept) {
        const options = { from, filter, lastValue, json, count, name };
        await subKept(await targetOf(flags, environment), groups, options, signal);
      } else await sub(await targetOf(flags, environment), groups, { members, json, count, name }, signal);
    });
  });
}

type ListFlags = ConnectionFlags & { readonly json: boolean };

function addGroups(root: Command, environment: Environment): void {
  const groups = root
    .command('groups')
    .description('List the groups of the network, with how many are in each.')
    .option('--json', 'for programs: an object a line', false);
  addConnection(groups).action(async (flags: ListFlags) => {
    await interrupted(root, async (signal) => {
      process.stdout.write(await listGroups(await targetOf(flags, environment), flags.json, signal));
    });
  });
  const members = root
    .command('members')
    .description('List who is in a group.')
    .argument('<group>', 'the group')
    .option('--json', 'for programs: an object a line', false);
  addConnection(members).action(async (group: string, flags: ListFlags) => {
    await interrupted(root, async (signal) => {
      process.stdout.write(await listMembers(await targetOf(flags, environment), group, flags.json, signal));
    });
  });
}

function addStatus(root: Command, environment: Environment): void {
  root
    .command('status')
    .description('Say how a daemon is: its ring, groups, sessions and rates, from its admin server.')
    .option(
      '--admin-url <url>',
      `the daemon’s admin server (default: ${DEFAULT_ADMIN_URL}; ROOKERY_BUS_ADMIN_URL)`,
    )
    .option('--json', 'for programs: one object', false)
    .action(async ({ adminUrl, json }: { adminUrl?: string; json: boolean }) => {
      await interrupted(root, async (signal) => {
        process.stdout.write(await status(createAdminClient(adminUrl, environment, signal), json, signal));
      });
    });
}

function addFlood(root: Command, environment: Environment): void {
  const command = root
    .command('flood')
    .description('Measure: send many messages and count what comes, all from this process.')
    .option('-g, --group <name>', 'the group', 'flood')
    .option('--size <bytes>', 'bytes of a message', number(STAMP_BYTES, SIZE_MAX), 100)
    .option('--messages <number>', 'messages of each sender', number(1), 100_000)
    .option('--senders <number>', 'sessions that send', number(1, 1000), 1)
    .option('--receivers <number>', 'sessions that receive', number(0, 1000), 1)
    .option(
      '--window <number>',
      'a sender’s messages without confirmation; 0 for 1 MiB of them',
      number(0),
      0,
    )
    .option('--rate <number>', 'messages a second of each sender; 0 for as many as go', number(0), 0)
    .option('--json', 'for programs: an object a line', false);
  addConnection(addService(command)).action(async (flags: FloodOptions & ConnectionFlags) => {
    await interrupted(root, async (signal) => {
      process.stdout.write(await flood(await targetOf(flags, environment), flags, signal));
    });
  });
}

function addService(command: Command): Command {
  return command.addOption(
    command.createOption('--service <service>', 'what is promised').choices(SERVICES).default('agreed'),
  );
}

async function interrupted(root: Command, run: (signal: AbortSignal) => Promise<void>): Promise<void> {
  setExitCode(root, await interruptible(run));
}

function parseKey(text: string): string {
  if (Buffer.byteLength(text) <= KEY_BYTES) return text;
  throw new InvalidArgumentError(`It has at most ${KEY_BYTES} bytes.`);
}

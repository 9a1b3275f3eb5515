/** The commands that bring events in: their flags, and what they call. */
import { readFile } from 'node:fs/promises';
import { isGroupName } from '@rookery/protocol/websocket';
import { aborted, address, interruptible, ServiceError, setExitCode } from '@rookery/service';
import { type Command, InvalidArgumentError } from 'commander';
import { startIngest } from '../inputs/http/ingest.ts';
import { publishPiped } from '../inputs/piped.ts';
import type { SyslogAddress } from '../inputs/syslog/listen.ts';
import { serveSyslog } from '../inputs/syslog/serve.ts';
import { follow } from '../inputs/tail/follow.ts';
import { Tally } from '../inputs/tally.ts';
import type { Publisher } from '../spool/index.ts';
import { type ConnectionFlags, type Environment, targetOf } from './connection.ts';
import { addConnection, collect, size } from './flags.ts';
import { addSpool, closeSpool, openSpool, type SpoolFlags } from './spooling.ts';

type InputFlags = ConnectionFlags & SpoolFlags & { readonly group: readonly string[] };

/** At the end what waits is sent for so long; a stop must not hang on a daemon that is away. */
const LAST_SENDING_MS = 2000;

export function addInputCommands(root: Command, environment: Environment): void {
  addLog(root, environment);
  addSyslog(root, environment);
  addTail(root, environment);
  addIngest(root, environment);
}

function addLog(root: Command, environment: Environment): void {
  const command = root
    .command('log')
    .description('Publish the lines of a pipe, as of Apache’s CustomLog "|…"; never holds the writer up.');
  addInput(command).action((flags: InputFlags) =>
    publishing(root, flags, environment, async (publisher, tally, signal) => {
      await publishPiped(process.stdin, flags.group, publisher, tally, signal);
    }),
  );
}

function addSyslog(root: Command, environment: Environment): void {
  const command = root
    .command('syslog')
    .description('Publish syslog messages (RFC 5424, RFC 3164), as of nginx’s access_log syslog:…')
    .requiredOption(
      '--listen <url>',
      'udp://HOST:PORT, tcp://HOST:PORT or unixgram:PATH (may be repeated)',
      (text: string, before: readonly SyslogAddress[] | undefined) => [
        ...(before ?? []),
        syslogAddress(text),
      ],
    )
    .option('--raw', 'the messages as they come, and no JSON of their fields', false);
  addInput(command).action(
    (flags: InputFlags & { readonly listen: readonly SyslogAddress[]; readonly raw: boolean }) =>
      publishing(root, flags, environment, async (publisher, tally, signal) => {
        const { listen, group: groups, raw } = flags;
        const tell = (urls: readonly string[]): void => tally.say(`listening on ${urls.join(' ')}`);
        await serveSyslog(listen, { groups, raw }, publisher, tally, tell, signal);
      }),
  );
}

function addTail(root: Command, environment: Environment): void {
  const command = root
    .command('tail')
    .description('Publish the lines that are added to files, across rotation and restarts, each once.')
    .argument('<file...>', 'the files, by the names under which they are written')
    .option('--from-start', 'of a file that is new to the spool also what is there already', false);
  addInput(command).action((files: readonly string[], flags: InputFlags & { readonly fromStart: boolean }) =>
    publishing(root, flags, environment, async (publisher, tally, signal) => {
      const options = { groups: flags.group, fromStart: flags.fromStart };
      await Promise.all(files.map((file) => follow(file, options, publisher, tally, signal)));
    }),
  );
}

interface IngestFlags extends ConnectionFlags, SpoolFlags {
  readonly group?: readonly string[];
  readonly listen: { readonly host: string; readonly port: number };
  readonly ingestTokenFile?: string;
}

function addIngest(root: Command, environment: Environment): void {
  const command = root
    .command('ingest')
    .description('Publish what is posted: POST /groups/NAME, NDJSON or lines; answered when it is kept.')
    .option('-g, --group <name>', 'what may be posted to (may be repeated); else every group', groupName)
    .option('--listen <address>', 'HOST:PORT', hostPort, { host: '127.0.0.1', port: 4808 })
    .option('--ingest-token-file <file>', 'its first line must be shown as Authorization: Bearer …');
  addConnection(addSpool(command, size)).action((flags: IngestFlags) =>
    publishing(root, flags, environment, async (publisher, tally, signal) => {
      const { listen, group: groups = [], spoolBytes, ingestTokenFile } = flags;
      const token = ingestTokenFile === undefined ? undefined : await firstLine(ingestTokenFile);
      const ingest = await startIngest({ listen, token, groups, spoolBytes }, publisher, tally);
      tally.say(`listening on ${ingest.url}`);
      await aborted(signal);
      await ingest.close();
    }),
  );
}

/** Runs an input with a spool of its own, until it ends or is told to; then sends what waits, for a moment. */
async function publishing(
  root: Command,
  flags: ConnectionFlags & SpoolFlags,
  environment: Environment,
  run: (publisher: Publisher, tally: Tally, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const code = await interruptible(async (interrupted) => {
    const tally = new Tally((line) => process.stderr.write(line));
    const failed = new AbortController();
    const signal = AbortSignal.any([interrupted, failed.signal]);
    const publisher = await openSpool(
      await targetOf(flags, environment),
      flags,
      environment,
      tally,
      (error) => failed.abort(error),
    );
    try {
      await run(publisher, tally, signal);
    } finally {
      tally.close();
      await closeSpool(publisher, LAST_SENDING_MS);
    }
    if (failed.signal.aborted) throw failed.signal.reason;
  });
  setExitCode(root, code);
}

function addInput(command: Command): Command {
  return addConnection(
    addSpool(
      command.requiredOption('-g, --group <name>', 'where to, a group (may be repeated)', groupName),
      size,
    ),
  );
}

function groupName(text: string, before: readonly string[] | undefined): readonly string[] {
  if (!isGroupName(text)) throw new InvalidArgumentError('A group has 1 to 31 characters of 0x24 to 0x7e.');
  return collect(text, before);
}

function hostPort(text: string): { host: string; port: number } {
  const parsed = address().safeParse(text);
  if (!parsed.success) throw new InvalidArgumentError('It is HOST:PORT.');
  return parsed.data;
}

function syslogAddress(text: string): SyslogAddress {
  const path = /^unixgram:(?:\/\/)?(\/.+)$/.exec(text)?.[1];
  if (path !== undefined) return { kind: 'unixgram', path };
  const [, kind, rest] = /^(udp|tcp):\/\/(.+)$/.exec(text) ?? [];
  const parsed = address().safeParse(rest);
  if (kind === undefined || !parsed.success) {
    throw new InvalidArgumentError('It is udp://HOST:PORT, tcp://HOST:PORT or unixgram:/PATH.');
  }
  return { kind: kind as 'udp' | 'tcp', address: parsed.data };
}

async function firstLine(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch((error: Error) => {
    throw new ServiceError('USAGE', `the token file can't be read: ${error.message}`, { cause: error });
  });
  const line = text.split('\n')[0]!.trim();
  if (line === '') throw new ServiceError('USAGE', `${file} holds no token`);
  return line;
}

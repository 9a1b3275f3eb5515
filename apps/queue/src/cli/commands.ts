/** The commands that are clients of a server: their flags, and what they call. */
import { interruptible, parseDuration, setExitCode } from '@rookery/service';
import { type Command, InvalidArgumentError } from 'commander';
import { type BenchOptions, bench } from './bench/bench.ts';
import { exportQueue } from './export.ts';
import { listQueues, showStats } from './figures.ts';
import { get } from './get.ts';
import { importCommand } from './import/command.ts';
import type { ImportKind } from './import/import.ts';
import { deleteQueues, flush, pause, redrive, settings } from './manage.ts';
import { peek } from './peek.ts';
import { put } from './put.ts';
import { DEFAULT_SERVER, type Environment, type Target, type TargetFlags, targetOf } from './target.ts';
import { top } from './top.ts';

export function addClientCommands(root: Command, environment: Environment): void {
  addMessages(root, environment);
  addQueues(root, environment);
  addManagement(root, environment);
  addTools(root, environment);
}

interface PutFlags extends TargetFlags {
  readonly lines: boolean;
  readonly expires?: number;
  readonly delay?: number;
  readonly priority?: number;
  readonly id?: string;
  readonly flags?: number;
  readonly sync: boolean;
}

interface GetFlags extends TargetFlags {
  readonly wait: number;
  readonly count?: number;
  readonly follow: boolean;
  readonly json: boolean;
  readonly cursor?: string;
  readonly exec?: string;
  readonly jobs: number;
  readonly retryDelay: number;
}

function addMessages(root: Command, environment: Environment): void {
  command(root, 'put', 'Put a message: the text that is given, or standard input.')
    .argument('<queue>', 'the queue')
    .argument('[text...]', 'the message, its words with a space between')
    .option('--lines', 'each line of standard input is a message of its own', false)
    .option('--expires <time>', 'it expires after so long, such as 90s or 2h', duration)
    .option('--delay <time>', 'ready so much later', duration)
    .option('--priority <number>', '0 is read first, 9 last (default: 5)', number(0, 9))
    .option('--id <id>', 'a second put with this id, soon after, is not stored')
    .option('--flags <number>', 'flags of the application', number(0, 0xffff_ffff))
    .option('--sync', 'wait for the device, whatever the server’s sync says', false)
    .action(async (queue: string, words: readonly string[], given: PutFlags, self: Command) => {
      const { lines, expires, delay, priority, id, flags, sync } = given;
      if (lines && words.length > 0) self.error('error: --lines reads standard input: give no text');
      if (lines && id !== undefined)
        self.error('error: --id is that of one message: it can’t go with --lines');
      const options = {
        ...(expires === undefined ? {} : { expiresInMs: expires }),
        ...(delay === undefined ? {} : { delayMs: delay }),
        ...(priority === undefined ? {} : { priority }),
        ...(id === undefined ? {} : { id }),
        ...(flags === undefined ? {} : { flags }),
        sync,
      };
      const text = words.length === 0 ? undefined : words.join(' ');
      await interrupted(root, (signal) =>
        put(targetOf(given, environment), { queue, text, lines, ...options }, signal),
      );
    });

  command(root, 'get', 'Take a message and print it, or run a command with it; 1 if there is none.')
    .argument('<queue>', 'the queue')
    .option('-w, --wait <time>', 'wait so long for one', duration, 0)
    .option('-n, --count <number>', 'up to so many (default: 1, with --follow all)', number(1))
    .option('-f, --follow', 'go on until Ctrl-C', false)
    .option('--json', 'for programs: an object a line', false)
    .option('--cursor <name>', 'read along from this cursor, and leave the messages to others')
    .option(
      '--exec <command>',
      'run it for each, with the body as its input; if it fails the message goes back',
    )
    .option('--jobs <number>', 'so many of these at a time', number(1, 100), 1)
    .option('--retry-delay <time>', 'what failed comes back after so long', duration, 0)
    .action(async (queue: string, flags: GetFlags) => {
      const { wait: waitMs, follow, json, cursor, exec, jobs, retryDelay: retryDelayMs } = flags;
      const count = flags.count ?? (follow ? Number.POSITIVE_INFINITY : 1);
      await interrupted(root, async (signal) => {
        const options = { queue, waitMs, count, follow, json, cursor, exec, jobs, retryDelayMs };
        const { taken, failed } = await get(targetOf(flags, environment), options, signal);
        if (failed > 0 || (taken === 0 && !follow)) return 1;
        return 0;
      });
    });

  command(root, 'peek', 'Print the message at the head of a queue, and leave it; 1 if there is none.')
    .argument('<queue>', 'the queue')
    .option('--json', 'for programs: one object', false)
    .action(async (queue: string, flags: TargetFlags & { json: boolean }) => {
      await interrupted(root, async (signal) =>
        (await peek(targetOf(flags, environment), queue, flags.json, signal)) ? 0 : 1,
      );
    });
}

function addQueues(root: Command, environment: Environment): void {
  const print = async (
    flags: TargetFlags,
    text: (target: Target, signal: AbortSignal) => Promise<string>,
  ) => {
    await interrupted(root, async (signal) => {
      process.stdout.write(await text(targetOf(flags, environment), signal));
    });
  };

  command(root, 'queues', 'List the queues.')
    .option('--json', 'for programs: an object a line', false)
    .action((flags: TargetFlags & { json: boolean }) =>
      print(flags, (target, signal) => listQueues(target, flags.json, signal)),
    );

  command(root, 'stats', 'Print all figures of the server, or of a queue.')
    .argument('[queue]', 'the queue')
    .option('--json', 'for programs: one object', false)
    .action((queue: string | undefined, flags: TargetFlags & { json: boolean }) =>
      print(flags, (target, signal) => showStats(target, queue, flags.json, signal)),
    );

  command(root, 'top', 'Watch the queues, until Ctrl-C.')
    .option('-i, --interval <time>', 'between two looks', duration, 1000)
    .option('-n, --count <number>', 'end after so many looks', number(1), Number.POSITIVE_INFINITY)
    .option('--json', 'for programs: an object a look', false)
    .action((flags: TargetFlags & { interval: number; count: number; json: boolean }) =>
      interrupted(root, (signal) =>
        top(
          targetOf(flags, environment),
          { intervalMs: flags.interval, count: flags.count, json: flags.json },
          signal,
        ),
      ),
    );

  command(root, 'flush', 'Drop all messages of queues.')
    .argument('[queue...]', 'the queues')
    .option('--all', 'of all queues', false)
    .action((queues: readonly string[], flags: TargetFlags & { all: boolean }, self: Command) => {
      if (flags.all === queues.length > 0) self.error('error: name queues, or give --all');
      return interrupted(root, (signal) => flush(targetOf(flags, environment), queues, flags.all, signal));
    });

  command(root, 'delete', 'Delete queues, with their messages.')
    .argument('<queue...>', 'the queues')
    .action((queues: readonly string[], flags: TargetFlags) =>
      interrupted(root, (signal) => deleteQueues(targetOf(flags, environment), queues, signal)),
    );
}

function addManagement(root: Command, environment: Environment): void {
  const run = (flags: TargetFlags, act: (target: Target, signal: AbortSignal) => Promise<void>) =>
    interrupted(root, (signal) => act(targetOf(flags, environment), signal));
  const count = ['-n, --count <number>', 'up to so many (default: all)'] as const;

  command(root, 'move', 'Move messages from one queue to the end of another.')
    .argument('<from>', 'the queue they are in')
    .argument('<to>', 'the queue they go to')
    .option(...count, number(1), Number.POSITIVE_INFINITY)
    .action((from: string, to: string, flags: TargetFlags & { count: number }) =>
      run(flags, (target, signal) => redrive(target, { from, to, count: flags.count }, signal)),
    );

  command(root, 'redrive', 'Put dead letters back to the queues where they came from.')
    .argument('<queue>', 'the dead letter queue')
    .option(...count, number(1), Number.POSITIVE_INFINITY)
    .action((from: string, flags: TargetFlags & { count: number }) =>
      run(flags, (target, signal) => redrive(target, { from, to: undefined, count: flags.count }, signal)),
    );

  for (const [name, paused, what] of [
    ['pause', true, 'Let queues take puts and give nothing.'],
    ['resume', false, 'Let paused queues go on.'],
  ] as const) {
    command(root, name, what)
      .argument('<queue...>', 'the queues')
      .action((queues: readonly string[], flags: TargetFlags) =>
        run(flags, (target, signal) => pause(target, queues, paused, signal)),
      );
  }

  command(root, 'set', 'Print the settings of a queue, or change them while the server runs.')
    .argument('<queue>', 'the queue')
    .argument('[name=value...]', 'what to change; name= takes one back to what the settings file says')
    .option('--json', 'for programs: one object', false)
    .action((queue: string, changes: readonly string[], flags: TargetFlags & { json: boolean }) =>
      run(flags, (target, signal) => settings(target, queue, changes, flags.json, signal)),
    );
}

function addTools(root: Command, environment: Environment): void {
  command(root, 'export', 'Print all messages of a queue.')
    .argument('<queue>', 'the queue')
    .option('--consume', 'take them', false)
    .option('--cursor <name>', 'leave them, and remember under this name how far it came')
    .option('--raw', 'only bodies, each with a newline; else an object a line', false)
    .action(
      async (
        queue: string,
        flags: TargetFlags & { consume: boolean; cursor?: string; raw: boolean },
        self: Command,
      ) => {
        const { consume, cursor, raw } = flags;
        if (consume === (cursor !== undefined)) self.error('error: give --consume, or --cursor with a name');
        await interrupted(root, async (signal) => {
          await exportQueue(targetOf(flags, environment), { queue, cursor, raw }, signal);
        });
      },
    );

  command(root, 'import', 'Put the messages of another program’s data folder into queues of the same names.')
    .argument('<program>', 'starling or kestrel', choice(['starling', 'kestrel']))
    .argument('<directory>', 'its folder; the program must not run, and nothing in it is changed')
    .option('--data <directory>', 'into this data folder of a server that does not run')
    .option('--json', 'for programs: an object a queue', false)
    .action(
      async (kind: ImportKind, directory: string, flags: TargetFlags & { data?: string; json: boolean }) => {
        await interrupted(root, async (signal) => {
          const options = { kind, directory, data: flags.data, json: flags.json };
          const { text, whole } = await importCommand(targetOf(flags, environment), options, signal);
          process.stdout.write(text);
          return whole ? 0 : 1;
        });
      },
    );

  command(root, 'bench', 'Measure: put and take many messages, all from this process.')
    .option('--queue <name>', 'must be empty; it is deleted at the end', 'rookery-bench')
    .option('-n, --messages <number>', 'how many', number(1), 100_000)
    .option('--size <bytes>', 'bytes of a message', number(0, 1024 ** 3), 100)
    .option('-c, --connections <number>', 'connections', number(1, 1000), 10)
    .option('--pipeline <number>', 'calls of a connection at a time', number(1, 10_000), 32)
    .option('--json', 'for programs: an object a line', false)
    .action(async (flags: TargetFlags & BenchOptions) => {
      await interrupted(root, async (signal) => {
        process.stdout.write(await bench(targetOf(flags, environment), flags, signal));
      });
    });
}

function command(root: Command, name: string, description: string): Command {
  return root
    .command(name)
    .description(description)
    .option(
      '-s, --server <address>',
      `host:port or unix:PATH (default: ${DEFAULT_SERVER}; ROOKERY_QUEUE_SERVER)`,
    )
    .option('--user <name>', 'who you are, with the token of ROOKERY_QUEUE_TOKEN (ROOKERY_QUEUE_USER)')
    .option('--token-file <file>', 'the token is in this file (ROOKERY_QUEUE_TOKEN_FILE)')
    .option('--tls', 'speak TLS (ROOKERY_QUEUE_TLS=1)')
    .option('--ca <file>', 'trust these certificates, and speak TLS (ROOKERY_QUEUE_CA)')
    .option('--certificate <file>', 'your own certificate, for a server that asks for one')
    .option('--key <file>', 'its key');
}

/** A number that `run` resolves to is the exit code, but after a signal. */
async function interrupted(root: Command, run: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
  let code = 0;
  const interruption = await interruptible(async (signal) => {
    const result = await run(signal);
    if (typeof result === 'number') code = result;
  });
  setExitCode(root, interruption || code);
}

function number(min: number, max: number = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    const range = max === Number.MAX_SAFE_INTEGER ? `from ${min} up` : `from ${min} to ${max}`;
    throw new InvalidArgumentError(`It must be a whole number ${range}.`);
  };
}

function duration(text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined) return ms;
  throw new InvalidArgumentError('It must be a time, such as 500ms, 2s or 1h.');
}

function choice<T extends string>(choices: readonly T[]): (text: string) => T {
  return (text) => {
    const found = choices.find((one) => one === text);
    if (found !== undefined) return found;
    throw new InvalidArgumentError(`It must be ${choices.join(' or ')}.`);
  };
}

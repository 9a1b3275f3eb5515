import { formatAddress, ServiceError, setExitCode } from '@rookery/service';
import { type Command, InvalidArgumentError } from 'commander';
import { parseMaxFailures, parseWaves, TIMEOUT_MS } from '../rollout/plan.ts';
import type { HistoryFlags, historyCommand } from './history.ts';
import type { EachFlags, HostsFlags } from './hosts.ts';
import type { PushCommand } from './push.ts';
import { createReporter, type Reporter, reported, type Streams } from './report.ts';
import type { RollbackCommand } from './rollback.ts';
import { type ListenAddress, PUSH_UI } from './ui-address.ts';

/** How the options of other commands are read. */
export interface Parsers {
  readonly collect: (value: string, before?: readonly string[]) => readonly string[];
  readonly collectTracker: (value: string, before?: readonly string[]) => readonly string[];
  readonly parseAddress: (value: string) => ListenAddress;
  readonly parseSeconds: (value: string) => number;
  readonly parseVersion: (value: string) => string;
}

/** The commands that work on hosts. */
export function addRolloutCommands(root: Command, streams: Streams, parsers: Parsers): void {
  const { collect, collectTracker, parseAddress, parseSeconds, parseVersion } = parsers;
  const onHosts = (command: Command): Command =>
    command
      .option('--hosts <file>', 'the inventory, in TOML')
      .option('--hosts-command <command>', 'what writes the hosts: JSON, or a name a line')
      .option(
        '--only <selector>',
        'NAME, group:G, tag:T or rack:R (may be repeated: any of them)',
        collect,
        [],
      )
      .option('--except <selector>', 'hosts to leave out (may be repeated)', collect, [])
      .option('--ssh-config <file>', 'for ssh -F, instead of your own configuration')
      .option('--agent-key <file>', 'this coordinator’s private key, from keygen, which agents obey')
      .option('--known-agents <file>', 'agents’ keys (default: ~/.config/rookery-deploy/known_agents)')
      .option('--trust-new-agents', 'believe agents that nobody knows yet, and remember their keys', false)
      .option('--json', 'events for programs, one a line', false);
  const withTimeout = (command: Command): Command =>
    command.option('--timeout <seconds>', 'give a host up after so long', parseSeconds, TIMEOUT_MS / 1000);
  type Work<F> = (flags: F, reporter: Reporter) => Promise<number>;
  const act = <F>(command: Command, load: () => Promise<Work<F>>): void => {
    command.action(async ({ json, ...flags }: F & { json: boolean }) => {
      const reporter = createReporter(json, streams);
      const work = await load();
      setExitCode(root, await reported(reporter, () => work(flags as F, reporter)));
    });
  };

  withTimeout(onHosts(root.command('push')))
    .description('Bring a release to hosts and switch them to it, in waves; undo it if too many fail.')
    .argument('<release>', 'the release file')
    .requiredOption('--trust <key.pub>', 'who may have signed it (may be repeated)', collect)
    .option('--tree <folder>', 'the release’s tree, from which this command seeds')
    .option('--tracker <url>', 'a swarm that is there already (may be repeated)', collectTracker, [])
    .option('--as <name>', 'the name of its folder on the hosts (default: its version)', parseVersion)
    .option('--wave <waves>', 'how many hosts at a time, all together: 1,10%,100%', usage(parseWaves), [])
    .option(
      '--max-failures <n>',
      'stop and undo when more hosts fail: N or N% (default: 10%)',
      usage(parseMaxFailures),
    )
    .option('--settle <seconds>', 'look at a healthy wave once more after so long', parseSeconds, 0)
    .option('--advertise <address>', 'this machine’s address, as the hosts reach it')
    .option(
      '--ui [host:port]',
      `a page that shows how it goes (default: ${formatAddress(PUSH_UI)})`,
      parseAddress,
    )
    .option('--ui-token-file <file>', 'holds what the page asks for; needed beyond loopback')
    .option('--history <folder>', HISTORY_HELP)
    .option('--dry-run', 'say what would be done, and change nothing', false)
    .addHelpText('after', PUSH_HELP)
    .action(async (path: string, { json, ...flags }: PushCommand & { json: boolean }) => {
      const reporter = createReporter(json, streams);
      const { pushCommand } = await import('./push.ts');
      setExitCode(root, await reported(reporter, () => pushCommand(path, flags, reporter)));
    });
  act<RollbackCommand>(
    withTimeout(onHosts(root.command('rollback')))
      .description('Put hosts back to the release before, or to another one that they have.')
      .option('--to <name>', 'which release', parseVersion)
      .option('--history <folder>', HISTORY_HELP),
    async () => (await import('./rollback.ts')).rollbackCommand,
  );
  act<EachFlags>(
    withTimeout(onHosts(root.command('status'))).description('Say where each host stands.'),
    async () => (await import('./hosts.ts')).statusCommand,
  );
  act<EachFlags>(
    withTimeout(onHosts(root.command('releases'))).description('Say which releases each host has.'),
    async () => (await import('./hosts.ts')).releasesCommand,
  );
  act<HostsFlags>(
    onHosts(root.command('hosts')).description('List the hosts of the inventory, without asking them.'),
    async () => (await import('./hosts.ts')).hostsCommand,
  );
  addHistory(root, streams);
  act<EachFlags & { keep?: number }>(
    withTimeout(onHosts(root.command('cleanup')))
      .description('Remove old releases; never what runs, or what a rollback leads to.')
      .option('--keep <n>', 'how many to leave (default: the inventory’s)', parseCount),
    async () => (await import('./hosts.ts')).cleanupCommand,
  );
  act<EachFlags>(
    withTimeout(onHosts(root.command('unlock'))).description(
      'End whatever deploys on hosts, and free their locks. A dead one needs no unlocking.',
    ),
    async () => (await import('./hosts.ts')).unlockCommand,
  );
}

function addHistory(root: Command, streams: Streams): void {
  const history = root
    .command('history')
    .description('List the pushes and rollbacks that were begun on this machine, the newest first.')
    .option('--app <name>', 'only those of this one')
    .option('--last <n>', 'so many', parseCount, 20)
    .option('--history <folder>', HISTORY_HELP)
    .option('--json', 'for programs, one a line', false)
    .action(async ({ json, ...flags }: Parameters<typeof historyCommand>[0] & { json: boolean }) => {
      const reporter = createReporter(json, streams);
      const { historyCommand } = await import('./history.ts');
      setExitCode(root, await reported(reporter, () => historyCommand(flags, reporter)));
    });
  history
    .command('show')
    .description('Show a deployment, and what became of each host.')
    .argument('<id>', 'its number, or the begin of it')
    .option('--history <folder>', HISTORY_HELP)
    .option('--json', 'for programs, one a line', false)
    .action(async (id: string, { json, ...flags }: HistoryFlags & { json: boolean }) => {
      const reporter = createReporter(json, streams);
      const { historyShowCommand } = await import('./history.ts');
      setExitCode(root, await reported(reporter, () => historyShowCommand(id, flags, reporter)));
    });
}

const HISTORY_HELP = 'where deployments are written down, or none (default: in your state folder)';

const PUSH_HELP = `
Exit codes: 0 every host runs it; 1 it was undone, or never begun; 2 called wrongly; 3 some hosts failed, no more than
allowed; 4 some hosts could not be put back; 130 or 143 cancelled. Push again, and it goes on where each host stands.`;

function usage<T>(parse: (value: string) => T): (value: string) => T {
  return (value) => {
    try {
      return parse(value);
    } catch (error) {
      if (error instanceof ServiceError) throw new InvalidArgumentError(error.message);
      throw error;
    }
  };
}

function parseCount(value: string): number {
  if (/^[1-9]\d{0,3}$/.test(value)) return Number(value);
  throw new InvalidArgumentError('It must be a number from 1.');
}

import { errorMessage, formatAddress, runCli, ServiceError, setExitCode } from '@rookery/service';
import { Command, InvalidArgumentError } from 'commander';
import packageJson from '../package.json' with { type: 'json' };
import { createReporter, reported, type Streams } from './cli/report.ts';
import { addRolloutCommands } from './cli/rollout.ts';
import type { TrackerCommand } from './cli/tracker.ts';
import { type ListenAddress, TRACKER_UI } from './cli/ui-address.ts';
import { checkName } from './release/rules.ts';

/** Runs the command line and ends the process. */
export async function main(argv: readonly string[]): Promise<never> {
  process.exit(await run(argv.slice(2)));
}

/**
 * Runs a command line and resolves to its exit code.
 * @param args without node and script
 */
export async function run(args: readonly string[], streams: Streams = process): Promise<number> {
  return runCli(await program(args, streams), args, streams);
}

// Each command loads its own part when it is called: a fetch on every host of a swarm is to be small.
async function program(args: readonly string[], streams: Streams): Promise<Command> {
  const root = new Command('rookery-deploy')
    .description('Signed, reproducible releases that hosts pass on to each other by BitTorrent.')
    .version(packageJson.version)
    // `pack --version 1.2` is the release's and not ours.
    .enablePositionalOptions();
  addKeygen(root, streams);
  addPack(root, streams);
  addShow(root, streams);
  addVerify(root, streams);
  addTracker(root, streams);
  addSeed(root, streams);
  addFetch(root, streams);
  const agent = root
    .command('agent')
    .description('Run this host’s agent until SIGTERM: coordinators whose keys it knows deploy through it.');
  // Its flags come from its settings, whose schemas others needn't load.
  if (args.includes('agent')) (await import('./cli/agent.ts')).setUpAgent(agent, root);
  addRolloutCommands(root, streams, {
    collect,
    collectTracker,
    parseAddress,
    parseSeconds,
    parseVersion: nameParser('version'),
  });
  return root;
}

function addKeygen(root: Command, streams: Streams): void {
  root
    .command('keygen')
    .description('Make the key that signs releases, and the public one that hosts trust.')
    .requiredOption('--out <path>', 'where: PATH, and PATH.pub')
    .option('--json', 'for programs', false)
    .action(async ({ out, json }: { out: string; json: boolean }) => {
      const reporter = createReporter(json, streams);
      const { keygen } = await import('./cli/keygen.ts');
      await reported(reporter, () => keygen(out, reporter));
    });
}

interface PackFlags {
  readonly app: string;
  readonly version: string;
  readonly output: string;
  readonly key?: string;
  readonly commit?: string;
  readonly json: boolean;
}

function addPack(root: Command, streams: Streams): void {
  root
    .command('pack')
    .description('Make a release of a folder, or of a commit of the git repository here.')
    .argument('<folder-or-ref>', 'a folder; if there is none of that name, a branch, tag or commit')
    .requiredOption('--app <name>', 'what it is a release of', nameParser('app'))
    .requiredOption('--version <version>', 'which release it is', nameParser('version'))
    .requiredOption('-o, --output <file>', 'the release file')
    .option('--key <file>', 'the key that signs it, from keygen; without it no host takes the release')
    .option('--commit <hash>', 'the commit that a folder was made of', parseCommit)
    .option('--json', 'events for programs, one a line', false)
    .addHelpText('after', PACK_HELP)
    .action(async (source: string, { json, ...flags }: PackFlags) => {
      const reporter = createReporter(json, streams);
      const timeSeconds = sourceDate(process.env.SOURCE_DATE_EPOCH);
      const command = timeSeconds === undefined ? flags : { ...flags, timeSeconds };
      const { packCommand } = await import('./cli/pack.ts');
      await reported(reporter, () => packCommand(source, command, reporter));
    });
}

const PACK_HELP = `
Everything in a folder counts, except .git and what .rookeryignore files say (in gitignore's syntax).
The time in the release is the commit's, or SOURCE_DATE_EPOCH for a folder, or none.`;

function addShow(root: Command, streams: Streams): void {
  root
    .command('show')
    .description('Say what a release file holds.')
    .argument('<release>', 'the release file')
    .option('--torrent <file>', 'write a .torrent for any BitTorrent client')
    .option('--files', 'list what is in it', false)
    .option('--trust <key.pub>', 'refuse it unless this key has signed it (may be repeated)', collect, [])
    .option('--json', 'for programs', false)
    .action(async (path: string, { json, ...flags }: Flags<{ files: boolean; torrent?: string }>) => {
      const reporter = createReporter(json, streams);
      const { show } = await import('./cli/show.ts');
      await reported(reporter, () => show(path, flags, reporter));
    });
}

function addVerify(root: Command, streams: Streams): void {
  root
    .command('verify')
    .description('Say whether a folder is, to the byte, what a release says; each difference by name.')
    .argument('<release>', 'the release file')
    .argument('<folder>', 'what shall be just that')
    .requiredOption('--trust <key.pub>', 'who may have signed it (may be repeated)', collect)
    .option('--exact-modes', 'modes must be 0644 and 0755; else only who may execute counts', false)
    .option('--json', 'events for programs, one a line', false)
    .action(async (path: string, folder: string, { json, ...flags }: Flags<{ exactModes: boolean }>) => {
      const reporter = createReporter(json, streams);
      const { verifyCommand } = await import('./cli/verify.ts');
      const same = await reported(reporter, () => verifyCommand(path, folder, flags, reporter));
      if (!same) setExitCode(root, 1);
    });
}

function addTracker(root: Command, streams: Streams): void {
  root
    .command('tracker')
    .description('Run the tracker, which tells the hosts of a swarm of each other.')
    .requiredOption('--listen <host:port>', 'where; port 0 is any that is free', parseAddress)
    .option(
      '--ui [host:port]',
      `a page that shows the swarms (default: ${formatAddress(TRACKER_UI)})`,
      parseAddress,
    )
    .option('--ui-token-file <file>', 'holds what the page asks for; needed beyond loopback')
    .option('--json', 'events for programs, one a line', false)
    .action(async ({ json, ...flags }: TrackerCommand & { json: boolean }) => {
      const reporter = createReporter(json, streams);
      const { trackerCommand } = await import('./cli/tracker.ts');
      setExitCode(root, await reported(reporter, () => trackerCommand(flags, reporter)));
    });
}

interface SeedFlags {
  readonly tracker: readonly string[];
  readonly port: number;
  readonly webSeedPort: number;
  readonly rack?: string;
  readonly json: boolean;
}

function addSeed(root: Command, streams: Streams): void {
  root
    .command('seed')
    .description('Be an origin of a release: give what is in a folder to the hosts that fetch it.')
    .argument('<release>', 'the release file')
    .argument('<folder>', 'its tree; it must not change meanwhile')
    .requiredOption('--tracker <url>', 'http://HOST:PORT/announce (may be repeated)', collectTracker)
    .option('--port <port>', 'for the other hosts (default: any that is free)', parsePort, 0)
    .option('--web-seed-port <port>', 'for HTTP, the way out (default: any that is free)', parsePort, 0)
    .option('--rack <name>', 'hosts of one rack get more from each other')
    .option('--json', 'events for programs, one a line', false)
    .action(async (path: string, folder: string, { json, ...flags }: SeedFlags) => {
      const reporter = createReporter(json, streams);
      const { seedCommand } = await import('./cli/seed.ts');
      setExitCode(root, await reported(reporter, () => seedCommand(path, folder, flags, reporter)));
    });
}

interface FetchFlags {
  readonly to: string;
  readonly trust: readonly string[];
  readonly tracker: readonly string[];
  readonly reuse: readonly string[];
  readonly peer: readonly string[];
  readonly wait: number;
  readonly seedFor?: number;
  readonly port: number;
  readonly rack?: string;
  readonly json: boolean;
}

function addFetch(root: Command, streams: Streams): void {
  root
    .command('fetch')
    .description('Get a release from its swarm: the folder becomes its tree, whole or not at all.')
    .argument('<release>', 'the release file')
    .requiredOption('--to <folder>', 'what becomes the tree; nothing may be there yet')
    .requiredOption('--trust <key.pub>', 'who may have signed it (may be repeated)', collect)
    .requiredOption('--tracker <url>', 'http://HOST:PORT/announce (may be repeated)', collectTracker)
    .option(
      '--reuse <folder>',
      'an older release: take what is the same from it (may be repeated)',
      collect,
      [],
    )
    .option('--wait <seconds>', 'give up when nothing has come for so long', parseSeconds, 120)
    .option(
      '--seed-for <seconds>',
      'give to others for so long (default: while the tracker knows some)',
      parseSeconds,
    )
    .option('--peer <host:port>', 'a host to ask besides those of the tracker (may be repeated)', collect, [])
    .option('--port <port>', 'for the other hosts (default: any that is free)', parsePort, 0)
    .option('--rack <name>', 'hosts of one rack get more from each other')
    .option('--json', 'events for programs, one a line', false)
    .action(async (path: string, { json, wait, seedFor, ...flags }: FetchFlags) => {
      const reporter = createReporter(json, streams);
      const seeding = seedFor === undefined ? {} : { seedForSeconds: seedFor };
      const command = { ...flags, waitSeconds: wait, ...seeding };
      const { fetchCommand } = await import('./cli/fetch.ts');
      setExitCode(root, await reported(reporter, () => fetchCommand(path, command, reporter)));
    });
}

function parseAddress(value: string): ListenAddress {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:]+)):(\d{1,5})$/.exec(value);
  if (match === null) throw new InvalidArgumentError('It must be HOST:PORT.');
  return { host: match[1] ?? match[2]!, port: parsePort(match[3]!) };
}

function parsePort(value: string): number {
  if (/^\d{1,5}$/.test(value) && Number(value) < 65_535) return Number(value);
  throw new InvalidArgumentError('It must be a port, from 0 to 65534.');
}

function parseSeconds(value: string): number {
  if (/^\d{1,7}(\.\d{1,3})?$/.test(value)) return Number(value);
  throw new InvalidArgumentError('It must be a number of seconds.');
}

function collectTracker(value: string, before: readonly string[] = []): readonly string[] {
  if (!URL.canParse(value) || !/^https?:$/.test(new URL(value).protocol)) {
    throw new InvalidArgumentError('It must be http://HOST:PORT/announce.');
  }
  return [...before, value];
}

type Flags<T> = T & { readonly json: boolean; readonly trust: readonly string[] };

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

function nameParser(what: 'app' | 'version'): (value: string) => string {
  return (value) => {
    try {
      checkName(what, value);
      return value;
    } catch (error) {
      throw new InvalidArgumentError(errorMessage(error));
    }
  };
}

function parseCommit(value: string): string {
  if (/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(value)) return value;
  throw new InvalidArgumentError('It must be a whole hash, in lower case.');
}

/** https://reproducible-builds.org/specs/source-date-epoch/ */
function sourceDate(value: string | undefined): number | undefined {
  if (value === undefined || value === '') return undefined;
  if (/^\d{1,12}$/.test(value)) return Number(value);
  throw new ServiceError('USAGE', `SOURCE_DATE_EPOCH: ${JSON.stringify(value)} is not a number of seconds`);
}

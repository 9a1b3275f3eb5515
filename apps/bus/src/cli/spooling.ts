/** What the commands have in common that publish through a spool: its flags, and where it is. */
import type { Command } from 'commander';
import type { Tally } from '../inputs/tally.ts';
import { openPublisher, PUBLISHER_DEFAULTS, type Publisher } from '../spool/index.ts';
import type { Environment, Target } from './connection.ts';

export interface SpoolFlags {
  readonly spool?: string;
  readonly spoolBytes: number;
}

const DEFAULT_SPOOL = 'rookery-bus-spool';

export function addSpool(command: Command, bytes: (text: string) => number): Command {
  return command
    .option(
      '--spool <folder>',
      `where messages wait for a daemon (default: ${DEFAULT_SPOOL}; ROOKERY_BUS_SPOOL)`,
    )
    .option(
      '--spool-bytes <size>',
      'waiting at most (default: 256MiB)',
      bytes,
      PUBLISHER_DEFAULTS.spoolBytes,
    );
}

function spoolFolder({ spool }: SpoolFlags, environment: Environment): string {
  return spool ?? (environment.ROOKERY_BUS_SPOOL || DEFAULT_SPOOL);
}

/** Opens a slot of the folder for this command; what goes wrong later is told. */
export function openSpool(
  { urls, token }: Target,
  flags: SpoolFlags,
  environment: Environment,
  tally: Tally,
  onFailed: (error: Error) => void,
): Promise<Publisher> {
  return openPublisher({
    urls,
    folder: spoolFolder(flags, environment),
    spoolBytes: flags.spoolBytes,
    ...(token === undefined ? {} : { token }),
    onEvent: (event) => {
      switch (event.kind) {
        case 'connected':
          tally.say('a daemon is there again; sending what waits');
          break;
        case 'away':
          tally.say(`no daemon (${event.reason}); messages wait in the spool`);
          break;
        case 'refused':
          tally.add('refused');
          tally.say(`the daemon refused a message to ${event.groups.join(' ')}: ${event.message}`);
          break;
        case 'failed':
          onFailed(event.error);
      }
    },
  });
}

/** What waits is sent, as long as `ms`; the rest is for the next program with this spool. */
export async function closeSpool(publisher: Publisher, ms: number): Promise<void> {
  await publisher.sent(AbortSignal.timeout(ms)).catch(() => undefined);
  await publisher.close();
}

import { approximateBytes } from '@rookery/service';
import { seed } from '../swarm/seed.ts';
import { readReleaseFile } from './files.ts';
import { listenForInterrupt } from './interrupt.ts';
import type { Reporter } from './report.ts';

export interface SeedCommand {
  readonly tracker: readonly string[];
  readonly port: number;
  readonly webSeedPort: number;
  readonly rack?: string;
}

const STATUS_EVERY_MS = 1_000;

/**
 * Seeds until it is interrupted; resolves to the exit code.
 * @throws ReleaseError
 */
export async function seedCommand(
  path: string,
  folder: string,
  { tracker, port, webSeedPort, rack }: SeedCommand,
  reporter: Reporter,
): Promise<number> {
  using interrupt = listenForInterrupt();
  await using seeding = await seed({
    release: await readReleaseFile(path),
    folder,
    trackers: tracker,
    port,
    webSeedPort,
    ...(rack === undefined ? {} : { rack }),
    onCopied: () => {
      reporter.event('copied');
      reporter.say('The hosts have a whole copy between them.\n');
    },
    onBanned: (peer) => reporter.event('peer_banned', { peer }),
    onTrackerProblem: (url, message) => reporter.event('tracker_problem', { tracker: url, message }),
  });
  const { app, version } = seeding.release.manifest;
  reporter.event('seeding', {
    app,
    version,
    info_hash: seeding.release.infoHash,
    port: seeding.port,
    web_seed_port: seeding.webSeedPort,
  });
  reporter.say(
    `Seeding ${app} ${version} on port ${seeding.port}, by HTTP on port ${seeding.webSeedPort}.\n`,
  );
  const status = setInterval(
    () => reporter.event('status', { peers: seeding.peers, sent_bytes: seeding.sentBytes }),
    STATUS_EVERY_MS,
  );
  try {
    await Promise.race([interrupt.interrupted, seeding.failed]);
  } finally {
    clearInterval(status);
  }
  reporter.event('stopped', { sent_bytes: seeding.sentBytes });
  reporter.say(`Sent ${approximateBytes(seeding.sentBytes)}.\n`);
  return interrupt.exitCode ?? 0;
}

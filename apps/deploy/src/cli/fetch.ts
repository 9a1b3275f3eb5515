import { setTimeout as delay } from 'node:timers/promises';
import { approximateBytes } from '@rookery/service';
import { type Fetched, fetch } from '../swarm/fetch.ts';
import { readPublicKeys, readReleaseFile } from './files.ts';
import { listenForInterrupt } from './interrupt.ts';
import type { Reporter } from './report.ts';

export interface FetchCommand {
  readonly to: string;
  readonly trust: readonly string[];
  readonly tracker: readonly string[];
  readonly reuse: readonly string[];
  readonly peer: readonly string[];
  readonly waitSeconds: number;
  /** Undefined: until the tracker lets it go. */
  readonly seedForSeconds?: number;
  readonly port: number;
  readonly rack?: string;
}

/**
 * Fetches, then seeds on; resolves to the exit code.
 * @throws ReleaseError
 */
export async function fetchCommand(path: string, command: FetchCommand, reporter: Reporter): Promise<number> {
  const { to, tracker, reuse, peer, waitSeconds, port, rack } = command;
  using interrupt = listenForInterrupt();
  let fetched: Fetched;
  try {
    fetched = await fetch({
      release: await readReleaseFile(path),
      to,
      trust: await readPublicKeys(command.trust),
      trackers: tracker,
      reuse,
      peers: peer,
      stallMs: waitSeconds * 1000,
      port,
      ...(rack === undefined ? {} : { rack }),
      signal: interrupt.signal,
      onProgress: ({ phase, doneBytes, totalBytes, peers }) =>
        reporter.progress(phase, doneBytes, totalBytes, { peers }),
      onBanned: (banned) => reporter.event('peer_banned', { peer: banned }),
      onTrackerProblem: (url, message) => reporter.event('tracker_problem', { tracker: url, message }),
    });
  } catch (error) {
    if (interrupt.exitCode !== undefined) return interrupt.exitCode;
    throw error;
  }
  await using seeding = fetched;
  reporter.endProgress();
  const { release, folder, fetchedBytes, webSeedBytes, reusedBytes, seconds, peers } = seeding;
  const { app, version } = release.manifest;
  reporter.event('done', {
    app,
    version,
    release_id: release.id,
    folder,
    fetched_bytes: fetchedBytes,
    http_bytes: webSeedBytes,
    reused_bytes: reusedBytes,
    seconds: Math.round(seconds * 1000) / 1000,
    peers,
  });
  reporter.say(
    `${folder} is ${app} ${version}: ${approximateBytes(fetchedBytes)} fetched from ${peers} peers, ` +
      `${approximateBytes(reusedBytes)} reused, ${seconds.toFixed(1)} s.\n`,
  );
  await Promise.race([interrupt.interrupted, seedingTime(seeding, command.seedForSeconds, interrupt.signal)]);
  reporter.event('stopped', { sent_bytes: seeding.sentBytes });
  // It has done what it was asked for: an interrupted seeding is no failure.
  return 0;
}

async function seedingTime(
  seeding: Fetched,
  seconds: number | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (seconds === undefined) return seeding.released;
  await delay(seconds * 1000, undefined, { signal }).catch(() => undefined);
}

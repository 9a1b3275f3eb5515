import { createTracker } from '../swarm/tracker/tracker.ts';
import { listenForInterrupt } from './interrupt.ts';
import type { Reporter } from './report.ts';

export interface TrackerCommand {
  readonly host: string;
  readonly port: number;
}

/**
 * Runs a tracker until it is interrupted; resolves to the exit code.
 * @throws ReleaseError `address-unusable`
 */
export async function trackerCommand({ host, port }: TrackerCommand, reporter: Reporter): Promise<number> {
  using interrupt = listenForInterrupt();
  await using tracker = await createTracker({ host, port });
  const shown = host.includes(':') ? `[${host}]` : host;
  const url = `http://${shown}:${tracker.port}/announce`;
  reporter.event('listening', { url, port: tracker.port });
  reporter.say(`The tracker listens: ${url}\n`);
  await interrupt.interrupted;
  return interrupt.exitCode ?? 0;
}

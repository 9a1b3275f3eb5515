import { boardOfSwarm } from '../page/board.ts';
import { createTracker } from '../swarm/tracker/tracker.ts';
import { listenForInterrupt } from './interrupt.ts';
import type { Reporter } from './report.ts';
import { serveUi, type UiFlags } from './ui.ts';
import { type ListenAddress, TRACKER_UI } from './ui-address.ts';

export interface TrackerCommand extends UiFlags {
  readonly listen: ListenAddress;
}

/**
 * Runs a tracker until it is interrupted; resolves to the exit code.
 * @throws ReleaseError `address-unusable`; ServiceError: the page's address
 */
export async function trackerCommand(command: TrackerCommand, reporter: Reporter): Promise<number> {
  const { host, port } = command.listen;
  using interrupt = listenForInterrupt();
  await using tracker = await createTracker({ host, port });
  const shown = host.includes(':') ? `[${host}]` : host;
  const url = `http://${shown}:${tracker.port}/announce`;
  await using _ui = await serveUi(command, TRACKER_UI, reporter, () =>
    tracker.swarms().map(({ infoHash }) => boardOfSwarm(infoHash, tracker.peers(infoHash))),
  );
  reporter.event('listening', { url, port: tracker.port });
  reporter.say(`The tracker listens: ${url}\n`);
  await interrupt.interrupted;
  return interrupt.exitCode ?? 0;
}

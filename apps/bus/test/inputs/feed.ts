import { join } from 'node:path';
import { type TemporaryFolder, temporaryFolder, waitFor } from '@rookery/testkit';
import { type Bus, connect } from '../../src/client/index.ts';
import { Tally } from '../../src/inputs/tally.ts';
import { openPublisher, type Publisher, type PublisherOptions } from '../../src/spool/index.ts';
import { type InProcess, startInProcess } from '../in-process.ts';

/** A daemon in this process, a publisher, and what a listener of group `g` has heard. */
export interface Feed extends AsyncDisposable {
  readonly daemon: InProcess;
  readonly publisher: Publisher;
  readonly folder: string;
  readonly tally: Tally;
  readonly heard: string[];
  /** What the inputs had to say. */
  readonly said: string[];
  /** Another one with the same spool, as after a restart. */
  publish(options?: Partial<PublisherOptions>): Promise<Publisher>;
  untilHeard(count: number): Promise<readonly string[]>;
}

export async function startFeed(options: Partial<PublisherOptions> = {}): Promise<Feed> {
  const daemon = await startInProcess();
  const folder: TemporaryFolder = await temporaryFolder('rookery-feed-');
  const bus: Bus = await connect(daemon.url);
  const group = await bus.join('g');
  const heard: string[] = [];
  void (async () => {
    for await (const event of group) if (event.kind === 'message') heard.push(event.text);
  })();
  const said: string[] = [];
  const publishers: Publisher[] = [];
  const publish = async (more: Partial<PublisherOptions> = {}): Promise<Publisher> => {
    const publisher = await openPublisher({
      ...{ urls: daemon.url, folder: join(folder.path, 'spool'), ...options, ...more },
    });
    publishers.push(publisher);
    return publisher;
  };
  const publisher = await publish();
  return {
    daemon,
    publisher,
    folder: folder.path,
    tally: new Tally((line) => said.push(line)),
    heard,
    said,
    publish,
    async untilHeard(count) {
      await waitFor(() => heard.length >= count, {
        what: `${count} events`,
        detail: () => `${heard.length}: ${heard.slice(-3).join('\n')}`,
      });
      return heard;
    },
    async [Symbol.asyncDispose]() {
      for (const one of publishers) await one.close();
      await bus.close();
      await folder.remove();
    },
  };
}

/** Runs something until the end of a block, and ends it by its signal. */
export function running(
  run: (signal: AbortSignal) => Promise<void>,
): AsyncDisposable & { stop(): Promise<void> } {
  const controller = new AbortController();
  const done = run(controller.signal);
  const stop = async (): Promise<void> => {
    controller.abort();
    await done;
  };
  return { stop, [Symbol.asyncDispose]: stop };
}

/** A quick load: how many puts and gets a second a server does for this machine, and how long each takes. */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import { connect, type Queue, type QueueClient } from '../../client/index.ts';
import { showProgress } from '../progress.ts';
import { explained, type Target } from '../target.ts';
import { benchJson, benchText, type Measured } from './report.ts';

export interface BenchOptions {
  readonly queue: string;
  readonly messages: number;
  /** Bytes of a message. */
  readonly size: number;
  readonly connections: number;
  /** Calls of a connection that are on their way at a time. */
  readonly pipeline: number;
  readonly json: boolean;
}

/** Puts all, then takes all, over so many connections. Resolves to what to print. */
export async function bench(target: Target, options: BenchOptions, signal: AbortSignal): Promise<string> {
  const { connections, pipeline, queue: name, size } = options;
  const clients: QueueClient[] = [];
  try {
    while (clients.length < connections) {
      clients.push(
        await connect(target.address, {
          ...target.options,
          signal,
          settings: { pipelineCalls: Math.max(1, pipeline) },
        }),
      );
    }
    const queues = clients.map((client) => client.queue(name));
    const before = (await queues[0]!.stats())?.messages ?? 0;
    if (before > 0) {
      throw new Error(
        `the queue ${name} holds ${before} messages, which would be taken: name another with --queue`,
      );
    }
    const body = Buffer.alloc(size, 'x');
    const put = await run('put', queues, options, (queue) => queue.put(body));
    const got = await run('get', queues, options, async (queue) => {
      if ((await queue.get()) === undefined)
        throw new Error(`somebody else reads ${name}: name another queue`);
    });
    await queues[0]!.delete();
    return (options.json ? benchJson : benchText)(options, [put, got]);
  } catch (error) {
    throw explained(error);
  } finally {
    await Promise.all(clients.map((client) => client.close()));
  }
}

async function run(
  what: Measured['what'],
  queues: readonly Queue[],
  { messages, pipeline }: BenchOptions,
  call: (queue: Queue) => Promise<unknown>,
): Promise<Measured> {
  using progress = showProgress(what);
  const latency: RecordableHistogram = createHistogram();
  let begun = 0;
  let done = 0;
  const work = async (queue: Queue): Promise<void> => {
    // hot: once per message.
    while (begun < messages) {
      begun++;
      const askedMs = performance.now();
      await call(queue);
      latency.record(Math.max(1, Math.round((performance.now() - askedMs) * 1e6)));
      if (++done % 5000 === 0) progress.update(done, messages);
    }
  };
  const begunMs = performance.now();
  await Promise.all(queues.flatMap((queue) => Array.from({ length: pipeline }, () => work(queue))));
  const seconds = (performance.now() - begunMs) / 1000;
  const ms = (percentile: number): number => latency.percentile(percentile) / 1e6;
  return { what, messages, seconds, latencyMs: { p50: ms(50), p99: ms(99), max: latency.max / 1e6 } };
}

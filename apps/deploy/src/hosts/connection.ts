import { setTimeout as delay } from 'node:timers/promises';
import { HostError } from '../host/errors.ts';
import { readLines } from '../host/lines.ts';
import {
  type FromHost,
  type Hello,
  LINE_BYTES_MAX,
  PING_EVERY_MS,
  PROTOCOL,
  type Ready,
  type StepEvent,
  type StepFailure,
  type StepName,
  type StepRequest,
  type StepResult,
  type ToHost,
} from '../host/protocol.ts';
import { checkResult, parseLine } from './heard.ts';
import type { HostStream } from './transport.ts';

/** A host's side that has said hello: it can be asked for one step after the other. */
export interface HostConnection {
  readonly ready: Ready;
  /** Resolves when it is gone, with why; never rejects. */
  readonly ended: Promise<{ readonly reason: string }>;
  /**
   * Has a step done. An aborted signal cancels it; who doesn't come to an end then is killed.
   * @throws HostError: what the host says, or `vanished`, `cancelled`, `protocol`
   */
  run<S extends StepName>(
    request: StepRequest<S>,
    options: { readonly signal: AbortSignal; readonly onEvent?: (event: StepEvent) => void },
  ): Promise<StepResult<S>>;
  /** Lets the host's side come to its end; kills it if it doesn't. */
  close(): Promise<void>;
  kill(): Promise<void>;
}

/** Node takes 0.3 s to start; a machine that many hosts are, and that does other things, a hundred times that. */
const READY_WITHIN_MS = 120_000;
/** A cancelled hook has 3 s between SIGTERM and SIGKILL. */
const CANCELLED_WITHIN_MS = 5_000;
/** Goodbyes to trackers take a second. */
const CLOSED_WITHIN_MS = 5_000;

interface Waiting {
  readonly onEvent: (event: StepEvent) => void;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: HostError) => void;
}

/**
 * Says hello to a host's side.
 * @throws HostError `protocol`, `vanished`, `cancelled`, `time-limit`; the stream is killed then
 */
export async function openConnection(
  stream: HostStream,
  hello: Hello,
  options: { readonly signal: AbortSignal; readonly readyWithinMs?: number },
): Promise<HostConnection> {
  const waiting = new Map<number, Waiting>();
  const greeted = Promise.withResolvers<Ready>();
  greeted.promise.catch(() => undefined);
  let lastId = 0;
  let lineAt = performance.now();
  let gone: HostError | undefined;

  const fail = (error: HostError): void => {
    gone ??= error;
    greeted.reject(error);
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  };
  const take = (line: FromHost): void => {
    lineAt = performance.now();
    if ('ready' in line) greeted.resolve(line);
    else if ('id' in line) {
      const step = waiting.get(line.id);
      if ('event' in line) step?.onEvent(line.event);
      else if ('result' in line) step?.resolve(line.result);
      else if (line.id === 0) fail(told(line.failed));
      else step?.reject(told(line.failed));
    }
  };
  const send = (line: ToHost): void => void stream.input.write(`${JSON.stringify(line)}\n`);

  const pings = setInterval(() => {
    // It answers pings while it does a step: silence means that the way is cut.
    if (performance.now() - lineAt > hello.leaseMs) {
      fail(new HostError('vanished', `Nothing was heard of it for ${hello.leaseMs / 1000} s`));
      void stream.kill();
    } else send({ ping: 0 });
  }, PING_EVERY_MS);
  pings.unref();

  void (async () => {
    try {
      for await (const line of readLines(stream.output, LINE_BYTES_MAX)) take(parseLine(line));
    } catch (error) {
      fail(error instanceof HostError ? error : new HostError('protocol', (error as Error).message));
      void stream.kill();
    }
    const { reason } = await stream.ended;
    clearInterval(pings);
    fail(new HostError('vanished', `The host's side is gone: ${reason}`));
  })();
  send(hello);
  const cancel = (): void => fail(new HostError('cancelled', 'Opening it was cancelled'));
  options.signal.addEventListener('abort', cancel, { once: true });
  const limitMs = options.readyWithinMs ?? READY_WITHIN_MS;
  const limit = setTimeout(
    () => fail(new HostError('time-limit', `The host's side did not say hello within ${limitMs} ms`)),
    limitMs,
  );
  let ready: Ready;
  try {
    options.signal.aborted && cancel();
    ready = await greeted.promise;
    if (ready.ready !== PROTOCOL) throw new HostError('protocol', 'The host speaks another protocol');
  } catch (error) {
    clearInterval(pings);
    await stream.kill();
    throw error;
  } finally {
    clearTimeout(limit);
    options.signal.removeEventListener('abort', cancel);
  }

  const kill = async (): Promise<void> => {
    clearInterval(pings);
    await stream.kill();
  };
  return {
    ready,
    ended: stream.ended,
    async run<S extends StepName>(
      request: StepRequest<S>,
      { signal, onEvent = () => undefined }: { signal: AbortSignal; onEvent?: (event: StepEvent) => void },
    ): Promise<StepResult<S>> {
      if (gone !== undefined) throw gone;
      if (signal.aborted) throw new HostError('cancelled', 'The step was cancelled');
      const id = ++lastId;
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      waiting.set(id, { onEvent, resolve, reject });
      let patience: NodeJS.Timeout | undefined;
      const onAbort = (): void => {
        send({ cancel: id });
        patience = setTimeout(() => {
          reject(new HostError('cancelled', 'The step did not end when it was cancelled, and was killed'));
          void kill();
        }, CANCELLED_WITHIN_MS);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      send({ id, ...(request as StepRequest) });
      try {
        return checkResult(request.step, await promise);
      } finally {
        clearTimeout(patience);
        signal.removeEventListener('abort', onAbort);
        waiting.delete(id);
      }
    },
    async close() {
      clearInterval(pings);
      stream.input.end();
      const late = new AbortController();
      await Promise.race([
        stream.ended,
        delay(CLOSED_WITHIN_MS, undefined, { signal: late.signal }).then(kill, () => undefined),
      ]);
      late.abort();
    },
    kill,
  };
}

function told({ code, message, output }: StepFailure): HostError {
  return new HostError(code, message, { output });
}

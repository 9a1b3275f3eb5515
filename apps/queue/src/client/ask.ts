/** A question to the server as a promise of its answer. */
import type { Output, Reply } from '@rookery/protocol/memcache';
import type { Clock } from './clock.ts';
import { QueueError } from './errors.ts';
import type { Call, Link } from './link.ts';
import type { CallOptions, ClientSettings } from './options.ts';
import type { AfterLoss, PipelineCall } from './pipeline.ts';

/** The answer has more replies. */
export const more: unique symbol = Symbol('more');

export interface Question<T> {
  /** About, of the request. */
  readonly bytes: number;
  readonly afterLoss: AfterLoss;
  /** How long the server may wait before it answers, by the caller's wish. */
  readonly waitMs?: number;
  /** `elapsedMs`: since it was asked. */
  write(out: Output, elapsedMs: number): void;
  /** @throws QueueError for a refusal, which is the whole answer */
  read(reply: Reply): T | typeof more;
  /** Its answer came after it was given up. */
  late?(answer: T): void;
}

export interface Asker {
  readonly clock: Clock;
  readonly settings: ClientSettings;
}

export function ask<T>(
  link: Link,
  question: Question<T>,
  { clock, settings }: Asker,
  options: CallOptions | undefined,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const signal = options?.signal;
    if (signal?.aborted) {
      reject(aborted(signal, false));
      return;
    }
    const now = clock.now();
    const { waitMs = 0 } = question;
    const deadlineAt = now + waitMs + (options?.timeoutMs ?? settings.timeoutMs);
    submit();

    function submit(): void {
      const call = new Asked(question, now, deadlineAt, settings.answerMs + waitMs, resolve, refused);
      if (signal !== undefined) {
        const onAbort = (): void => call.onFailure(aborted(signal, link.giveUp(call)));
        signal.addEventListener('abort', onAbort, { once: true });
        call.onSettled = () => signal.removeEventListener('abort', onAbort);
      }
      link.submit(call);
    }

    /** Who is told to come again has changed nothing: the same goes out once more, if there is time for it. */
    function refused(error: unknown): void {
      const retryMs = error instanceof QueueError ? error.retryMs : undefined;
      if (retryMs === undefined || clock.now() + retryMs >= deadlineAt) {
        reject(error);
        return;
      }
      const onAbort = (): void => {
        clock.clearTimeout(timer);
        reject(aborted(signal!, false));
      };
      const timer = clock.setTimeout(() => {
        signal?.removeEventListener('abort', onAbort);
        submit();
      }, retryMs);
      signal?.addEventListener('abort', onAbort, { once: true });
    }
  });
}

function aborted(signal: AbortSignal, sent: boolean): QueueError {
  return new QueueError('ABORTED', 'the call was aborted', { sent, cause: signal.reason });
}

class Asked<T> implements Call {
  readonly bytes: number;
  readonly afterLoss: AfterLoss;
  readonly deadlineAt: number;
  readonly answerMs: number;
  state: PipelineCall['state'] = 'new';
  onSettled: (() => void) | undefined;
  readonly #question: Question<T>;
  readonly #askedAt: number;
  readonly #resolve: (answer: T) => void;
  readonly #reject: (error: unknown) => void;

  constructor(
    question: Question<T>,
    now: number,
    deadlineAt: number,
    answerMs: number,
    resolve: (answer: T) => void,
    reject: (error: unknown) => void,
  ) {
    this.bytes = question.bytes;
    this.afterLoss = question.afterLoss;
    this.deadlineAt = deadlineAt;
    this.answerMs = answerMs;
    this.#question = question;
    this.#askedAt = now;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  write(out: Output, now: number): void {
    this.#question.write(out, now - this.#askedAt);
  }

  onReply(reply: Reply): boolean {
    try {
      const answer = this.#question.read(reply);
      if (answer === more) return false;
      if (this.state === 'over') this.#question.late?.(answer);
      else {
        this.onSettled?.();
        this.#resolve(answer);
      }
    } catch (error) {
      if (this.state !== 'over') this.onFailure(error as QueueError);
    }
    return true;
  }

  onFailure(error: QueueError): void {
    this.onSettled?.();
    this.#reject(error);
  }
}

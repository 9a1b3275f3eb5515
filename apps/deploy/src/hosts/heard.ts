import { z } from 'zod';
import { type FailureCode, HostError } from '../host/errors.ts';
import type { FetchResult, FromHost, Ready, StepName, StepResult } from '../host/protocol.ts';
import { HOOK_NAMES } from '../host/settings.ts';

// A host's word is shown, counted and written down for all hosts: one that says something else than a host's side does
// must not take the push with it. What isn't expected in a line is left out.

/** Wider than today's, as hosts may have a later version. */
const code = z.custom<FailureCode>((value) => typeof value === 'string' && /^[a-z-]{1,64}$/.test(value));
const figure = z.number().nonnegative();
const id = z.number();

const stepEvent = z.discriminatedUnion('event', [
  z.object({
    event: z.literal('hook'),
    hook: z.enum(HOOK_NAMES),
    state: z.enum(['started', 'done', 'failed']),
    ms: figure.exactOptional(),
    code: code.exactOptional(),
    output: z.string().exactOptional(),
  }),
  z.object({
    event: z.literal('progress'),
    phase: z.enum(['reusing', 'fetching', 'verifying']),
    doneBytes: figure,
    totalBytes: figure,
    peers: figure,
  }),
  z.object({ event: z.literal('check'), attempt: figure, ok: z.boolean(), detail: z.string() }),
]);
const failed = z.object({ code, message: z.string(), output: z.string().exactOptional() });
const ready = z.object({
  // Another one is told by name.
  ready: z.custom<Ready['ready']>((value) => typeof value === 'number'),
  version: z.string(),
  pid: z.number(),
  hostname: z.string(),
  coordinatorAddress: z.string().nullable(),
});
const fromHost: z.ZodType<FromHost> = z.union([
  ready,
  z.object({ id, event: stepEvent }),
  z.object({ id, result: z.unknown() }),
  z.object({ id, failed }),
  z.object({ pong: z.number() }),
]);

const fetched: z.ZodType<FetchResult> = z.object({
  fetchedBytes: figure,
  reusedBytes: figure,
  httpBytes: figure,
  peers: figure,
  seconds: figure,
  present: z.boolean(),
});

/** @throws HostError `protocol` */
export function parseLine(line: string): FromHost {
  try {
    return fromHost.parse(JSON.parse(line));
  } catch (cause) {
    throw new HostError(
      'protocol',
      `It says what no host's side says: ${JSON.stringify(line.slice(0, 200))}. Does a login script write to stdout?`,
      { cause },
    );
  }
}

/**
 * What is counted and written down; of other results each reader takes what it finds.
 * @throws HostError `protocol`
 */
export function checkResult<S extends StepName>(step: S, result: unknown): StepResult<S> {
  if (step !== 'fetch' || fetched.safeParse(result).success) return result as StepResult<S>;
  throw new HostError('protocol', 'It says of its fetch what no host’s side says');
}

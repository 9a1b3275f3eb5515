import { get } from 'node:http';
import { get as getSecure } from 'node:https';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { runCommand } from './command.ts';
import type { StepContext } from './context.ts';
import { HostError } from './errors.ts';
import { cancelledIf, environment, type Subject } from './hooks.ts';
import type { HealthCheck } from './settings.ts';

interface Tried {
  readonly ok: boolean;
  readonly detail: string;
}

/** Of an answer; what is to be found in it stands near its beginning. */
const BODY_BYTES_MAX = 64 * 1024;

/**
 * Asks until the release has answered well so many times in a row.
 * @throws HostError `check-failed`, `cancelled`
 */
export async function checkHealth(
  context: StepContext,
  subject: Subject,
): Promise<{ readonly attempts: number; readonly milliseconds: number }> {
  const { check } = context.settings;
  if (check === undefined) return { attempts: 0, milliseconds: 0 };
  const began = performance.now();
  const endsAt = began + check.withinMs;
  let row = 0;
  for (let attempt = 1; ; attempt++) {
    cancelledIf(context.signal);
    const tried = await tryOnce(context, check, subject);
    cancelledIf(context.signal);
    context.emit({ event: 'check', attempt, ...tried });
    row = tried.ok ? row + 1 : 0;
    if (row >= check.passes)
      return { attempts: attempt, milliseconds: Math.round(performance.now() - began) };
    if (performance.now() + check.intervalMs >= endsAt) {
      throw new HostError(
        'check-failed',
        `Not healthy within ${check.withinMs} ms (${attempt} tries, the last: ${tried.detail})`,
      );
    }
    await delay(check.intervalMs, undefined, { signal: context.signal }).catch(() => undefined);
  }
}

function tryOnce(context: StepContext, check: HealthCheck, subject: Subject): Promise<Tried> {
  if (check.http !== undefined) return tryHttp(check.http, check, subject);
  if (check.tcp !== undefined) return tryTcp(check.tcp, check.timeoutMs);
  return tryCommand(context, check.command ?? 'true', check, subject);
}

function tryHttp(url: string, { timeoutMs, contains }: HealthCheck, { release }: Subject): Promise<Tried> {
  return new Promise((resolve) => {
    const fail = (detail: string): void => resolve({ ok: false, detail });
    const request = (url.startsWith('https:') ? getSecure : get)(url, {
      agent: false,
      signal: AbortSignal.timeout(timeoutMs),
    });
    request.on('error', (error: NodeJS.ErrnoException) =>
      fail(
        error.name === 'TimeoutError' || error.code === 'ABORT_ERR'
          ? `no answer in ${timeoutMs} ms`
          : error.message,
      ),
    );
    request.on('response', (response) => {
      const { statusCode = 0 } = response;
      let body = '';
      response.setEncoding('utf8');
      response.on('error', ({ message }) => fail(message));
      response.on('data', (part: string) => {
        if (body.length < BODY_BYTES_MAX) body += part;
      });
      response.on('end', () => {
        const wanted = contains
          ?.replaceAll('{version}', release.version ?? '')
          .replaceAll('{release}', release.name);
        if (statusCode < 200 || statusCode > 299) fail(`HTTP ${statusCode}`);
        else if (wanted !== undefined && !body.includes(wanted))
          fail(`HTTP ${statusCode} without ${JSON.stringify(wanted)}`);
        else resolve({ ok: true, detail: `HTTP ${statusCode}` });
      });
    });
  });
}

function tryTcp(address: string, timeoutMs: number): Promise<Tried> {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '');
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(address.slice(colon + 1)), timeout: timeoutMs });
    const end = (ok: boolean, detail: string): void => {
      socket.destroy();
      resolve({ ok, detail });
    };
    socket.on('connect', () => end(true, 'connected'));
    socket.on('timeout', () => end(false, `no connection in ${timeoutMs} ms`));
    socket.on('error', ({ message }) => end(false, message));
  });
}

async function tryCommand(
  context: StepContext,
  command: string,
  { timeoutMs }: HealthCheck,
  subject: Subject,
): Promise<Tried> {
  const { layout, signal } = context;
  const end = await runCommand(command, {
    cwd: layout.release(subject.release.name),
    env: environment(context, subject),
    timeoutMs,
    signal,
  });
  if (end.code === 0 && !end.timedOut) return { ok: true, detail: 'exit code 0' };
  if (end.timedOut) return { ok: false, detail: `longer than ${timeoutMs} ms` };
  const line = end.output.trimEnd().split('\n').at(-1) ?? '';
  return {
    ok: false,
    detail: `exit code ${end.code ?? end.signal}${line === '' ? '' : `: ${line.slice(0, 200)}`}`,
  };
}

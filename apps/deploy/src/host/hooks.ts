import { rm, stat, writeFile } from 'node:fs/promises';
import { identify, isAlive, killForSure, type ProcessIdentity } from '../process-identity.ts';
import { runCommand, signalGroup } from './command.ts';
import type { StepContext } from './context.ts';
import { readJson } from './durable.ts';
import { HostError } from './errors.ts';
import type { HostLayout } from './layout.ts';
import type { ReleaseRef } from './protocol.ts';
import type { HookName } from './settings.ts';

/** What hooks and checks learn of the release that they are about. */
export interface Subject {
  readonly release: Partial<ReleaseRef> & { readonly name: string };
  readonly previous: string | null;
}

/** @throws HostError `hook-failed`, `hook-timeout`, `cancelled` */
export async function runHook(
  context: StepContext,
  name: HookName,
  subject: Subject | undefined,
): Promise<void> {
  const hook = context.settings.hooks[name];
  if (hook === undefined) return;
  const { layout, signal, emit } = context;
  cancelledIf(signal);
  emit({ event: 'hook', hook: name, state: 'started' });
  const began = performance.now();
  const {
    code,
    signal: endedBy,
    timedOut,
    output,
  } = await runCommand(hook.command, {
    cwd: await workingFolder(layout, subject),
    env: { ...environment(context, subject), ROOKERY_HOOK: name },
    timeoutMs: hook.timeoutMs,
    signal,
    onStart: (pid) => remember(layout, pid),
  });
  await rm(layout.hook, { force: true });
  const ms = Math.round(performance.now() - began);
  if (code === 0 && !timedOut) {
    emit({ event: 'hook', hook: name, state: 'done', ms, output });
    return;
  }
  const failure = signal.aborted
    ? new HostError('cancelled', `The hook ${name} was cancelled`, { output })
    : timedOut
      ? new HostError(
          'hook-timeout',
          `The hook ${name} ran longer than ${hook.timeoutMs} ms and was killed`,
          {
            output,
          },
        )
      : new HostError(
          'hook-failed',
          `The hook ${name} ended with ${endedBy ?? `code ${code}`}${lastLine(output)}`,
          { output },
        );
  emit({ event: 'hook', hook: name, state: 'failed', ms, code: failure.code, output });
  throw failure;
}

/** For hooks whose failure must not hold up what they are about: says so, and goes on. */
export async function tryHook(
  context: StepContext,
  name: HookName,
  subject: Subject | undefined,
  warnings: string[],
): Promise<void> {
  try {
    await runHook(context, name, subject);
  } catch (error) {
    warnings.push((error as Error).message);
  }
}

/** `ROOKERY_…` of hooks and of a check's command. */
export function environment(
  { layout, hello }: Pick<StepContext, 'layout' | 'hello'>,
  subject: Subject | undefined,
): Record<string, string> {
  const common = {
    ROOKERY_ROOT: layout.root,
    ROOKERY_CURRENT_PATH: layout.current,
    ROOKERY_SHARED_PATH: layout.shared,
    ROOKERY_HOST: hello.host,
    ROOKERY_DEPLOYMENT: hello.deployment,
  };
  if (subject === undefined) return common;
  const { name, id, app, version, commit } = subject.release;
  return {
    ...common,
    ROOKERY_RELEASE: name,
    ROOKERY_RELEASE_PATH: layout.release(name),
    ROOKERY_RELEASE_ID: id ?? '',
    ROOKERY_APP: app ?? '',
    ROOKERY_VERSION: version ?? '',
    ROOKERY_REVISION: commit ?? '',
    ROOKERY_PREVIOUS: subject.previous ?? '',
  };
}

/** A hook that outlived its host's side: it must not go on beside what is done next. */
export async function endOrphanedHook(layout: HostLayout): Promise<void> {
  const left = await readJson<ProcessIdentity>(layout.hook);
  if (left !== undefined) await endGroupOf(left);
  // One that was never whole is of a hook that never began (or of a full disk).
  await rm(layout.hook, { force: true });
}

async function endGroupOf(left: ProcessIdentity): Promise<void> {
  const leader = await identify(left.pid);
  // Another process has its number now only if the whole group is gone; then the number is not ours.
  const reused = leader.startedAt !== null && leader.startedAt !== 'zombie' && !(await isAlive(left));
  if (leader.bootId !== left.bootId || reused) return;
  signalGroup(left.pid, 'SIGKILL');
  await killForSure(left);
}

export function cancelledIf(signal: AbortSignal): void {
  if (signal.aborted) throw new HostError('cancelled', 'The step was cancelled');
}

async function remember(layout: HostLayout, pid: number): Promise<void> {
  // A full disk must not keep a hook from running: it only can't be found when this process dies.
  await writeFile(layout.hook, JSON.stringify(await identify(pid)), { mode: 0o600 }).catch(() => undefined);
}

async function workingFolder(layout: HostLayout, subject: Subject | undefined): Promise<string> {
  if (subject === undefined) return layout.root;
  const folder = layout.release(subject.release.name);
  return stat(folder).then(
    () => folder,
    () => layout.root,
  );
}

function lastLine(output: string): string {
  const line = output.trimEnd().split('\n').at(-1)?.trim() ?? '';
  return line === '' ? '' : `: ${line.slice(0, 200)}`;
}

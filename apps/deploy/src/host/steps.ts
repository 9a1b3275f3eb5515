import { mkdir } from 'node:fs/promises';
import { NAME_PATTERN } from '../release/manifest.ts';
import type { Fetched } from '../swarm/fetch.ts';
import { checkHealth } from './check.ts';
import { cleanUp } from './cleanup.ts';
import type { StepContext } from './context.ts';
import { HostError } from './errors.ts';
import { fetchRelease, hasReleaseFile, receive } from './fetch-release.ts';
import { runHook, tryHook } from './hooks.ts';
import { readJournal } from './journal.ts';
import { currentRelease, type HostLayout } from './layout.ts';
import { breakLock } from './lock.ts';
import type { StepName, StepRequest, StepResult } from './protocol.ts';
import { recover } from './recover.ts';
import { prepareShared } from './shared.ts';
import { readStatus } from './status.ts';
import { keepSwitch, markChecked, rollBackTo, subjectOf, switchTo, undoSwitch } from './switch.ts';

/** What outlives a step: the seeding of what was fetched. */
export interface StepState {
  seeding: Fetched | undefined;
}

/** Steps that change something are done under the lock. */
export function needsLock(step: StepName): boolean {
  return step !== 'status' && step !== 'unlock' && step !== 'leave';
}

const ID = /^[0-9a-f]{64}$/;

/**
 * Names become paths: nothing but a name may come in.
 * @throws HostError `protocol`
 */
function checkNames(request: StepRequest): void {
  const names =
    'release' in request
      ? [request.release.name]
      : 'to' in request && request.to !== undefined
        ? [request.to]
        : [];
  const fine =
    names.every((name) => NAME_PATTERN.test(name)) &&
    (!('release' in request) || ID.test(request.release.id));
  if (!fine) throw new HostError('protocol', 'A release has a name or an id that can be none');
}

/** Does a step. Each can be done again, after whatever has cut it off. @throws HostError, ReleaseError */
export async function runStep(
  context: StepContext,
  state: StepState,
  request: StepRequest,
): Promise<unknown> {
  checkNames(request);
  switch (request.step) {
    case 'status':
      return readStatus(context.layout);
    case 'prepare':
      return prepare(context, request);
    case 'receive':
      await receive(context, request);
      return {};
    case 'fetch':
      return fetchStep(context, state, request);
    case 'switch':
      // The tree is about to be linked and handed to hooks: it is no longer what others may be given.
      await stopSeeding(state);
      return switchTo(context, request.release);
    case 'check':
      return check(context, request);
    case 'finish':
      return finish(context, request);
    case 'undo':
      await stopSeeding(state);
      return undo(context);
    case 'rollback':
      return rollback(context, request);
    case 'leave':
      await stopSeeding(state);
      return leave(context, request);
    case 'cleanup':
      return { removed: await cleanUp(context.layout, request.keep ?? context.settings.keep) };
    case 'unlock':
      return { ended: await breakLock(context.layout) };
    default:
      throw new HostError(
        'protocol',
        `There is no step ${JSON.stringify((request as { step: unknown }).step)}`,
      );
  }
}

/** The folders, before the lock, which lies in one of them. @throws HostError `root-unusable` */
export async function makeFolders({
  root,
  releases,
  own,
  records,
  incoming,
  trash,
}: HostLayout): Promise<void> {
  try {
    await mkdir(releases, { recursive: true });
    await mkdir(own, { recursive: true, mode: 0o700 });
    for (const folder of [records, incoming, trash]) await mkdir(folder, { recursive: true });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOSPC' || code === 'EDQUOT') throw error;
    throw new HostError('root-unusable', `${root}: ${message}`, { cause: error });
  }
}

export async function stopSeeding(state: StepState): Promise<void> {
  const { seeding } = state;
  state.seeding = undefined;
  await seeding?.close();
}

async function prepare(
  context: StepContext,
  { release }: StepRequest<'prepare'>,
): Promise<StepResult<'prepare'>> {
  const { layout, settings } = context;
  await currentRelease(layout);
  const unfinished = await recover(context, []);
  if (unfinished !== undefined && unfinished.id !== release.id) await undoSwitch(context, unfinished);
  await prepareShared(layout, settings);
  const subject = { release, previous: await currentRelease(layout) };
  await runHook(context, 'starting', subject);
  await runHook(context, 'started', subject);
  return { status: await readStatus(layout), hasReleaseFile: await hasReleaseFile(context, release) };
}

async function fetchStep(
  context: StepContext,
  state: StepState,
  request: StepRequest<'fetch'>,
): Promise<StepResult<'fetch'>> {
  await stopSeeding(state);
  await runHook(context, 'updating', {
    release: request.release,
    previous: await currentRelease(context.layout),
  });
  const { result, seeding } = await fetchRelease(context, request);
  state.seeding = seeding;
  return result;
}

async function check(context: StepContext, { release }: StepRequest<'check'>): Promise<StepResult<'check'>> {
  const { layout } = context;
  const current = await currentRelease(layout);
  if (current !== release.name) {
    throw new HostError(
      'release-missing',
      `${layout.current} leads to ${current ?? 'nothing'}, not to ${release.name}`,
    );
  }
  const journal = await readJournal(layout);
  const result = await checkHealth(context, { release, previous: journal?.from ?? null });
  await markChecked(layout, release);
  return result;
}

async function finish(
  context: StepContext,
  { release }: StepRequest<'finish'>,
): Promise<StepResult<'finish'>> {
  const { layout, settings } = context;
  const warnings: string[] = [];
  const previous = (await readJournal(layout))?.from ?? null;
  await keepSwitch(context, release);
  // It is kept: what fails from here on is told, and takes nothing back.
  const subject = { release, previous };
  await tryHook(context, 'finishing', subject, warnings);
  const removed = await cleanUp(layout, settings.keep).catch((error: Error) => {
    warnings.push(`Cleaning up: ${error.message}`);
    return [];
  });
  await tryHook(context, 'finished', subject, warnings);
  return { removed, warnings };
}

async function undo(context: StepContext): Promise<StepResult<'undo'>> {
  const warnings: string[] = [];
  const result = await undoSwitch(context, await recover(context, warnings));
  return { ...result, warnings: [...warnings, ...result.warnings] };
}

async function rollback(
  context: StepContext,
  { to }: StepRequest<'rollback'>,
): Promise<StepResult<'rollback'>> {
  const warnings: string[] = [];
  const unfinished = await recover(context, warnings);
  const undone = unfinished === undefined ? undefined : await undoSwitch(context, unfinished);
  const result =
    undone !== undefined && (to === undefined || to === undone.to) ? undone : await rollBackTo(context, to);
  return {
    ...result,
    from: undone?.from ?? result.from,
    changed: result.changed || undone?.changed === true,
    warnings: [...warnings, ...result.warnings],
  };
}

async function leave(context: StepContext, { failed }: StepRequest<'leave'>): Promise<object> {
  if (failed === undefined) return {};
  const warnings: string[] = [];
  await tryHook(
    context,
    'failed',
    await subjectOf(context.layout, await currentRelease(context.layout), null),
    warnings,
  );
  return { warnings };
}

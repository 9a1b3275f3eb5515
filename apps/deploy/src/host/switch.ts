import { rename, rm } from 'node:fs/promises';
import type { StepContext } from './context.ts';
import { linkDurably, syncFolder } from './durable.ts';
import { HostError } from './errors.ts';
import { cancelledIf, runHook, type Subject, tryHook } from './hooks.ts';
import { advanceJournal, beginJournal, endJournal, type Journal, readJournal } from './journal.ts';
import { currentRelease, type HostLayout } from './layout.ts';
import type { ReleaseRef, StepResult, WentBack } from './protocol.ts';
import { previousRelease, readRecord, readStack, releaseIsThere, writeStack } from './records.ts';
import { deployedLine, logRevision, rolledBackLine } from './revisions.ts';
import { linkShared } from './shared.ts';

/**
 * Makes `current` lead to the release; goes on where an earlier try has ended.
 * @throws HostError
 */
export async function switchTo(context: StepContext, release: ReleaseRef): Promise<StepResult<'switch'>> {
  const { layout, settings, signal } = context;
  const warnings: string[] = [];
  if ((await readRecord(layout, release.name))?.id !== release.id) {
    throw new HostError(
      'release-missing',
      `${layout.release(release.name)}: this release was not fetched here`,
    );
  }
  const found = await readJournal(layout);
  const current = await currentRelease(layout);
  if (found === undefined && current === release.name) return { from: current, resumed: true, warnings };
  if (found !== undefined && (found.kind !== 'deploy' || found.id !== release.id)) {
    throw new HostError('unexpected', `${layout.own}: a switch to ${found.to} is unfinished; push again`);
  }
  let journal =
    found ??
    (await begin(layout, {
      kind: 'deploy',
      deployment: context.hello.deployment,
      from: current,
      to: release.name,
      id: release.id,
    }));
  const subject = { release, previous: journal.from };
  if (journal.phase === 'begun') {
    await linkShared(layout, settings, release.name);
    await runHook(context, 'updated', subject);
    await runHook(context, 'publishing', subject);
    // A hook may have taken long: by now somebody else may be at work here.
    await context.checkLock();
    cancelledIf(signal);
    journal = await goForth(layout, journal);
  }
  if (journal.phase === 'switched') {
    await runHook(context, 'published', subject);
    await logRevision(layout, deployedLine(release, context.hello.owner), warnings);
    journal = await advanceJournal(layout, journal, 'published');
  }
  return { from: journal.from, resumed: found !== undefined, warnings };
}

/** The release works: notes it. */
export async function markChecked(layout: HostLayout, release: ReleaseRef): Promise<void> {
  const journal = await readJournal(layout);
  if (journal?.phase === 'published' && journal.id === release.id)
    await advanceJournal(layout, journal, 'checked');
}

/**
 * Keeps what was switched to: from now on it is what a rollback leads back to, and no longer what one leads away from.
 * @throws HostError `release-missing`
 */
export async function keepSwitch({ layout }: StepContext, release: ReleaseRef): Promise<void> {
  const journal = await readJournal(layout);
  if ((await currentRelease(layout)) !== release.name) {
    throw new HostError('release-missing', `${layout.current} doesn't lead to ${release.name} any more`);
  }
  const all = await readStack(layout);
  // What stands above it was put back, though it was kept already: a crash came between the stack and the journal.
  const at = journal?.from == null ? -1 : all.lastIndexOf(journal.from);
  const stack = at === -1 ? all : all.slice(0, at + 1);
  // What ran before the first deployment was somebody else's, and can be gone back to all the same.
  if (journal?.from != null && stack.length === 0) stack.push(journal.from);
  if (stack.at(-1) !== release.name) await writeStack(layout, [...stack, release.name]);
  await endJournal(layout);
}

/** Puts an unfinished switch back; without one, does nothing. Hooks that fail are told, and don't hold it up. */
export async function undoSwitch(context: StepContext, journal: Journal | undefined): Promise<WentBack> {
  const { layout } = context;
  const current = await currentRelease(layout);
  if (journal === undefined) return { from: current, to: current, changed: false, warnings: [] };
  const warnings: string[] = [];
  const subject = await subjectOf(layout, journal.from, journal.to);
  await tryHook(context, 'reverting', subject, warnings);
  await tryHook(context, 'reverted', subject, warnings);
  if (journal.phase === 'begun') {
    await endJournal(layout);
    return { from: current, to: current, changed: false, warnings };
  }
  await tryHook(context, 'publishing', subject, warnings);
  await context.checkLock();
  await goBack(layout, journal);
  await tryHook(context, 'published', subject, warnings);
  if (journal.from !== null)
    await logRevision(layout, rolledBackLine(journal.from, context.hello.owner), warnings);
  await endJournal(layout);
  await tryHook(context, 'finished', subject, warnings);
  return { from: journal.to, to: journal.from, changed: true, warnings };
}

/**
 * Goes back to a release that was finished before, or to one by its name.
 * @throws HostError `no-previous`, `release-missing`
 */
export async function rollBackTo(context: StepContext, to: string | undefined): Promise<WentBack> {
  const { layout, settings } = context;
  const from = await currentRelease(layout);
  const target = to ?? (await previousRelease(layout, from));
  if (target === undefined)
    throw new HostError('no-previous', `${layout.root}: there is no release to go back to`);
  if (!(await releaseIsThere(layout, target))) {
    throw new HostError(
      'release-missing',
      `${layout.release(target)}: there is no such release; see releases`,
    );
  }
  if (target === from) return { from, to: target, changed: false, warnings: [] };
  const warnings: string[] = [];
  const subject = (await subjectOf(layout, target, from))!;
  await runHook(context, 'reverting', subject);
  await runHook(context, 'reverted', subject);
  const journal = await begin(layout, {
    kind: 'rollback',
    deployment: context.hello.deployment,
    from,
    to: target,
    id: subject.release.id ?? null,
  });
  await linkShared(layout, settings, target);
  await tryHook(context, 'publishing', subject, warnings);
  await context.checkLock();
  cancelledIf(context.signal);
  await finishRollback(context, await goForth(layout, journal), warnings);
  return { from, to: target, changed: true, warnings };
}

/** What is left of a rollback once `current` leads back. */
export async function finishRollback(
  context: StepContext,
  journal: Journal,
  warnings: string[],
): Promise<void> {
  const { layout } = context;
  const subject = await subjectOf(layout, journal.to, journal.from);
  await tryHook(context, 'published', subject, warnings);
  const stack = await readStack(layout);
  const at = stack.lastIndexOf(journal.to);
  await writeStack(layout, at === -1 ? [...stack, journal.to] : stack.slice(0, at + 1));
  await logRevision(layout, rolledBackLine(journal.to, context.hello.owner), warnings);
  await endJournal(layout);
  await tryHook(context, 'finished', subject, warnings);
}

/** A release as hooks are told of it. */
export async function subjectOf(
  layout: HostLayout,
  name: string | null,
  previous: string | null,
): Promise<Subject | undefined> {
  if (name === null) return undefined;
  return { release: (await readRecord(layout, name)) ?? { name }, previous };
}

/** Both links are made before anything is changed, so that neither way needs space on a disk that fills up meanwhile. */
async function begin(layout: HostLayout, journal: Omit<Journal, 'phase' | 'at'>): Promise<Journal> {
  try {
    if (journal.from !== null) await linkDurably(linkTarget(journal.from), layout.back);
    await linkDurably(linkTarget(journal.to), layout.next);
    return await beginJournal(layout, journal);
  } catch (error) {
    await rm(layout.back, { force: true });
    await rm(layout.next, { force: true });
    throw error;
  }
}

/** Begun again after a crash, the links may have been lost. */
async function goForth(layout: HostLayout, journal: Journal): Promise<Journal> {
  await renameLink(layout, layout.next, journal.to);
  return advanceJournal(layout, journal, 'switched');
}

/** `current` leads back to where the journal says that it came from. */
export async function goBack(layout: HostLayout, { from }: Journal): Promise<void> {
  if (from === null) {
    await rm(layout.current, { force: true });
    await syncFolder(layout.root);
  } else await renameLink(layout, layout.back, from);
}

async function renameLink(layout: HostLayout, link: string, name: string): Promise<void> {
  try {
    await rename(link, layout.current);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // It has become a folder: said as it is everywhere else.
    if (code === 'EISDIR') await currentRelease(layout);
    if (code !== 'ENOENT') throw error;
    await linkDurably(linkTarget(name), link);
    await rename(link, layout.current);
  }
  await syncFolder(layout.root);
}

function linkTarget(name: string): string {
  return `releases/${name}`;
}

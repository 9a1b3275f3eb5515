import { rm } from 'node:fs/promises';
import type { StepContext } from './context.ts';
import { endOrphanedHook, tryHook } from './hooks.ts';
import { advanceJournal, endJournal, type Journal, readJournal } from './journal.ts';
import { currentRelease } from './layout.ts';
import { finishRollback, goBack, subjectOf } from './switch.ts';

/**
 * Finds what a crash or a pulled plug has left half done, and says which deployment's switch is unfinished, once the
 * journal says of it what is true. The table in docs/internals/deploy-rollout.md is this function.
 */
export async function recover(context: StepContext, warnings: string[]): Promise<Journal | undefined> {
  const { layout } = context;
  await endOrphanedHook(layout);
  const journal = await readJournal(layout);
  if (journal === undefined) {
    await rm(layout.back, { force: true });
    await rm(layout.next, { force: true });
    return undefined;
  }
  let current = await currentRelease(layout);
  if (current === null && journal.from !== null) {
    // Somebody has removed the link: a hook, or who has mended a `current` that was none.
    await goBack(layout, journal);
    current = journal.from;
  }
  if (current === journal.to) {
    const switched = journal.phase === 'begun' ? await advanceJournal(layout, journal, 'switched') : journal;
    if (journal.kind === 'deploy') return switched;
    await finishRollback(context, switched, warnings);
    return undefined;
  }
  if (journal.phase === 'begun') {
    if (journal.kind === 'deploy') return journal;
    await endJournal(layout);
    return undefined;
  }
  // The way back was cut off after its rename: what runs there must still be told of it.
  await tryHook(context, 'published', await subjectOf(layout, current, journal.to), warnings);
  await endJournal(layout);
  return undefined;
}

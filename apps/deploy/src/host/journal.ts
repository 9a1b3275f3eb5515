import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readJson, syncFolder, writeDurably } from './durable.ts';
import { type HostLayout, namesIn } from './layout.ts';

/** What a switch has done so far. Each phase is a rename of the one file, which needs no space. */
export type SwitchPhase = 'begun' | 'switched' | 'published' | 'checked';

const PHASES: readonly SwitchPhase[] = ['begun', 'switched', 'published', 'checked'];

export interface Journal {
  /** A deployment's switch is undone when nobody finishes it; a rollback's is brought to its end. */
  readonly kind: 'deploy' | 'rollback';
  readonly deployment: string;
  readonly from: string | null;
  readonly to: string;
  /** Of the release that it switches to; null for a folder that somebody else has made. */
  readonly id: string | null;
  /** RFC 3339. */
  readonly at: string;
  readonly phase: SwitchPhase;
}

export async function readJournal(layout: HostLayout): Promise<Journal | undefined> {
  const names = await namesIn(layout.own);
  for (const phase of PHASES) {
    if (!names.includes(fileName(phase))) continue;
    const journal = await readJson<Omit<Journal, 'phase'>>(journalPath(layout, phase));
    if (journal !== undefined) return { ...journal, phase };
  }
  return undefined;
}

export async function beginJournal(
  layout: HostLayout,
  journal: Omit<Journal, 'phase' | 'at'>,
): Promise<Journal> {
  const begun: Journal = { ...journal, at: new Date().toISOString(), phase: 'begun' };
  const { phase, ...content } = begun;
  await writeDurably(journalPath(layout, phase), JSON.stringify(content));
  return begun;
}

export async function advanceJournal(
  layout: HostLayout,
  journal: Journal,
  phase: SwitchPhase,
): Promise<Journal> {
  if (journal.phase !== phase) {
    await rename(journalPath(layout, journal.phase), journalPath(layout, phase));
    await syncFolder(layout.own);
  }
  return { ...journal, phase };
}

/** The switch is over, one way or the other: its journal and its links go. */
export async function endJournal(layout: HostLayout): Promise<void> {
  for (const phase of PHASES) await rm(journalPath(layout, phase), { force: true });
  await rm(layout.back, { force: true });
  await rm(layout.next, { force: true });
  await syncFolder(layout.own);
}

function journalPath({ own }: HostLayout, phase: SwitchPhase): string {
  return join(own, fileName(phase));
}

function fileName(phase: SwitchPhase): string {
  return `switch.${phase}.json`;
}

import { appendFile } from 'node:fs/promises';
import type { HostLayout } from './layout.ts';
import type { ReleaseRef } from './protocol.ts';

/** Capistrano's log of what was deployed, in its words. A full disk must not fail a switch that has happened. */
export async function logRevision(layout: HostLayout, line: string, warnings: string[]): Promise<void> {
  try {
    await appendFile(layout.revisionsLog, `${line}\n`);
  } catch (error) {
    warnings.push(`${layout.revisionsLog}: ${(error as Error).message}`);
  }
}

export function deployedLine({ name, app, version, id, commit }: ReleaseRef, owner: string): string {
  return `${app} ${version} (at ${commit ?? id.slice(0, 16)}) deployed as release ${name} by ${owner}`;
}

export function rolledBackLine(name: string, owner: string): string {
  return `${owner} rolled back to release ${name}`;
}

import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { waitFor } from '../wait.ts';
import { command } from './command.ts';

// A name tells which process made the namespace, so that the next one can remove what a killed one left.
const named = /^rookery-(\d+)-[0-9a-f]+-/;

/** What the names of one network's namespaces begin with. Random too: a process' workers may share its pid. */
export function newPrefix(): string {
  return `rookery-${process.pid}-${randomBytes(3).toString('hex')}`;
}

export async function addNamespaces(names: readonly string[]): Promise<void> {
  await command('ip', ['-batch', '-'], names.map((name) => `netns add ${name}\n`).join(''));
}

/** Kills what runs in them, then removes them with all that is theirs. Those that aren't there are fine. */
export async function removeNamespaces(names: readonly string[]): Promise<void> {
  const there = new Set(await namespaces());
  const ours = names.filter((name) => there.has(name));
  await Promise.all(ours.map(killAll));
  await Promise.all(ours.map((name) => command('ip', ['netns', 'delete', name]).catch(unlessGone(name))));
}

/** Removes the namespaces of processes that are no more. */
export async function removeLeftovers(): Promise<void> {
  const dead = (await namespaces()).filter((name) => {
    const pid = named.exec(name)?.[1];
    return pid !== undefined && !existsSync(`/proc/${pid}`);
  });
  await removeNamespaces(dead);
}

async function namespaces(): Promise<string[]> {
  const listed = await command('ip', ['netns', 'list']);
  return listed.split('\n').flatMap((line) => line.split(' ')[0] || []);
}

async function killAll(name: string): Promise<void> {
  await waitFor(
    async () => {
      const listed = await command('ip', ['netns', 'pids', name]).catch(unlessGone(name));
      const pids = (listed ?? '').split('\n').filter(Boolean).map(Number);
      for (const pid of pids) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It has ended by itself since.
        }
      }
      return pids.length === 0;
    },
    { what: `the processes in ${name} to end` },
  );
}

/** Two processes may clean up after a third one at the same time. */
function unlessGone(name: string): (error: unknown) => Promise<undefined> {
  return async (error) => {
    if ((await namespaces()).includes(name)) throw error;
    return undefined;
  };
}

import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

/** Tells a process apart from any that gets its number later. */
export interface ProcessIdentity {
  readonly pid: number;
  /** In ticks since the boot; null where there is no /proc. */
  readonly startedAt: string | null;
  /** Empty where there is none. */
  readonly bootId: string;
}

export async function identify(pid: number): Promise<ProcessIdentity> {
  return { pid, startedAt: await startOf(pid), bootId: await bootId() };
}

export async function isAlive({ pid, startedAt, bootId: boot }: ProcessIdentity): Promise<boolean> {
  if (boot !== (await bootId())) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // Somebody else's process is one, too.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  return startedAt === null || startedAt === (await startOf(pid));
}

/** SIGKILL, and waits until the process is gone, for at most 5 s; resolves to whether it is. */
export async function killForSure(one: ProcessIdentity): Promise<boolean> {
  for (let tries = 0; tries < 250; tries++) {
    if (!(await isAlive(one))) return true;
    try {
      process.kill(one.pid, 'SIGKILL');
    } catch {
      return false;
    }
    await delay(20);
  }
  return false;
}

async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')).trim();
}

/** Field 22 of proc(5)'s stat; the name in field 2 may hold spaces and brackets. A zombie doesn't count as alive. */
async function startOf(pid: number): Promise<string | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  if (stat === undefined) return null;
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' ? 'zombie' : (fields[19] ?? null);
}

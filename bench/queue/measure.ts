import { readFile } from 'node:fs/promises';
import { type RunningProcess, startProcess } from '@rookery/testkit';
import { type LoadReport, type LoadSettings, loadArguments } from './clients/contract.ts';

export interface Measurement {
  readonly operations: number;
  readonly perSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  /** Processor time of the server per operation, all of its threads. */
  readonly serverUs: number;
  /** Seconds of processor time in each second. */
  readonly serverCpu: number;
  readonly loadCpu: number;
}

/** One run of the load against a server. @throws when an operation was answered wrongly */
export async function measure(
  program: string,
  server: RunningProcess,
  settings: LoadSettings,
): Promise<Measurement> {
  await using load = await startProcess({
    command: program,
    args: loadArguments(settings),
    readyPattern: /^ready$/m,
  });
  const before = await cpuSeconds(server);
  load.kill('SIGUSR2');
  const { code } = await load.waitForExit(120_000);
  const spent = (await cpuSeconds(server)) - before;
  const line = load.stdout.trim().split('\n').at(-1) ?? '';
  if (code !== 0) throw new Error(`the load ended with code ${code}: ${load.output}\n${server.output}`);
  const report = JSON.parse(line) as LoadReport;
  if (report.wrong > 0) {
    throw new Error(`${report.wrong} of ${report.answered} answers were wrong: ${report.firstWrong}`);
  }
  return {
    operations: report.answered,
    perSecond: report.answered / report.seconds,
    p50Us: report.p50Us,
    p99Us: report.p99Us,
    p999Us: report.p999Us,
    serverUs: (spent / report.answered) * 1e6,
    serverCpu: spent / report.seconds,
    loadCpu: report.cpuSeconds / report.seconds,
  };
}

/** User and system time so far; the clock of proc_pid_stat(5) ticks 100 times a second. */
async function cpuSeconds(running: RunningProcess): Promise<number> {
  const stat = await readFile(`/proc/${running.pid}/stat`, 'utf8').catch(() => {
    throw new Error(`a server ended while it was measured\n${running.output}`);
  });
  // The name before this may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** What it holds now, and the most that it held, in MB. */
export async function memory(running: RunningProcess): Promise<{ now: number; peak: number }> {
  const status = await readFile(`/proc/${running.pid}/status`, 'utf8');
  const of = (name: string): number =>
    Number(status.match(new RegExp(`^${name}:\\s+(\\d+)`, 'm'))?.[1]) / 1024;
  return { now: of('VmRSS'), peak: of('VmHWM') };
}

/** The middle one, or what is between the middle two. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2;
}

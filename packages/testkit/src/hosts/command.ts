import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const executeFile = promisify(execFile);

/** Runs a system command to its end and returns what it printed; a failure carries its own words. */
export async function command(name: string, args: readonly string[], input = ''): Promise<string> {
  const running = executeFile(name, args, { timeout: 30_000 });
  // A command that ends before it has read its input is told of by its exit code.
  running.child.stdin?.on('error', () => undefined).end(input);
  const { stdout } = await running;
  return stdout;
}

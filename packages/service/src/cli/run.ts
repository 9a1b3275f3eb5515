import type { Command } from 'commander';
import { errorMessage, ServiceError } from '../errors.ts';

/** Exit codes of every Rookery command. */
export const EXIT: { readonly ok: 0; readonly failed: 1; readonly usage: 2 } = { ok: 0, failed: 1, usage: 2 };

export interface CliOutput {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

const exitCodes = new WeakMap<Command, number>();

/** Says from inside an action what `runCli` shall return: commander drops what actions return. */
export function setExitCode(command: Command, code: number): void {
  exitCodes.set(rootOf(command), code);
}

/**
 * Runs a commander program and resolves to its exit code: 0 fine (also help and version), 1 failed, 2 called wrongly,
 * or what an action gave to `setExitCode`. Errors are one line on stderr. Never exits the process and never rejects:
 *
 *     // cli.ts
 *     process.exitCode = await runCli(program, process.argv.slice(2));
 *
 * @param argv the arguments without node and script.
 */
export async function runCli(
  program: Command,
  argv: readonly string[],
  output: CliOutput = process,
): Promise<number> {
  prepare(program, output);
  exitCodes.delete(program);
  output === process && ignoreBrokenPipe();
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exitCodes.get(program) ?? EXIT.ok;
  } catch (error) {
    if (isCommanderError(error)) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    output.stderr.write(`${program.name()}: ${errorMessage(error)}\n`);
    return error instanceof ServiceError ? error.exitCode : EXIT.failed;
  }
}

function prepare(command: Command, output: CliOutput): void {
  const root = rootOf(command);
  command.exitOverride();
  command.configureOutput({
    writeOut: (text) => void output.stdout.write(text),
    writeErr: (text) => void output.stderr.write(text),
    outputError: (text, write) => {
      const line = errorMessage(text.replace(/^error: /, ''));
      write(`${root.name()}: ${line} (see ${pathOf(command)} --help)\n`);
    },
  });
  for (const child of command.commands) prepare(child, output);
}

function rootOf(command: Command): Command {
  let root = command;
  while (root.parent !== null) root = root.parent;
  return root;
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

/** By its shape and not its class: several copies of commander may be installed side by side. */
function isCommanderError(error: unknown): error is Error & { readonly exitCode: number } {
  return error instanceof Error && String((error as NodeJS.ErrnoException).code).startsWith('commander.');
}

let pipesWatched = false;

/** `rookery-queue stats | head` closes our stdout early, which is the reader's right and no error. */
function ignoreBrokenPipe(): void {
  if (pipesWatched) return;
  pipesWatched = true;
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
}

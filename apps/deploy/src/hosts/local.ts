import { spawn } from 'node:child_process';
import { throwIfGivenUp } from './given-up.ts';
import { processStream } from './process-stream.ts';
import { HOST_PROGRAM, HOST_PROGRAM_FLAGS } from './program.ts';
import type { Transport } from './transport.ts';

/** This machine: the host's side is a child process, each host a folder of its own. */
export function localTransport(): Transport {
  return {
    name: 'local',
    async open(_host, { signal }) {
      throwIfGivenUp(signal);
      const child = spawn(process.execPath, [...HOST_PROGRAM_FLAGS, HOST_PROGRAM], {
        stdio: ['pipe', 'pipe', 'pipe'],
        // Ctrl-C goes to everybody in the terminal's process group: what a host does about it, its coordinator says.
        detached: true,
      });
      return processStream(child);
    },
  };
}

import { readFile } from 'node:fs/promises';
import { sshTransport } from '../../src/hosts/ssh/ssh.ts';
import { loadInventory } from '../../src/inventory/load.ts';
import { push } from '../../src/push/push.ts';
import { parsePublicKey } from '../../src/release/keys.ts';
import type { Amount } from '../../src/rollout/plan.ts';

// A coordinator as a process of its own, which can be killed: `push` with hosts by ssh, its events on stdout.

export interface CoordinatorOptions {
  readonly release: string;
  readonly tree?: string;
  readonly trackers: readonly string[];
  readonly trust: string;
  readonly hosts: string;
  readonly waves: readonly Amount[];
  readonly timeoutMs: number;
  /** For `ssh -F`. */
  readonly sshConfig: string;
  readonly bundle: string;
}

const options = JSON.parse(process.argv[2]!) as CoordinatorOptions;
const { tree, trackers, waves, timeoutMs, sshConfig, bundle } = options;
await push({
  release: await readFile(options.release),
  trust: [parsePublicKey(await readFile(options.trust, 'utf8'))],
  hosts: await loadInventory({ file: options.hosts }),
  ...(tree === undefined ? {} : { tree }),
  trackers,
  waves,
  timeoutMs,
  transports: { ssh: sshTransport({ config: sshConfig, bundle }) },
  onEvent: (event) => process.stdout.write(`${JSON.stringify(event)}\n`),
});

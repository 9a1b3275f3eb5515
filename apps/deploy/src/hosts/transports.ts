import type { TransportName } from '../inventory/host.ts';
import type { SigningKey } from '../release/keys.ts';
import { agentTransport } from './agent/agent.ts';
import { localTransport } from './local.ts';
import { sshTransport } from './ssh/ssh.ts';
import type { Transport } from './transport.ts';

export type Transports = { readonly [K in TransportName]?: Transport };

export interface TransportOptions {
  /** A file for `ssh -F`, instead of the user's own configuration. */
  readonly sshConfig?: string;
  /** The coordinator's key, which agents obey; without it there is no way to them. */
  readonly agentKey?: SigningKey;
  /** The file of keys that agents had so far; default `~/.config/rookery-deploy/known_agents`. */
  readonly knownAgents?: string;
  /** Takes an agent that nobody knows for what it says, and remembers its key. Default false. */
  readonly trustNewAgents?: boolean;
}

/** The transports of this program, by the name that inventories give them. */
export function createTransports(options: TransportOptions = {}): Transports {
  const { sshConfig, agentKey, knownAgents, trustNewAgents = false } = options;
  return {
    local: localTransport(),
    ssh: sshTransport(sshConfig === undefined ? {} : { config: sshConfig }),
    agent: agentTransport({
      ...(agentKey === undefined ? {} : { key: agentKey }),
      ...(knownAgents === undefined ? {} : { knownAgents }),
      trustNew: trustNewAgents,
    }),
  };
}

import type { HostSettings } from '../host/settings.ts';

export const TRANSPORTS = ['local', 'ssh', 'agent'] as const;
export type TransportName = (typeof TRANSPORTS)[number];

/** A host as the inventory says it, with everything filled in. */
export interface Host {
  /** Unique in the inventory. */
  readonly name: string;
  readonly transport: TransportName;
  /** A name or an IP address; default the host's name. */
  readonly address: string;
  readonly user?: string;
  readonly port?: number;
  /** Of `ssh`: the path of Node, where it isn't found by itself. */
  readonly node?: string;
  /** Of `agent`: its public key, in base64. */
  readonly agentKey?: string;
  readonly groups: readonly string[];
  readonly tags: readonly string[];
  /** Hosts of one rack get more from each other. */
  readonly rack?: string;
  readonly settings: HostSettings;
}

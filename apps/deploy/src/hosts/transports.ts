import type { TransportName } from '../inventory/host.ts';
import { localTransport } from './local.ts';
import { sshTransport } from './ssh/ssh.ts';
import type { Transport } from './transport.ts';

export type Transports = { readonly [K in TransportName]?: Transport };

export interface TransportOptions {
  /** A file for `ssh -F`, instead of the user's own configuration. */
  readonly sshConfig?: string;
}

/** The transports of this program, by the name that inventories give them. */
export function createTransports({ sshConfig }: TransportOptions = {}): Transports {
  return {
    local: localTransport(),
    ssh: sshTransport(sshConfig === undefined ? {} : { config: sshConfig }),
  };
}

import type { TransportName } from '../inventory/host.ts';
import { localTransport } from './local.ts';
import type { Transport } from './transport.ts';

export type Transports = { readonly [K in TransportName]?: Transport };

/** The transports of this program, by the name that inventories give them. */
export function createTransports(): Transports {
  return { local: localTransport() };
}

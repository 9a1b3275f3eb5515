/** What happened at each process, as its user saw it: the only thing that the checker looks at. */
import type { Configuration, Service } from '../../src/index.ts';

/** One life of a member: a restart is another process. */
export interface ProcessHistory {
  readonly id: number;
  /** For messages: `3#1` is the second life of member 3. */
  readonly name: string;
  crashed: boolean;
  readonly events: HistoryEvent[];
}

export interface SentMessage {
  readonly key: number;
  readonly sender: ProcessHistory;
  readonly service: Service;
  readonly payload: Buffer;
}

export type HistoryEvent =
  | { readonly kind: 'submit'; readonly message: SentMessage }
  | { readonly kind: 'deliver'; readonly message: SentMessage; readonly configuration: Configuration }
  | { readonly kind: 'configuration'; readonly configuration: Configuration };

export class Violation extends Error {
  readonly property: string;
  constructor(property: string, message: string) {
    super(`${property}: ${message}`);
    this.name = 'Violation';
    this.property = property;
  }
}

export function ringName(ring: { readonly representative: number; readonly sequence: number }): string {
  return `${ring.representative}/${ring.sequence}`;
}

export function messageName(message: SentMessage): string {
  return `message ${message.key} (${message.service}, ${message.payload.length} bytes, from ${message.sender.name})`;
}

/** The regular configuration to which a delivery belongs, also when it is made in the transitional one after it. */
export function homeOf(configuration: Configuration): string {
  const ring = configuration.kind === 'regular' ? configuration.ring : configuration.previous;
  return ring === undefined ? 'none' : ringName(ring);
}

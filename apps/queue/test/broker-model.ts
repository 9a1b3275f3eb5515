import type { Session } from '../src/broker/session.ts';

// What the broker's simulation knows of queues and clients.

export interface Modelled {
  readonly id: number;
  /** Where it stands in the queue. */
  readonly order: number;
  readonly expiresAt: number;
  state: 'waiting' | 'open' | 'gone';
}

/** A queue, or a cursor, as its readers see it. */
export interface View {
  readonly key: string;
  readonly queue: string;
  readonly cursor: string | undefined;
  /** For a cursor: what it has consumed or holds open. */
  readonly taken: Map<number, 'open' | 'gone'>;
}

export interface Held {
  readonly view: View;
  readonly message: Modelled;
  readonly deadline: number;
  /** Flushed meanwhile: still held, and nothing comes back. */
  void: boolean;
}

export interface Client {
  readonly name: string;
  session: Session;
  held: Held[];
  /** The wait it is in. */
  wait: { readonly view: View; readonly order: number } | undefined;
}

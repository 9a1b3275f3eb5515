/**
 * What the clients of one queue know: what they put, what was acknowledged, what they were handed, what they closed.
 * It finds what must never happen: a message invented, out of order, handed out again after its acknowledged close,
 * or lost.
 */
export interface Ledger {
  /** The body of the next message of this writer, now on its way. */
  put(writer: number): string;
  stored(body: string): void;
  /** Handed to a reader, in this life of the server. */
  received(body: string): void;
  closing(body: string): void;
  closed(body: string): void;
  /** The server has been killed: what comes now may come again. */
  killed(): void;
  /** Violations found, each a sentence. */
  readonly violations: readonly string[];
  /** Messages that were acknowledged and that nobody has tried to close. */
  missing(): string[];
  readonly counts: { readonly stored: number; readonly received: number; readonly closed: number };
}

type State = 'sent' | 'stored';
type Fate = 'none' | 'closing' | 'closed';

export function createLedger(queue: string): Ledger {
  const states = new Map<string, State>();
  const fates = new Map<string, Fate>();
  const next = new Map<number, number>();
  /** The last number received of each writer in this life. */
  let last = new Map<number, number>();
  const violations: string[] = [];
  const counts = { stored: 0, received: 0, closed: 0 };

  return {
    violations,
    counts,
    put(writer) {
      const number = (next.get(writer) ?? 0) + 1;
      next.set(writer, number);
      const body = `${writer}:${number}`;
      states.set(body, 'sent');
      return body;
    },
    stored(body) {
      states.set(body, 'stored');
      counts.stored += 1;
    },
    received(body) {
      counts.received += 1;
      if (!states.has(body)) violations.push(`${queue}: "${body}" was never put`);
      if (fates.get(body) === 'closed')
        violations.push(`${queue}: ${body} came again after its acknowledged close`);
      const [writer, number] = body.split(':').map(Number) as [number, number];
      const before = last.get(writer) ?? 0;
      if (number <= before) violations.push(`${queue}: ${body} came after ${writer}:${before}`);
      last.set(writer, number);
    },
    closing(body) {
      if (fates.get(body) !== 'closed') fates.set(body, 'closing');
    },
    closed(body) {
      fates.set(body, 'closed');
      counts.closed += 1;
    },
    killed() {
      last = new Map();
    },
    missing() {
      return [...states]
        .filter(([body, state]) => state === 'stored' && !fates.has(body))
        .map(([body]) => body);
    },
  };
}

// Runs in the browser: it uses nothing from outside.
import type { QueueRow } from '../feed.ts';

/** One second of one queue. */
export interface Moment {
  readonly messages: number;
  readonly in: number;
  readonly out: number;
  readonly ageSeconds: number | undefined;
  readonly open: number;
  readonly waiting: number;
}

export interface Histories {
  /** What a snapshot said of some queues; those of which nothing was said for long are forgotten. */
  take(rows: readonly QueueRow[]): void;
  of(name: string): readonly Moment[];
}

/** The last two minutes of every queue that is or was on the screen. */
export function makeHistories(): Histories {
  const POINTS = 120;
  const known = new Map<string, { readonly moments: Moment[]; at: number }>();
  let at = 0;
  return {
    take(rows) {
      at++;
      for (const row of rows) {
        const history = known.get(row.name) ?? { moments: [], at };
        // Told twice, as the one queue and as one of the list.
        if (history.at === at && history.moments.length > 0) continue;
        // What was not told meanwhile is gone: a line over the gap would be made up.
        if (at - history.at > 1) history.moments.length = 0;
        history.at = at;
        history.moments.push({
          messages: row.messages,
          in: row.puts_per_second,
          out: row.leaves_per_second,
          ageSeconds: row.oldest_age_ms === null ? undefined : row.oldest_age_ms / 1000,
          open: row.open_reads,
          waiting: row.waiting_reads,
        });
        if (history.moments.length > POINTS) history.moments.shift();
        known.set(row.name, history);
      }
      if (at % POINTS === 0) {
        for (const [name, history] of known) if (at - history.at > POINTS) known.delete(name);
      }
    },
    of: (name) => known.get(name)?.moments ?? [],
  };
}

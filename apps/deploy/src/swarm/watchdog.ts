import type { Layout } from '../release/layout.ts';
import type { Exchange } from './exchange/exchange.ts';
import { PROGRESS_WITHIN_MS } from './limits.ts';
import { fetchPiece } from './web-seed/client.ts';

/** Fetches from origins by HTTP while no peer sends anything. */
export interface Watchdog {
  readonly fetchedBytes: number;
  /** When a piece last came this way. */
  readonly progressAt: number;
  stop(): void;
}

const LOOK_EVERY_MS = 250;
/** One that arrives and one that is asked for: an origin's line is full with that. */
const PIECES_AT_ONCE = 2;

export function startWatchdog(options: {
  readonly exchange: Exchange;
  readonly infoHash: string;
  readonly layout: Layout;
  /** `host:port` of origins. */
  readonly webSeeds: () => readonly string[];
}): Watchdog {
  const { exchange, infoHash, layout, webSeeds } = options;
  const controller = new AbortController();
  const fetching = new Set<number>();
  const failures = new Map<string, number>();
  let fetchedBytes = 0;
  let progressAt = performance.now();

  /** The one that has failed least; by chance among equals, so that origins share the work. */
  const choose = (): string | undefined =>
    webSeeds()
      .map((origin) => ({ origin, weight: (failures.get(origin) ?? 0) + Math.random() }))
      .sort((a, b) => a.weight - b.weight)[0]?.origin;

  const silent = (): boolean =>
    exchange.missing > 0 && performance.now() - exchange.progressAt > PROGRESS_WITHIN_MS;

  const work = async (): Promise<void> => {
    while (!controller.signal.aborted && silent()) {
      const piece = exchange.neglected((one) => fetching.has(one));
      const origin = choose();
      if (piece === undefined || origin === undefined) return;
      fetching.add(piece);
      try {
        const bytes = await fetchPiece(origin, infoHash, layout, piece, controller.signal);
        if (!(await exchange.deliver(piece, bytes))) throw new Error('wrong bytes');
        fetchedBytes += bytes.length;
        progressAt = performance.now();
        failures.delete(origin);
      } catch {
        // Tried again at the next look, from another origin if there is one.
        failures.set(origin, (failures.get(origin) ?? 0) + 1);
        return;
      } finally {
        fetching.delete(piece);
      }
    }
  };

  let workers = 0;
  const timer = setInterval(() => {
    while (silent() && workers < PIECES_AT_ONCE) {
      workers++;
      void work().finally(() => {
        workers--;
      });
    }
  }, LOOK_EVERY_MS);

  return {
    get fetchedBytes() {
      return fetchedBytes;
    },
    get progressAt() {
      return progressAt;
    },
    stop() {
      clearInterval(timer);
      controller.abort();
    },
  };
}

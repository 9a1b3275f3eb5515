/** Who has more to do than fits in one go: a connection, to these rules. */
export interface Backlogged {
  /** Carries out up to so many units; returns how many it was. If more is left it stands back anew. */
  goOn(units: number): number;
}

/**
 * Whose turn it is, when some send more than their share. A unit is a small request. What stands back is served round
 * robin. All together it gets
 *
 * - all that nobody else wants: a slice may be a fifth as long as nobody else has worked, so that who comes meanwhile
 *   waits, on average, a tenth longer than he was away;
 * - and a sixteenth of the time, however busy the others are.
 *
 * Time is what is shared, because units are not alike: who asks for much with few words gets fewer of them. Pure but
 * for `defer` and `now`.
 */
export interface Turns {
  /** A connection that does not stand back has carried something out. */
  worked(): void;
  standBack(connection: Backlogged): void;
  /** It is gone. */
  forget(connection: Backlogged): void;
}

export interface TurnsOptions {
  /** Calls back in the next turn of the event loop. */
  defer(call: () => void): void;
  /** Milliseconds and their parts; never goes back. */
  now(): number;
}

/**
 * Units of a connection before it stands back: some pipelines of usual depth, each answered in one write. A few of many
 * connections come round several times while the others' turns are not there yet. Who stands back leaves more to these,
 * which then stand back as well: at 128 fifty connections, gets 32 deep, lost their step in every other run, with few
 * in each turn and some waiting for 6 ms, and a request cost a sixth more.
 */
export const unitsAtOnce = 256;
/** How fast it gets them back: fifty connections that never stand back carry out 3.2 million units a second. */
export const unitsPerMs = 64;
/** So many bytes, in or out, are as much work as a small request: they are copied, summed, written. */
export const unitBytes = 512;

/** A slice may be so much of the time that nobody else has worked. */
const idleShare = 1 / 5;
/** Of all time, while others work. */
const busyShare = 1 / 16;
/** A slice while others work. Shorter ones would be spent in writing replies and records, a system call each. */
const sliceMs = 0.05;
const sliceMinMs = 0.02;
/** The longest slice: who comes then waits some 0.3 ms. */
const sliceMaxUnits = 256;
/** Of a connection, where more of them want the same slice. */
const quantum = 32;
/** What a unit takes at least; reading a large body takes its time outside of the slice. */
const unitMinMs = 0.0015;
/** A pause of the garbage collector in a slice is not its fault. */
const chargedMsMax = 10;

export function createTurns({ defer, now }: TurnsOptions): Turns {
  // In order of insertion: who has had a slice goes to the end.
  const backlog = new Set<Backlogged>();
  let scheduled = false;
  let othersWorked = false;
  let othersAt = Number.NEGATIVE_INFINITY;
  /** What the last slice took has to be made up for until then, while others work. */
  let restsUntil = Number.NEGATIVE_INFINITY;
  /** What a unit takes, on the average of the last slices. */
  let unitMs = unitMinMs;

  function schedule(): void {
    if (scheduled || backlog.size === 0) return;
    scheduled = true;
    defer(turn);
  }

  function turn(): void {
    scheduled = false;
    const begun = now();
    if (othersWorked) othersAt = begun;
    othersWorked = false;
    const idleMs = (begun - othersAt) * idleShare;
    if (idleMs >= Math.max(sliceMinMs, unitMs)) run(begun, idleMs);
    else if (begun >= restsUntil) run(begun, sliceMs);
    schedule();
  }

  function run(begun: number, ms: number): void {
    const units = Math.max(1, Math.min(sliceMaxUnits, Math.floor(ms / unitMs)));
    let done = 0;
    for (let connections = backlog.size; connections > 0 && done < units; connections -= 1) {
      const [next] = backlog;
      if (next === undefined) break;
      backlog.delete(next);
      const left = units - done;
      done += next.goOn(Math.min(left, Math.max(quantum, Math.ceil(left / connections))));
    }
    if (done === 0) return;
    const ended = now();
    const tookMs = Math.min(chargedMsMax, Math.max(ended - begun, done * unitMinMs));
    unitMs += (tookMs / done - unitMs) / 8;
    restsUntil = ended + tookMs * (1 / busyShare - 1);
  }

  return {
    // hot:
    worked() {
      if (backlog.size > 0) othersWorked = true;
    },
    standBack(connection) {
      backlog.add(connection);
      schedule();
    },
    forget(connection) {
      backlog.delete(connection);
    },
  };
}

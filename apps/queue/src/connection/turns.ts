/** Who has more to do than fits in one go: a connection, to these rules. */
export interface Backlogged {
  /** Carries out up to so many units; returns how many. If more is left it stands back anew. */
  goOn(units: number): number;
}

/**
 * Whose turn it is, when some send more than their share. A unit is a small request. The rule: what stands back gets,
 * all together, a unit for each `othersPerUnit` that the others carry out; and as much as it wants while nobody else is
 * active. Pure but for `defer`.
 */
export interface Turns {
  /** Units carried out by a connection that has nothing left. */
  worked(units: number): void;
  standBack(connection: Backlogged): void;
  /** It is gone. */
  forget(connection: Backlogged): void;
}

/** Units of a connection before it stands back: a pipeline of usual depth is answered in one write. */
export const unitsAtOnce = 64;
/** A body of so many bytes is as much work as a small request. */
export const unitBytes = 8192;
/** Units of a slice while others are active: some 50 µs. */
const slice = 32;
const othersPerUnit = 4;
/** The first slice when nobody else is active: they may only be on their way. */
const idleSliceMin = 8;
/** The largest: who comes then waits some 0.3 ms. */
const idleSliceMax = 256;

/** `defer` calls back in the next turn of the event loop. */
export function createTurns(defer: (call: () => void) => void): Turns {
  // In order of insertion: who has had a slice goes to the end.
  const backlog = new Set<Backlogged>();
  let scheduled = false;
  let others = 0;
  let credit = 0;
  let idleSlice = idleSliceMin;

  function schedule(): void {
    if (scheduled || backlog.size === 0) return;
    scheduled = true;
    defer(turn);
  }

  function turn(): void {
    scheduled = false;
    const idle = others === 0;
    if (idle) {
      run(idleSlice);
      idleSlice = Math.min(idleSliceMax, 2 * idleSlice);
    } else {
      idleSlice = idleSliceMin;
      // What was not used up is not saved up: a backlog that comes later is no reason to hold up the others then.
      credit = Math.min(slice, credit + others / othersPerUnit);
      others = 0;
      if (credit >= slice) credit -= run(slice);
    }
    schedule();
  }

  function run(units: number): number {
    const [next] = backlog;
    if (next === undefined) return 0;
    backlog.delete(next);
    return next.goOn(units);
  }

  return {
    // hot:
    worked(units) {
      if (backlog.size > 0) others += units;
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

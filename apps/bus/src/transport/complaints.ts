/** What strangers and the network cause is told rarely: once per subject and minute, and never about too many. Pure. */

const AGAIN_MS = 60_000;
/** Subjects within a minute; more of them would be a flood of the log. */
const SUBJECTS_MAX = 32;

export class Complaints {
  readonly #told = new Set<string>();
  #sinceMs = Number.NEGATIVE_INFINITY;

  /** Whether to tell of it now. */
  due(now: number, subject: string): boolean {
    if (now - this.#sinceMs >= AGAIN_MS) {
      this.#sinceMs = now;
      this.#told.clear();
    }
    if (this.#told.has(subject) || this.#told.size >= SUBJECTS_MAX) return false;
    this.#told.add(subject);
    return true;
  }
}

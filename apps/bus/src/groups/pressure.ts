/**
 * Groups that nobody should send to for now: what this daemon asks of all, and what all daemons ask of everybody.
 * Pure: says what has changed, and tells nobody.
 */

/** Who wants senders to wait: sessions that read too slowly, or the log that keeps the group. */
export type Presser = 'sessions' | 'log';

export class Pressure {
  /** By group. */
  readonly #asked = new Map<string, Set<Presser>>();
  /** By group: the daemons that ask, this one among them. */
  readonly #pressed = new Map<string, Set<number>>();

  /** True if all must be told: the first here to ask, or the last not to ask any more. */
  ask(group: string, on: boolean, by: Presser): boolean {
    const pressers = this.#asked.get(group) ?? new Set();
    const before = pressers.size > 0;
    if (on) pressers.add(by);
    else pressers.delete(by);
    if (before === pressers.size > 0) return false;
    if (on) this.#asked.set(group, pressers);
    else this.#asked.delete(group);
    return true;
  }

  /** Groups that this daemon asks for: told again in every configuration. */
  get asked(): Iterable<string> {
    return this.#asked.keys();
  }

  isPressed(group: string): boolean {
    return this.#pressed.has(group);
  }

  /** True if no daemon had asked before. */
  hold(group: string, daemon: number): boolean {
    const daemons = this.#pressed.get(group);
    if (daemons === undefined) this.#pressed.set(group, new Set([daemon]));
    else daemons.add(daemon);
    return daemons === undefined;
  }

  /** True if no daemon asks any more. */
  release(group: string, daemon: number): boolean {
    const daemons = this.#pressed.get(group);
    return daemons?.delete(daemon) === true && daemons.size === 0 && this.#pressed.delete(group);
  }

  /** Who pressed may not be here any more, and who is new has not heard it. The groups that were pressed. */
  releaseAll(): string[] {
    const groups = [...this.#pressed.keys()];
    this.#pressed.clear();
    return groups;
  }
}

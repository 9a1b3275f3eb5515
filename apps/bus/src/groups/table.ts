/** Who is in which group, as all daemons of a configuration agree. */

const NONE: ReadonlySet<string> = new Set();

export class GroupTable {
  /** Group -> session -> the daemon that it is at. */
  readonly #groups = new Map<string, Map<string, number>>();
  /** Group -> its sessions at this daemon: what each message asks for. */
  readonly #here = new Map<string, Set<string>>();
  /** Session -> its groups: one that ends must not cost a look at all groups. */
  readonly #sessions = new Map<string, Set<string>>();
  readonly #daemon: number;

  /** `daemon` is this one. */
  constructor(daemon: number) {
    this.#daemon = daemon;
  }

  add(group: string, session: string, daemon: number): boolean {
    const members = this.#groups.get(group) ?? new Map<string, number>();
    if (members.has(session)) return false;
    members.set(session, daemon);
    this.#groups.set(group, members);
    const groups = this.#sessions.get(session) ?? new Set<string>();
    this.#sessions.set(session, groups.add(group));
    if (daemon === this.#daemon) {
      const here = this.#here.get(group) ?? new Set<string>();
      this.#here.set(group, here.add(session));
    }
    return true;
  }

  remove(group: string, session: string): boolean {
    const members = this.#groups.get(group);
    if (!members?.delete(session)) return false;
    if (members.size === 0) this.#groups.delete(group);
    const groups = this.#sessions.get(session);
    if (groups?.delete(group) && groups.size === 0) this.#sessions.delete(session);
    const here = this.#here.get(group);
    if (here?.delete(session) && here.size === 0) this.#here.delete(group);
    return true;
  }

  get count(): number {
    return this.#groups.size;
  }

  /** Ascending. */
  get groups(): string[] {
    return [...this.#groups.keys()].sort();
  }

  /** Groups of a session, ascending. */
  groupsOf(session: string): string[] {
    return [...(this.#sessions.get(session) ?? NONE)].sort();
  }

  /** By daemon and then by name. */
  members(group: string): string[] {
    const entries = [...(this.#groups.get(group) ?? [])];
    return entries.sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1)).map(([session]) => session);
  }

  size(group: string): number {
    return this.#groups.get(group)?.size ?? 0;
  }

  // hot: once per message and group.
  /** Sessions of a group that are at this daemon. */
  here(group: string): ReadonlySet<string> {
    return this.#here.get(group) ?? NONE;
  }

  daemonOf(group: string, session: string): number | undefined {
    return this.#groups.get(group)?.get(session);
  }
}

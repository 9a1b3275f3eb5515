/** Who is in which group, as all daemons of a configuration agree. */

export class GroupTable {
  /** Group -> session -> the daemon that it is at. */
  readonly #groups = new Map<string, Map<string, number>>();

  add(group: string, session: string, daemon: number): boolean {
    const members = this.#groups.get(group) ?? new Map<string, number>();
    if (members.has(session)) return false;
    members.set(session, daemon);
    this.#groups.set(group, members);
    return true;
  }

  remove(group: string, session: string): boolean {
    const members = this.#groups.get(group);
    if (!members?.delete(session)) return false;
    if (members.size === 0) this.#groups.delete(group);
    return true;
  }

  /** Ascending. */
  get groups(): string[] {
    return [...this.#groups.keys()].sort();
  }

  /** Groups of a session, ascending. */
  groupsOf(session: string): string[] {
    return this.groups.filter((group) => this.#groups.get(group)?.has(session));
  }

  /** By daemon and then by name. */
  members(group: string): string[] {
    const entries = [...(this.#groups.get(group) ?? [])];
    return entries.sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1)).map(([session]) => session);
  }

  /** Sessions of a group that are at this daemon. */
  at(daemon: number, group: string): string[] {
    const found: string[] = [];
    for (const [session, of] of this.#groups.get(group) ?? []) if (of === daemon) found.push(session);
    return found;
  }

  daemonOf(group: string, session: string): number | undefined {
    return this.#groups.get(group)?.get(session);
  }
}

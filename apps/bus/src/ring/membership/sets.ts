/** Small sets of ids. */

export function ascending(ids: Iterable<number>): number[] {
  return [...ids].sort((a, b) => a - b);
}

export function equals(set: ReadonlySet<number>, ids: readonly number[]): boolean {
  return set.size === ids.length && ids.every((id) => set.has(id));
}

export function includesAll(set: ReadonlySet<number>, ids: readonly number[]): boolean {
  return ids.every((id) => set.has(id));
}

/** Adds, and says whether anything was new. */
export function addAll(set: Set<number>, ids: Iterable<number>): boolean {
  const before = set.size;
  for (const id of ids) set.add(id);
  return set.size > before;
}

/** What the daemon's settings say of a group, by its name or by the longest beginning that ends in `*`. */
import type { SlowPolicy } from './outbox.ts';

export interface GroupSettings {
  /** What happens when a receiver of the group is slow. */
  readonly slowPolicy: SlowPolicy;
  /** Sessions that may be in the group, over all daemons. */
  readonly maxListeners: number;
}

/** Looks up a group's settings; names that were asked for are remembered, up to a bound. */
export function groupSettings(
  defaults: GroupSettings,
  groups: Readonly<Record<string, Partial<GroupSettings>>>,
): (group: string) => GroupSettings {
  const patterns = Object.keys(groups)
    .filter((name) => name.endsWith('*'))
    .sort((a, b) => b.length - a.length);
  const known = new Map<string, GroupSettings>();
  return (group) => {
    const found = known.get(group);
    if (found !== undefined) return found;
    const name = Object.hasOwn(groups, group)
      ? group
      : patterns.find((pattern) => group.startsWith(pattern.slice(0, -1)));
    const settings = name === undefined ? defaults : { ...defaults, ...groups[name] };
    if (known.size >= KNOWN_MAX) known.clear();
    known.set(group, settings);
    return settings;
  };
}

/** Clients choose the names of groups, so what is remembered of them is bounded. */
const KNOWN_MAX = 20_000;

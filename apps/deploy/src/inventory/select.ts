import { ServiceError } from '@rookery/service';
import type { Host } from './host.ts';

/**
 * The hosts that any of `only` names (all, if there is none) and none of `except`, in the inventory's order. Each is
 * `NAME`, `group:G`, `tag:T` or `rack:R`.
 * @throws ServiceError `USAGE`: one of them names nothing, which is a slip of the pen, or nothing is left
 */
export function selectHosts(
  hosts: readonly Host[],
  only: readonly string[],
  except: readonly string[],
): Host[] {
  for (const selector of [...only, ...except]) {
    if (!hosts.some((host) => matches(host, selector))) {
      throw new ServiceError(
        'USAGE',
        `${JSON.stringify(selector)} is no host, group:, tag: or rack: of the inventory`,
      );
    }
  }
  const chosen = hosts.filter(
    (host) =>
      (only.length === 0 || only.some((selector) => matches(host, selector))) &&
      !except.some((selector) => matches(host, selector)),
  );
  if (chosen.length === 0)
    throw new ServiceError('USAGE', 'There are no hosts: the inventory is empty, or all are left out');
  return chosen;
}

function matches({ name, groups, tags, rack }: Host, selector: string): boolean {
  const match = /^(group|tag|rack):(.*)$/.exec(selector);
  if (match === null) return name === selector;
  const [, kind, value] = match;
  if (kind === 'group') return groups.includes(value!);
  return kind === 'tag' ? tags.includes(value!) : rack === value;
}

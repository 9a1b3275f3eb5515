import { parsePrivateGroup } from '@rookery/protocol/websocket';
import { table } from '@rookery/service';
import type { Bus } from '../client/index.ts';
import { explained, openBus, type Target } from './connection.ts';

/** All groups of the network: a table, or a line of JSON for each. */
export async function listGroups(target: Target, json: boolean, signal: AbortSignal): Promise<string> {
  const groups = await asked(target, signal, (bus) => bus.groups());
  const sorted = [...groups].sort((a, b) => (a.name < b.name ? -1 : 1));
  if (json)
    return sorted.map(({ name, members }) => `${JSON.stringify({ group: name, members })}\n`).join('');
  if (sorted.length === 0) return 'Nobody is in any group.\n';
  return table(
    ['group', 'members'],
    sorted.map(({ name, members }) => [name, members]),
  );
}

/** Who is in a group, in the order of the group's views: a name a line, or a line of JSON for each. */
export async function listMembers(
  target: Target,
  group: string,
  json: boolean,
  signal: AbortSignal,
): Promise<string> {
  const members = await asked(target, signal, (bus) => bus.members(group));
  if (!json) return members.map((member) => `${member}\n`).join('');
  return members
    .map((member) => {
      const { name, daemon } = parsePrivateGroup(member)!;
      return `${JSON.stringify({ group, member, name, daemon })}\n`;
    })
    .join('');
}

async function asked<T>(target: Target, signal: AbortSignal, question: (bus: Bus) => Promise<T>): Promise<T> {
  const bus = await openBus(target, signal, { membership: false, settings: { reconnectAttempts: 1 } });
  signal.addEventListener('abort', () => void bus.close());
  try {
    return await question(bus);
  } catch (error) {
    throw explained(error, target.urls);
  } finally {
    await bus.close();
  }
}

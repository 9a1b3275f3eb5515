import { posix } from 'node:path';
import { resolveSettings, ServiceError } from '@rookery/service';
import { CHECK_DEFAULTS, type HealthCheck, KEEP } from '../host/settings.ts';
import type { Host } from './host.ts';
import { inOrderOf } from './order.ts';
import { type GivenCheck, type GivenHost, givenHost, hostName, inventoryDefinition } from './schema.ts';

export interface InventoryInput {
  readonly file?: { readonly path: string; readonly text: string };
  /** What a command has written, instead of the file's hosts. */
  readonly listed?: { readonly command: string; readonly text: string };
}

/** More is not tried. */
const HOSTS_MAX = 10_000;

/**
 * The hosts of an inventory, in its order, each with all that holds for it. Pure.
 * @throws ServiceError `SETTING_INVALID`, `SETTINGS_FILE`: each thing that is wrong, with file, line and key
 */
export function readInventory({ file, listed }: InventoryInput): Host[] {
  const { values } = resolveSettings(inventoryDefinition, { file });
  const given = listed === undefined ? inOrderOf(file?.text ?? '', values.hosts) : hostsListed(listed);
  const problems: string[] = [];
  const hosts = given.flatMap(([name, own]) => {
    const place = listed === undefined ? (file?.path ?? '') : listed.command;
    const merged = merge(values.defaults, values.groups, own);
    for (const group of own.groups ?? []) {
      if (!Object.hasOwn(values.groups, group) && Object.keys(values.groups).length > 0) {
        problems.push(`${place}: hosts.${name}: there is no group ${group}`);
      }
    }
    if (merged.root === undefined) {
      problems.push(
        `${place}: hosts.${name} has no root: give one in [defaults], in its group, or in [hosts.${name}]`,
      );
      return [];
    }
    return [hostOf(name, merged, merged.root)];
  });
  if (hosts.length > HOSTS_MAX) problems.push(`There are ${hosts.length} hosts, more than ${HOSTS_MAX}`);
  const sameRoot = new Map<string, string>();
  for (const { name, transport, address, port = '', settings } of hosts) {
    // Behind one address may be many machines, each with a port of its own.
    const place = transport === 'local' ? settings.root : `${address} ${port} ${settings.root}`;
    const other = sameRoot.get(place);
    if (other !== undefined) problems.push(`${name} and ${other} have the same root, ${settings.root}`);
    sameRoot.set(place, name);
  }
  if (problems.length > 0) {
    throw new ServiceError('SETTING_INVALID', problems.slice(0, 5).join('; '), { problems });
  }
  return hosts;
}

/** The nearer wins; hooks are merged one by one. */
function merge(defaults: GivenHost, groups: Readonly<Record<string, GivenHost>>, own: GivenHost): GivenHost {
  const levels = [
    defaults,
    ...(own.groups ?? defaults.groups ?? []).map((group) => groups[group] ?? {}),
    own,
  ];
  return { ...Object.assign({}, ...levels), hooks: Object.assign({}, ...levels.map(({ hooks }) => hooks)) };
}

function hostOf(name: string, given: GivenHost, root: string): Host {
  const {
    transport = 'local',
    address = name,
    user,
    port,
    node,
    agentKey,
    rack,
    groups = [],
    tags = [],
    check,
  } = given;
  return {
    name,
    transport,
    address,
    ...(user === undefined ? {} : { user }),
    ...(port === undefined ? {} : { port }),
    ...(node === undefined ? {} : { node }),
    ...(agentKey === undefined ? {} : { agentKey }),
    ...(rack === undefined ? {} : { rack }),
    groups,
    tags,
    settings: {
      // One folder has one spelling: two hosts in one would take its lock from each other.
      root: posix.normalize(root).replace(/\/+$/, ''),
      keep: given.keep ?? KEEP,
      linkedFiles: given.linkedFiles ?? [],
      linkedFolders: given.linkedFolders ?? [],
      hooks: given.hooks ?? {},
      ...(check === undefined ? {} : { check: healthCheck(check) }),
    },
  };
}

function healthCheck(given: GivenCheck): HealthCheck {
  return { ...CHECK_DEFAULTS, ...given };
}

/** JSON (names, or objects with `name` and the keys of a host), or one name a line. */
function hostsListed({
  command,
  text,
}: {
  readonly command: string;
  readonly text: string;
}): [name: string, given: GivenHost][] {
  const hosts = new Map<string, GivenHost>();
  const problems: string[] = [];
  for (const [index, one] of listOf(command, text).entries()) {
    const { name, ...rest } =
      typeof one === 'object' && one !== null ? { name: undefined, ...one } : { name: one };
    const place = `${command}: host ${index + 1}`;
    const readName = hostName.safeParse(name);
    const read = givenHost.safeParse(rest);
    for (const issue of [...(readName.error?.issues ?? []), ...(read.error?.issues ?? [])]) {
      problems.push(`${place}: ${issue.path.join('.') || (readName.success ? '' : 'name')} ${issue.message}`);
    }
    if (!readName.success || !read.success) continue;
    if (hosts.has(readName.data)) problems.push(`${place}: ${readName.data} is there twice`);
    hosts.set(readName.data, read.data);
  }
  if (problems.length > 0)
    throw new ServiceError('SETTING_INVALID', problems.slice(0, 5).join('; '), { problems });
  return [...hosts];
}

function listOf(command: string, text: string): unknown[] {
  if (!/^\s*[[{]/.test(text)) {
    return text
      .split('\n')
      .map((line) => line.replace(/#.*/, '').trim())
      .filter((line) => line !== '');
  }
  try {
    const value: unknown = JSON.parse(text);
    if (Array.isArray(value)) return value;
  } catch (error) {
    throw new ServiceError('SETTING_INVALID', `${command}: it wrote no JSON: ${(error as Error).message}`);
  }
  throw new ServiceError(
    'SETTING_INVALID',
    `${command}: it must write a list: ["web1", {"name": "web2", "rack": "a"}]`,
  );
}

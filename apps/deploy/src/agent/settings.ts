import {
  type Address,
  address,
  type CommonSettings,
  commonSettings,
  defineSettings,
  durationMs,
  integer,
  list,
  ServiceError,
  type Setting,
  type SettingsDefinition,
  type SettingsTable,
  setting,
  settingsTable,
  type TableValues,
  tableOf,
  text,
  type ValuesOf,
} from '@rookery/service';
import { z } from 'zod';
import { CHECK_DEFAULTS, type Hook, type HookName, type HostSettings, KEEP } from '../host/settings.ts';
import { absolutePath, check, type GivenCheck, hooks, sharedPath } from '../inventory/schema.ts';

interface Own {
  readonly listen: Setting<Address>;
  readonly key: Setting<string | undefined>;
  readonly coordinators: Setting<string[]>;
  readonly trust: Setting<string[]>;
  readonly roots: Setting<string[]>;
  readonly keep: Setting<number>;
  readonly linkedFiles: Setting<string[]>;
  readonly linkedFolders: Setting<string[]>;
  readonly maxSessions: Setting<number>;
  readonly maxHandshakes: Setting<number>;
  readonly handshakeTimeoutMs: Setting<number>;
}

type GivenHooks = { readonly [K in HookName]?: Hook };

const rootFields: {
  readonly keep: z.ZodType<number>;
  readonly linkedFiles: z.ZodType<string[]>;
  readonly linkedFolders: z.ZodType<string[]>;
  readonly hooks: z.ZodType<GivenHooks>;
  readonly check: z.ZodType<GivenCheck>;
} = {
  keep: integer({ min: 1, max: 1_000 }),
  linkedFiles: list(sharedPath),
  linkedFolders: list(sharedPath),
  hooks,
  check,
};
type GivenRoot = TableValues<typeof rootFields>;

interface Tables {
  readonly hooks: SettingsTable<GivenHooks>;
  readonly check: SettingsTable<GivenCheck | undefined>;
  readonly root: SettingsTable<Record<string, GivenRoot>>;
}

/** An interface is not assignable to a record; what is mapped from it is. */
type Mapped<T> = { readonly [name in keyof T]: T[name] };

const key: z.ZodType<string> = text({ max: 1_024 });

const own: Own = {
  listen: setting({
    schema: address(),
    default: { host: '127.0.0.1', port: 7_071 },
    description: 'Address for coordinators',
    reason: 'Nobody but this machine gets in until somebody says so.',
  }),
  key: setting<string | undefined>({
    schema: key.optional(),
    default: undefined,
    description: 'File of this agent’s private key, from keygen; coordinators know the agent by it',
    reason: 'Each agent has its own; there is none to begin with.',
  }),
  coordinators: setting<string[]>({
    schema: list(key),
    default: [],
    description: 'Public keys whose commands are obeyed: .pub files, or base64',
    reason: 'Nobody, until somebody is named.',
    reload: 'live',
  }),
  trust: setting<string[]>({
    schema: list(key),
    default: [],
    description: 'Public keys that may have signed a release: .pub files, or base64',
    reason: 'Who deploys is not who releases: a coordinator’s word on this counts for nothing.',
    reload: 'live',
  }),
  roots: setting<string[]>({
    schema: list(absolutePath),
    default: [],
    description: 'Folders that are deployed to; those that have a [root."/…"] table need not be named',
    reason: 'Nothing else on this host is touched.',
    flag: 'root',
    reload: 'live',
  }),
  keep: setting({
    schema: rootFields.keep,
    default: KEEP,
    description: 'Releases that cleanup leaves',
    reason: 'Capistrano’s.',
    reload: 'live',
  }),
  linkedFiles: setting<string[]>({
    schema: rootFields.linkedFiles,
    default: [],
    description: 'Files below shared/ that every release gets a link to',
    reason: 'What an app keeps between releases, only its host knows.',
    reload: 'live',
  }),
  linkedFolders: setting<string[]>({
    schema: rootFields.linkedFolders,
    default: [],
    description: 'Folders below shared/ that every release gets a link to',
    reason: 'What an app keeps between releases, only its host knows.',
    reload: 'live',
  }),
  maxSessions: setting({
    schema: integer({ min: 1, max: 1_000 }),
    default: 16,
    description: 'Coordinators’ connections at a time',
    reason: 'Each is a process of some 75 MB, and a root can be deployed to by one.',
    reload: 'live',
  }),
  maxHandshakes: setting({
    schema: integer({ min: 1, max: 10_000 }),
    default: 256,
    description: 'Connections whose other end has not proved that it is known; the oldest goes first',
    reason: 'Some 50 KB each. Who knows its key is through within milliseconds, before it is the oldest.',
  }),
  handshakeTimeoutMs: setting({
    schema: durationMs({ min: 100, max: 60_000 }),
    default: 10_000,
    description:
      'Longest time until the other end has proved who it is, and again until it says what it wants',
    reason: 'A slow line takes a second.',
    unit: 'ms',
  }),
};

const common: CommonSettings = commonSettings({ adminPort: 7_072 });

const tables: Mapped<Tables> = {
  hooks: settingsTable<GivenHooks>({
    schema: hooks,
    default: {},
    description: 'Commands at each step, for all roots',
    reload: 'live',
  }),
  check: settingsTable<GivenCheck | undefined>({
    schema: check,
    default: undefined,
    description: 'How to find out whether a release works, for all roots',
    reload: 'live',
  }),
  root: settingsTable<Record<string, GivenRoot>>({
    schema: z.record(absolutePath, tableOf(rootFields)),
    default: {},
    description: 'What one root has; hooks win one by one, a check as a whole',
    reload: 'live',
  }),
};

/** All that can be set, by flag, by `ROOKERY_DEPLOY_AGENT_…` or in the TOML file that `--config` names. */
export const agentSettings: SettingsDefinition<Mapped<Own & CommonSettings>, Mapped<Tables>> = defineSettings(
  {
    prefix: 'ROOKERY_DEPLOY_AGENT',
    settings: {
      ...own,
      ...common,
      stopTimeoutMs: setting({
        ...common.stopTimeoutMs,
        default: 300_000,
        description: 'Longest time that running steps may take to end when the agent is stopped',
        reason: 'A step’s own: what a coordinator waits for a host.',
      }),
    },
    tables,
  },
);

export type AgentSettings = ValuesOf<typeof agentSettings>;

/** What an agent can't be without, and has no default for. @throws ServiceError `SETTING_INVALID` */
export function checkComplete(values: AgentSettings): void {
  const problems = [
    ...(values.key === undefined ? ['key is missing: make one with rookery-deploy keygen'] : []),
    ...(values.coordinators.length === 0 ? ['coordinators is empty: whose commands are to be obeyed?'] : []),
    ...(values.trust.length === 0 ? ['trust is empty: whose releases are to run?'] : []),
    ...(rootsOf(values).size === 0 ? ['roots is empty: where is to be deployed to?'] : []),
  ];
  if (problems.length > 0) throw new ServiceError('SETTING_INVALID', problems.join('; '), { problems });
}

/** What each root has, with everything filled in. Pure. */
export function rootsOf(
  values: Pick<
    AgentSettings,
    'roots' | 'root' | 'keep' | 'linkedFiles' | 'linkedFolders' | 'hooks' | 'check'
  >,
): ReadonlyMap<string, HostSettings> {
  const roots = new Map<string, HostSettings>();
  for (const path of [...values.roots, ...Object.keys(values.root)]) {
    const given = values.root[path] ?? {};
    const root = path.replace(/\/+$/, '');
    const chosen = given.check ?? values.check;
    roots.set(root, {
      root,
      keep: given.keep ?? values.keep,
      linkedFiles: given.linkedFiles ?? values.linkedFiles,
      linkedFolders: given.linkedFolders ?? values.linkedFolders,
      hooks: { ...values.hooks, ...given.hooks },
      ...(chosen === undefined ? {} : { check: { ...CHECK_DEFAULTS, ...chosen } }),
    });
  }
  return roots;
}

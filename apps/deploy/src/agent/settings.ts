import {
  type Address,
  address,
  type CommonSettings,
  commonSettings,
  defineSettings,
  durationMs,
  integer,
  type LogFormat,
  type LogLevel,
  list,
  ServiceError,
  type Setting,
  type SettingsDefinition,
  type SettingsTable,
  setting,
  settingsTable,
  tableOf,
  text,
} from '@rookery/service';
import { z } from 'zod';
import {
  CHECK_DEFAULTS,
  type HealthCheck,
  type Hook,
  type HookName,
  type HostSettings,
  KEEP,
} from '../host/settings.ts';
import { absolutePath, check, type GivenCheck, hooks, sharedPath } from '../inventory/schema.ts';

/** What can be said of an agent. Written out: whoever imports it needs no other package for its types. */
export interface AgentSettings {
  readonly listen: Address;
  readonly key: string | undefined;
  readonly coordinators: string[];
  readonly trust: string[];
  readonly roots: string[];
  readonly keep: number;
  readonly linkedFiles: string[];
  readonly linkedFolders: string[];
  readonly maxSessions: number;
  readonly maxHandshakes: number;
  readonly handshakeTimeoutMs: number;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  readonly adminHost: string;
  readonly adminPort: number;
  readonly adminToken: string | undefined;
  readonly adminAllowedHosts: string[];
  readonly stopTimeoutMs: number;
  readonly hooks: GivenHooks;
  readonly check: Partial<HealthCheck> | undefined;
  /** By its path. */
  readonly root: Readonly<Record<string, RootSettings>>;
}

/** What one root has of its own. */
export interface RootSettings {
  readonly keep?: number;
  readonly linkedFiles?: string[];
  readonly linkedFolders?: string[];
  readonly hooks?: GivenHooks;
  readonly check?: Partial<HealthCheck>;
}

type OwnName = Exclude<keyof AgentSettings, keyof CommonSettings | 'hooks' | 'check' | 'root'>;
type Own = { readonly [Name in OwnName]: Setting<AgentSettings[Name]> };

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

type Tables = {
  readonly [Name in 'hooks' | 'check' | 'root']: SettingsTable<AgentSettings[Name]>;
};

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
  hooks: settingsTable<AgentSettings['hooks']>({
    schema: hooks,
    default: {},
    description: 'Commands at each step, for all roots',
    reload: 'live',
  }),
  check: settingsTable<AgentSettings['check']>({
    schema: check,
    default: undefined,
    description: 'How to find out whether a release works, for all roots',
    reload: 'live',
  }),
  root: settingsTable<AgentSettings['root']>({
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

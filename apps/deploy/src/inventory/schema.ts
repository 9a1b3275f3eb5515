import {
  choice,
  defineSettings,
  durationMs,
  integer,
  list,
  port,
  type SettingsDefinition,
  type SettingsTable,
  settingsTable,
  type TableValues,
  tableOf,
  text,
} from '@rookery/service';
import { z } from 'zod';
import { type HealthCheck, HOOK_NAMES, HOOK_TIMEOUT_MS, type Hook, type HookName } from '../host/settings.ts';
import { TRANSPORTS, type TransportName } from './host.ts';

const NAME = /^[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}$/;

/** A name becomes an argument of ssh and a label: it can't begin with a dash, or hold a space. */
export const hostName: z.ZodType<string> = z
  .string()
  .regex(NAME, { error: 'expected letters, digits and . _ : @ -, at most 128' });

export const absolutePath: z.ZodType<string> = text({ max: 1_024 }).refine(
  (path) =>
    path.startsWith('/') &&
    !path.split('/').includes('..') &&
    path.split('/').some((name) => name !== '' && name !== '.'),
  { error: 'expected an absolute path other than /' },
);

export const sharedPath: z.ZodType<string> = text({ max: 1_024 }).refine(
  (path) => path.split('/').every((name) => name !== '' && name !== '.' && name !== '..'),
  { error: 'expected a path below shared/, without .. and without a slash at either end' },
);

/** Thirty-two bytes in base64. */
const publicKeyText: z.ZodType<string> = z
  .string()
  .regex(/^[A-Za-z0-9+/]{43}=$/, { error: 'expected a public key in base64, as keygen and agents say it' });

const command: z.ZodType<string> = text({ max: 16_384 });

const hook: z.ZodType<Hook> = z.union(
  [
    command.transform((line): Hook => ({ command: line, timeoutMs: HOOK_TIMEOUT_MS })),
    z
      .strictObject({ command, timeout_ms: durationMs({ min: 1 }).optional() })
      .transform(
        (given): Hook => ({ command: given.command, timeoutMs: given.timeout_ms ?? HOOK_TIMEOUT_MS }),
      ),
  ],
  { error: 'expected a command, or { command = "…", timeout_ms = "1m" }' },
);

export const hooks: z.ZodType<{ readonly [K in HookName]?: Hook }> = z.strictObject(
  Object.fromEntries(HOOK_NAMES.map((name) => [name, hook.optional()])),
) as unknown as z.ZodType<{ readonly [K in HookName]?: Hook }>;

const checkFields: {
  readonly [K in keyof HealthCheck]-?: z.ZodType<NonNullable<HealthCheck[K]>>;
} = {
  http: text().refine((url) => /^https?:$/.test(URL.parse(url)?.protocol ?? ''), {
    error: 'expected a URL of http or https',
  }),
  contains: text(),
  tcp: text().refine((address) => /^(\[[0-9a-fA-F:.]+\]|[^\s:]+):\d{1,5}$/.test(address), {
    error: 'expected HOST:PORT',
  }),
  command,
  intervalMs: durationMs({ min: 1 }),
  timeoutMs: durationMs({ min: 1 }),
  passes: integer({ min: 1, max: 1_000 }),
  withinMs: durationMs({ min: 1 }),
};
export type GivenCheck = TableValues<typeof checkFields>;

export const check: z.ZodType<GivenCheck> = tableOf(checkFields).refine(
  ({ http, tcp, command: line }) => [http, tcp, line].filter((one) => one !== undefined).length === 1,
  { error: 'expected one of http, tcp and command' },
);

const fields: {
  readonly root: z.ZodType<string>;
  readonly transport: z.ZodType<TransportName>;
  readonly address: z.ZodType<string>;
  readonly user: z.ZodType<string>;
  readonly port: z.ZodType<number>;
  readonly node: z.ZodType<string>;
  readonly agentKey: z.ZodType<string>;
  readonly rack: z.ZodType<string>;
  readonly groups: z.ZodType<string[]>;
  readonly tags: z.ZodType<string[]>;
  readonly keep: z.ZodType<number>;
  readonly linkedFiles: z.ZodType<string[]>;
  readonly linkedFolders: z.ZodType<string[]>;
  readonly hooks: typeof hooks;
  readonly check: typeof check;
} = {
  root: absolutePath,
  transport: choice(TRANSPORTS),
  address: hostName,
  user: text({ max: 64 }).refine((user) => /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(user), {
    error: 'expected a user’s name',
  }),
  port: port(),
  node: absolutePath,
  agentKey: publicKeyText,
  rack: text({ max: 64 }),
  groups: list(hostName),
  tags: list(hostName),
  keep: integer({ min: 1, max: 1_000 }),
  linkedFiles: list(sharedPath),
  linkedFolders: list(sharedPath),
  hooks,
  check,
};

/** What one table says of a host; all of it may be left out. */
export type GivenHost = TableValues<typeof fields>;

export const givenHost: z.ZodType<GivenHost> = tableOf(fields);
const named: z.ZodType<Record<string, GivenHost>> = z.record(hostName, givenHost);

type Tables = {
  readonly defaults: SettingsTable<GivenHost>;
  readonly groups: SettingsTable<Record<string, GivenHost>>;
  readonly hosts: SettingsTable<Record<string, GivenHost>>;
};

/** The inventory's file. It is no file of settings, but its errors name line and key as theirs do. */
export const inventoryDefinition: SettingsDefinition<Record<never, never>, Tables> = defineSettings({
  prefix: 'ROOKERY_DEPLOY_INVENTORY',
  settings: {},
  tables: {
    defaults: settingsTable<GivenHost>({
      schema: givenHost,
      default: {},
      description: 'What every host has',
    }),
    groups: settingsTable<Record<string, GivenHost>>({
      schema: named,
      default: {},
      description: 'What the hosts of a group have',
    }),
    hosts: settingsTable<Record<string, GivenHost>>({ schema: named, default: {}, description: 'One host' }),
  },
});

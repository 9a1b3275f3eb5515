import {
  byteSize,
  type CommonSettings,
  choice,
  commonSettings,
  defineSettings,
  durationMs,
  integer,
  list,
  port,
  ServiceError,
  type Setting,
  type SettingsDefinition,
  type SettingsTable,
  setting,
  settingsOver,
  settingsTable,
  snakeCase,
  syncMode,
  tableOf,
  text,
  type ValuesOf,
} from '@rookery/service';
import type { SyncMode } from '@rookery/storage';
import { z } from 'zod';
import { type AccessSettings, accessSettings, exposureProblems } from './access/settings.ts';
import { queueFields, writtenName } from './broker/queue-settings.ts';
import type { Dialect } from './dialect.ts';
import { wireName } from './names.ts';
import { wheelMs } from './queue/delays/wheel.ts';
import type { QueueSettings } from './queue/settings.ts';
import { type ThrottleSettings, throttleSettings } from './throttle/settings.ts';

const queueTable = tableOf(queueFields) as z.ZodType<Partial<QueueSettings>>;

const queuesTable: z.ZodType<Record<string, Partial<QueueSettings>>> = z
  .record(z.string().min(1).max(250), queueTable)
  .transform((queues) =>
    Object.fromEntries(Object.entries(queues).map(([name, value]) => [wireName(name), value])),
  );

const aliasesTable: z.ZodType<Record<string, string[]>> = z
  .record(
    z.string().min(1).max(250),
    // A put to an alias of nothing would be answered and kept nowhere.
    list(writtenName).refine((targets) => targets.length > 0, { error: 'expected at least one queue' }),
  )
  .transform((aliases) =>
    Object.fromEntries(Object.entries(aliases).map(([name, targets]) => [wireName(name), targets])),
  );

/** An interface is not assignable to a record; what is mapped from it is. */
type Mapped<T> = { readonly [name in keyof T]: T[name] };

interface Own extends AccessSettings, ThrottleSettings {
  readonly host: Setting<string>;
  readonly port: Setting<number>;
  readonly socket: Setting<string | undefined>;
  readonly data: Setting<string>;
  readonly sync: Setting<SyncMode>;
  readonly dialect: Setting<Dialect['name']>;
  readonly maxBodyBytes: Setting<number>;
  readonly maxConnections: Setting<number>;
  readonly maxOpenReads: Setting<number>;
  readonly maxWaits: Setting<number>;
  readonly maxQueues: Setting<number>;
  readonly maxChildren: Setting<number>;
  readonly maxCursors: Setting<number>;
  readonly maxBatch: Setting<number>;
  readonly maxDelayMs: Setting<number>;
  readonly replyBufferBytes: Setting<number>;
  readonly maxInputBytes: Setting<number>;
  readonly maxWindowBytes: Setting<number>;
  readonly segmentBytes: Setting<number>;
  readonly reserveBytes: Setting<number | undefined>;
}

interface Tables {
  readonly queueDefaults: SettingsTable<Partial<QueueSettings>>;
  readonly queues: SettingsTable<Record<string, Partial<QueueSettings>>>;
  readonly aliases: SettingsTable<Record<string, string[]>>;
}

const own: Own = {
  host: setting({
    schema: text({ max: 255 }),
    default: '127.0.0.1',
    description: 'Address to listen on',
    reason: 'Nobody but this machine gets in until there are tokens and a certificate, or insecure_listen.',
  }),
  port: setting({
    schema: port(),
    default: 22_122,
    description: 'Port to listen on; 0 takes a free one',
    reason: "Starling's port: its clients find it without being told.",
    short: 'p',
  }),
  socket: setting<string | undefined>({
    schema: text({ max: 107 }).optional(),
    default: undefined,
    description: 'Unix socket to listen on as well',
    reason: 'Most have no use for one.',
  }),
  ...accessSettings,
  data: setting({
    schema: text(),
    default: 'rookery-queue-data',
    description: 'Folder that keeps the messages; made if it is not there',
    reason: 'In the folder where the server is started, so that trying it leaves nothing elsewhere.',
  }),
  sync: setting<SyncMode>({
    schema: syncMode(),
    default: 'always',
    description:
      'When written messages reach the device: always (before each reply), never, or every so many ms',
    reason: 'Acknowledged means kept, also when the power fails.',
  }),
  dialect: setting<Dialect['name']>({
    schema: choice(['memcached', 'kestrel', 'starling']),
    default: 'memcached',
    description: 'Whose strings and edge cases to follow: memcached, kestrel or starling',
    reason: 'Stock memcache clients break on the others.',
  }),
  maxBodyBytes: setting({
    schema: byteSize({ min: 1024, max: 1024 ** 3 }),
    default: 16 * 1024 * 1024,
    description: 'Largest body of a message',
    reason: 'What is larger is a file, and its name the message.',
    unit: 'bytes',
  }),
  maxConnections: setting({
    schema: integer({ min: 1 }),
    default: 10_000,
    description: 'Connections at a time',
    reason: 'Each costs some 30 KB; the system may allow fewer (ulimit -n).',
  }),
  ...throttleSettings,
  maxOpenReads: setting({
    schema: integer({ min: 1 }),
    default: 100,
    description: 'Reliable reads that one connection may hold open',
    reason: "Kestrel's usual value in production.",
  }),
  maxWaits: setting({
    schema: integer({ min: 1 }),
    default: 100_000,
    description: 'Reads that may wait for a message at a time',
    reason: 'A wait costs some 500 bytes.',
  }),
  maxQueues: setting({
    schema: integer({ min: 1 }),
    default: 100_000,
    description: 'Queues, fanout children included',
    reason: 'A queue costs some 2 KB of memory; anyone who may write can create one.',
  }),
  maxChildren: setting({
    schema: integer({ min: 0 }),
    default: 100,
    description: 'Fanout children of one queue',
    reason: 'Each put to the queue is written once for each of them.',
  }),
  maxCursors: setting({
    schema: integer({ min: 0 }),
    default: 100,
    description: 'Cursors of one queue',
    reason: 'Each put to the queue is offered to each of them.',
  }),
  maxBatch: setting({
    schema: integer({ min: 1, max: 100_000 }),
    default: 1000,
    description: 'Messages of one batch, and of one step of a redrive',
    reason: 'A millisecond or two in which nobody else is served.',
  }),
  maxDelayMs: setting({
    schema: durationMs({ min: 0, max: wheelMs }),
    default: 365 * 24 * 3_600_000,
    description: 'Longest delay of a message',
    reason: 'What is to happen later than that belongs in a calendar.',
    unit: 'ms',
  }),
  replyBufferBytes: setting({
    schema: byteSize({ min: 1024 }),
    default: 1024 * 1024,
    description: 'Replies that a client may leave unread before its requests are left unread too',
    reason: 'Enough to keep a pipelining client busy, little enough for thousands of stuck ones.',
    unit: 'bytes',
  }),
  maxInputBytes: setting({
    schema: byteSize({ min: 1024 * 1024 }),
    default: 256 * 1024 * 1024,
    description:
      'Half-sent requests of all clients together; beyond it the one that has been under way longest is refused',
    reason: 'Sixteen of the largest bodies at a time; at least two.',
    unit: 'bytes',
  }),
  maxWindowBytes: setting({
    schema: byteSize(),
    default: 64 * 1024 * 1024,
    description: 'Bodies that all queues together hold in memory, ahead of their readers',
    reason: 'What is beyond is read from the disk when its turn comes.',
    unit: 'bytes',
  }),
  segmentBytes: setting({
    schema: byteSize({ min: 65_536, max: 1024 ** 3 }),
    default: 64 * 1024 * 1024,
    description: 'Size of one file of the log',
    reason: 'Half a second to scan after a crash.',
    unit: 'bytes',
  }),
  reserveBytes: setting<number | undefined>({
    schema: byteSize().optional(),
    default: undefined,
    description: 'Space kept back so that reads and acknowledgements go on when the disk is full',
    reason:
      'By default room for what may be in flight: two of the largest bodies and 16 MiB. At least 4/3 of the largest body and 8 MiB.',
    unit: 'bytes',
  }),
};

const tables: Mapped<Tables> = {
  queueDefaults: settingsTable<Partial<QueueSettings>>({
    schema: queueTable,
    default: {},
    description: 'What every queue has unless it says otherwise',
    reload: 'live',
  }),
  queues: settingsTable<Record<string, Partial<QueueSettings>>>({
    schema: queuesTable,
    default: {},
    description: 'Settings of one queue; a fanout child inherits its parent’s',
    reload: 'live',
  }),
  aliases: settingsTable<Record<string, string[]>>({
    schema: aliasesTable,
    default: {},
    description: 'Names that stand for one or more queues: what is put to the name goes to all of them',
    reload: 'live',
  }),
};

/** All that can be set, by flag, by `ROOKERY_QUEUE_…` or in the TOML file that `--config` names. */
export const settingsDefinition: SettingsDefinition<
  Mapped<Own & CommonSettings>,
  Mapped<Tables>
> = defineSettings({
  prefix: 'ROOKERY_QUEUE',
  settings: { ...own, ...commonSettings({ adminPort: 22_123 }) },
  tables,
  check: exposureProblems,
});

/** The settings of a server, checked. */
export type ServerSettings = ValuesOf<typeof settingsDefinition>;

/**
 * What a program gives over the defaults, checked as in a file and in the units of one: `maxBodyBytes: '1MiB'` is fine.
 * @throws ServiceError `SETTING_INVALID` with all that is wrong
 */
export function checkedSettings(given: Partial<ServerSettings> = {}): ServerSettings {
  const declarations = { ...settingsDefinition.settings, ...settingsDefinition.tables };
  const schemas = new Map<string, z.ZodType<unknown>>(
    Object.entries(declarations).map(([name, { schema }]) => [name, schema]),
  );
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    const schema = schemas.get(name);
    if (schema === undefined) {
      problems.push(`${name}: there is no such setting`);
      continue;
    }
    const result = schema.safeParse(asInFile(name, value));
    if (result.success) values[name] = result.data;
    else
      problems.push(
        ...result.error.issues.map(({ path, message }) => `${[name, ...path].join('.')}: ${message}`),
      );
  }
  if (problems.length > 0) throw new ServiceError('SETTING_INVALID', problems.join('; '), { problems });
  return settingsOver(settingsDefinition, values as Partial<ServerSettings>);
}

/** Code has names of its own for what is in a table, and a value of its own for `sync`. */
function asInFile(name: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (name === 'sync') return (value as { everyMs?: unknown }).everyMs;
  if (name === 'queueDefaults') return withSnakeCase(value);
  if (name !== 'queues') return value;
  return Object.fromEntries(Object.entries(value).map(([queue, own]) => [queue, withSnakeCase(own)]));
}

function withSnakeCase(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, own]) => [snakeCase(name), own]));
}

import { hostname } from 'node:os';
import { isDaemonName } from '@rookery/protocol/spread';
import {
  type Address,
  address,
  boolean,
  byteSize,
  type CommonSettings,
  choice,
  commonSettings,
  defineSettings,
  durationMs,
  integer,
  list,
  type Setting,
  type SettingsDefinition,
  type SettingsTable,
  setting,
  settingsTable,
  syncMode,
  tableOf,
  text,
  type ValuesOf,
} from '@rookery/service';
import type { SyncMode } from '@rookery/storage';
import { z } from 'zod';
import type { DurableSettings } from './durable/settings.ts';
import type { GroupSettings } from './session/group-settings.ts';
import { SLOW_POLICIES } from './session/outbox.ts';

const daemonName: z.ZodType<string> = text({ max: 19 }).refine(isDaemonName, {
  error: 'expected 1 to 19 characters of ASCII 0x24 to 0x7e: no space, no #, no quotes',
});

/** This machine's name, as far as it can be a daemon's. */
function defaultName(): string {
  const name = hostname().split('.')[0]!.slice(0, 19);
  return isDaemonName(name) ? name : 'localhost';
}

const groupFields = {
  slowPolicy: choice(SLOW_POLICIES),
  maxListeners: integer({ min: 1 }),
} as const;
const groupTable = tableOf(groupFields) as z.ZodType<Partial<GroupSettings>>;
const groupsTable: z.ZodType<Record<string, Partial<GroupSettings>>> = z.record(
  z.string().min(1).max(31),
  groupTable,
);

const durableFields = {
  retentionMs: durationMs({ max: 10 * 365 * 86_400_000 }),
  retentionBytes: byteSize(),
  lastValue: boolean(),
  lastValueKeys: integer({ min: 1, max: 10_000_000 }),
} as const;
const durableTable: z.ZodType<Record<string, Partial<DurableSettings>>> = z.record(
  z.string().min(1).max(31),
  tableOf(durableFields) as z.ZodType<Partial<DurableSettings>>,
);

/** An interface is not assignable to a record; what is mapped from it is. */
type Mapped<T> = { readonly [name in keyof T]: T[name] };

interface Own {
  readonly name: Setting<string>;
  readonly listen: Setting<Address>;
  readonly socket: Setting<string | undefined>;
  readonly ws: Setting<Address>;
  readonly ring: Setting<Address | undefined>;
  readonly multicast: Setting<Address | undefined>;
  readonly multicastTtl: Setting<number>;
  readonly peers: Setting<Address[]>;
  readonly secretFile: Setting<string | undefined>;
  readonly encrypt: Setting<boolean>;
  readonly insecureRing: Setting<boolean>;
  readonly data: Setting<string>;
  readonly keep: Setting<string[]>;
  readonly keepSync: Setting<SyncMode>;
  readonly maxKeptGroups: Setting<number>;
  readonly tokenFile: Setting<string | undefined>;
  readonly wsOrigins: Setting<string[]>;
  readonly wsCertificateFile: Setting<string | undefined>;
  readonly wsKeyFile: Setting<string | undefined>;
  readonly wsCompression: Setting<boolean>;
  readonly pingIntervalMs: Setting<number>;
  readonly resumeMs: Setting<number>;
  readonly handshakeTimeoutMs: Setting<number>;
  readonly messageBytes: Setting<number>;
  readonly maxSessions: Setting<number>;
  readonly maxGroups: Setting<number>;
  readonly maxGroupsPerSession: Setting<number>;
  readonly messagesPerSecond: Setting<number>;
  readonly bytesPerSecond: Setting<number>;
  readonly outboxBytes: Setting<number>;
  readonly outboxesBytes: Setting<number>;
  readonly halfMessagesBytes: Setting<number>;
  readonly slowTimeoutMs: Setting<number>;
  readonly tokenLossMs: Setting<number>;
  readonly consensusMs: Setting<number>;
  readonly presenceMs: Setting<number>;
  readonly datagramBytes: Setting<number>;
  readonly windowPackets: Setting<number>;
  readonly visitPackets: Setting<number>;
}

interface Tables {
  readonly groupDefaults: SettingsTable<Partial<GroupSettings>>;
  readonly groups: SettingsTable<Record<string, Partial<GroupSettings>>>;
  readonly durable: SettingsTable<Record<string, Partial<DurableSettings>>>;
}

/** What is kept of a group unless the settings say otherwise. */
export const DURABLE_DEFAULTS: DurableSettings = {
  // A week: over a long weekend, whoever was away catches up.
  retentionMs: 7 * 86_400_000,
  // 1 GiB: some millions of events, and no disk is filled unasked.
  retentionBytes: 1024 ** 3,
  lastValue: false,
  lastValueKeys: 1_000_000,
};

/** What a group has unless the settings say otherwise. */
export const GROUP_DEFAULTS: GroupSettings = { slowPolicy: 'disconnect', maxListeners: 65_536 };

const own: Own = {
  name: setting({
    schema: daemonName,
    default: defaultName(),
    description: 'Name of this daemon: part of its sessions’ names, unique in the network',
    reason: 'The machine’s name, for there is seldom more than one daemon on it.',
  }),
  listen: setting<Address>({
    schema: address(),
    default: { host: '127.0.0.1', port: 4803 },
    description: 'Where clients of Spread’s protocol connect; port 0 takes a free one',
    reason:
      'Spread’s port. The protocol has no password: nobody but this machine gets in until somebody says so.',
  }),
  socket: setting<string | undefined>({
    schema: text({ max: 107 }).optional(),
    default: undefined,
    description: 'Unix socket for Spread’s protocol as well; libspread tries /tmp/4803',
    reason: 'Most have no use for one.',
  }),
  ws: setting<Address>({
    schema: address(),
    default: { host: '127.0.0.1', port: 4804 },
    description: 'Where WebSocket clients connect; port 0 takes a free one',
    reason: 'Beside Spread’s port.',
  }),
  ring: setting<Address | undefined>({
    schema: address().optional(),
    default: undefined,
    description: 'UDP address that other daemons reach this one at',
    reason:
      'By default 127.0.0.1, with port 4805 for --peers and any free port for --multicast; a ring over several machines needs an address of the network.',
  }),
  multicast: setting<Address | undefined>({
    schema: address().optional(),
    default: undefined,
    description: 'Multicast group and port that all daemons share, such as 239.192.0.7:4805',
    reason: 'Without it and without peers the daemon is alone.',
  }),
  multicastTtl: setting({
    schema: integer({ min: 0, max: 255 }),
    default: 1,
    description: 'How many routers a multicast datagram may pass, plus one',
    reason: 'A ring is for one local network.',
  }),
  peers: setting<Address[]>({
    schema: list(address()),
    default: [],
    description: 'Ring addresses of other daemons where there is no multicast; one that lives is enough',
    reason: 'Without them and without multicast the daemon is alone.',
  }),
  secretFile: setting<string | undefined>({
    schema: text().optional(),
    default: undefined,
    description: 'File with the secret that all daemons share (at least 16 bytes)',
    reason: 'Without it the ring stays on this machine.',
  }),
  encrypt: setting({
    schema: boolean(),
    default: false,
    description: 'Encrypt what daemons say to each other (AES-256-GCM), not only authenticate it',
    reason: 'Inside one network authenticity is what counts, and it costs less.',
  }),
  insecureRing: setting({
    schema: boolean(),
    default: false,
    description:
      'Let a ring without a secret leave this machine: whoever reaches the port can forge everything',
    reason: 'To be said in so many words.',
  }),
  data: setting({
    schema: text(),
    default: 'rookery-bus-data',
    description: 'Folder for the ring’s number and what is kept of groups; made if it is not there',
    reason: 'In the folder where the daemon is started, so that trying it leaves nothing elsewhere.',
  }),
  keep: setting<string[]>({
    schema: list(text({ max: 31 })),
    default: [],
    description:
      'Groups that this daemon keeps on disk for listeners that come later, by name or by beginning ("web.*")',
    reason: 'What is kept costs a disk; only you know what is worth it. More in the table durable.',
  }),
  keepSync: setting<SyncMode>({
    schema: syncMode(),
    default: { everyMs: 20 },
    description:
      'When what is kept reaches the device: always (before a publisher’s confirmation), never, or every so many ms',
    reason:
      'A crash of the daemon loses nothing either way; a power failure at most so much, at this daemon.',
  }),
  maxKeptGroups: setting({
    schema: integer({ min: 1 }),
    default: 10_000,
    description: 'Groups that this daemon keeps, however many a pattern means',
    reason: 'Clients choose names; each costs some 10 KB and a place in each announcement.',
  }),
  tokenFile: setting<string | undefined>({
    schema: text().optional(),
    default: undefined,
    description: 'File with tokens, one a line, of which a WebSocket client must show one',
    reason: 'Loopback needs none.',
  }),
  wsOrigins: setting<string[]>({
    schema: list(text({ max: 255 })),
    default: [],
    description: 'Origins of web pages that may connect, such as https://example.org; * for all',
    reason: 'Any page that a browser shows could otherwise speak with a bus on its machine.',
  }),
  wsCertificateFile: setting<string | undefined>({
    schema: text().optional(),
    default: undefined,
    description: 'Certificate (PEM) for wss://',
    reason: 'Loopback needs none.',
  }),
  wsKeyFile: setting<string | undefined>({
    schema: text().optional(),
    default: undefined,
    description: 'Private key (PEM) of the certificate',
    reason: 'Loopback needs none.',
  }),
  wsCompression: setting({
    schema: boolean(),
    default: false,
    description: 'Compress WebSocket messages (permessage-deflate)',
    reason: 'It costs much memory and time for each client.',
  }),
  pingIntervalMs: setting({
    schema: durationMs({ min: 100, max: 3_600_000 }),
    default: 10_000,
    description: 'How often WebSocket clients are pinged; two without an answer are too many',
    reason: 'A dead client is noticed within 20 s, and proxies see traffic.',
    unit: 'ms',
  }),
  resumeMs: setting({
    schema: durationMs({ max: 86_400_000 }),
    default: 30_000,
    description: 'How long a WebSocket session is kept after its connection broke',
    reason: 'A phone changes networks, a service restarts its proxy.',
    unit: 'ms',
  }),
  handshakeTimeoutMs: setting({
    schema: durationMs({ min: 10, max: 600_000 }),
    default: 10_000,
    description: 'How long a connection may be silent before it says who it is',
    reason: 'A slow network needs a second; a stranger holds no descriptor for long.',
    unit: 'ms',
  }),
  messageBytes: setting({
    schema: byteSize({ min: 1024, max: 1024 ** 3 }),
    default: 16 * 1024 * 1024,
    description: 'Largest message; the same on all daemons',
    reason: 'What is larger is a file, and its name the message.',
    unit: 'bytes',
  }),
  maxSessions: setting({
    schema: integer({ min: 1 }),
    default: 10_000,
    description: 'Clients at a time',
    reason: 'Each costs some 30 KB; the system may allow fewer (ulimit -n).',
  }),
  maxGroups: setting({
    schema: integer({ min: 1 }),
    default: 100_000,
    description: 'Groups in the network, as far as this daemon’s sessions make them',
    reason: 'Each costs some 500 bytes at every daemon.',
  }),
  maxGroupsPerSession: setting({
    schema: integer({ min: 1 }),
    default: 10_000,
    description: 'Groups that one session may be in',
    reason: 'Enough for one that hears everything; 100,000 over all sessions of a daemon.',
  }),
  messagesPerSecond: setting({
    schema: integer(),
    default: 0,
    description: 'Messages a second that one session may send; 0 for any number',
    reason: 'What comes faster is read later. Only you know what is too much.',
  }),
  bytesPerSecond: setting({
    schema: byteSize(),
    default: 0,
    description: 'Bytes of messages a second that one session may send; 0 for any number',
    reason: 'What comes faster is read later. Only you know what is too much.',
    unit: 'bytes',
  }),
  outboxBytes: setting({
    schema: byteSize({ min: 65_536 }),
    default: 64 * 1024 * 1024,
    description: 'What may wait for one client; then the slow_policy of the group decides',
    reason:
      'Seconds of a fast feed, and four of the largest message: a receiver that is well has one or two of them under way.',
    unit: 'bytes',
  }),
  outboxesBytes: setting({
    schema: byteSize({ min: 65_536 }),
    default: 1024 * 1024 * 1024,
    description: 'What may wait for all clients together; beyond it the fullest session ends',
    reason: 'Memory is what ends everybody. A message counts once, however many it waits for.',
    unit: 'bytes',
  }),
  halfMessagesBytes: setting({
    schema: byteSize({ min: 65_536 }),
    default: 256 * 1024 * 1024,
    description:
      'What may have come of messages that are not whole yet, of all clients together; beyond it the connection that has been at one for longest is cut',
    reason: 'Sixteen of the largest messages at a time: who means well is done with one in a moment.',
    unit: 'bytes',
  }),
  slowTimeoutMs: setting({
    schema: durationMs({ min: 100, max: 3_600_000 }),
    default: 10_000,
    description: 'How long a receiver for which senders are held up may take nothing at all',
    reason: 'Long enough for a collector’s pause, short enough for those who wait.',
    unit: 'ms',
  }),
  tokenLossMs: setting({
    schema: durationMs({ min: 50, max: 600_000 }),
    default: 280,
    description: 'Without a sign of the ring for so long, its members look who is still there',
    reason: 'Above the pauses of a collector (200 ms), and a dead host is a new view in under 500 ms.',
    unit: 'ms',
  }),
  consensusMs: setting({
    schema: durationMs({ min: 20, max: 600_000 }),
    default: 120,
    description: 'How long a living daemon may take to agree on a new view',
    reason: 'Six tries in a network that loses one packet in twenty.',
    unit: 'ms',
  }),
  presenceMs: setting({
    schema: durationMs({ min: 10, max: 600_000 }),
    default: 100,
    description: 'How often a ring says that it is there, so that rings which can hear each other merge',
    reason: 'A healed network is one view within a second.',
    unit: 'ms',
  }),
  datagramBytes: setting({
    schema: byteSize({ min: 512, max: 65_507 }),
    default: 1452,
    description: 'Largest UDP datagram between daemons; the same on all',
    reason: 'One Ethernet frame, over IPv4 and IPv6. 8932 where all carry jumbo frames.',
    unit: 'bytes',
  }),
  windowPackets: setting({
    schema: integer({ min: 8, max: 65_536 }),
    default: 160,
    description: 'Datagrams that all daemons together send in one rotation of the token',
    reason: 'What a socket’s receive buffer of 208 KiB holds, which is Linux’s usual limit.',
  }),
  visitPackets: setting({
    schema: integer({ min: 4, max: 4096 }),
    default: 40,
    description: 'Datagrams that one daemon sends at a visit of the token',
    reason: 'A quarter of the window.',
  }),
};

const tables: Mapped<Tables> = {
  groupDefaults: settingsTable<Partial<GroupSettings>>({
    schema: groupTable,
    default: {},
    description: 'What every group has unless it says otherwise',
  }),
  groups: settingsTable<Record<string, Partial<GroupSettings>>>({
    schema: groupsTable,
    default: {},
    description: 'Settings of one group, or of all that begin alike ("web.*")',
  }),
  durable: settingsTable<Record<string, Partial<DurableSettings>>>({
    schema: durableTable,
    default: {},
    description:
      'What is kept of one group, or of all that begin alike ("web.*"): these are kept, as with keep',
  }),
};

/** All that can be set, by flag, by `ROOKERY_BUS_…` or in the TOML file that `--config` names. */
export const settingsDefinition: SettingsDefinition<
  Mapped<Own & CommonSettings>,
  Mapped<Tables>
> = defineSettings({
  prefix: 'ROOKERY_BUS',
  settings: { ...own, ...commonSettings({ adminPort: 4806 }) },
  tables,
});

/** The settings of a daemon, checked. */
export type DaemonSettings = ValuesOf<typeof settingsDefinition>;

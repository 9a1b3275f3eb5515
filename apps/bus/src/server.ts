import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FRAME_OVERHEAD_BYTES } from '@rookery/protocol/websocket';
import {
  type Address,
  type Admin,
  createAdmin,
  createLifecycle,
  createLogger,
  createMetrics,
  errorMessage,
  type Lifecycle,
  type LoadedSettings,
  type Log,
  type Metrics,
  ServiceError,
  settingsOver,
} from '@rookery/service';
import { nodeDisk } from '@rookery/storage';
import packageJson from '../package.json' with { type: 'json' };
import { addKeptRoute } from './admin/kept.ts';
import { addMetrics } from './admin/metrics.ts';
import { BUS_PAGE } from './admin/page/page.ts';
import { addRoutes } from './admin/routes.ts';
import { Durable } from './durable/durable.ts';
import { createRingEngine, type RingEngine } from './engine/ring-engine.ts';
import { readSequence, writeSequence } from './engine/sequence-file.ts';
import { Groups } from './groups/groups.ts';
import { groupSettings } from './session/group-settings.ts';
import { HalfMessages } from './session/half-messages.ts';
import { Sessions } from './session/sessions.ts';
import { type DaemonSettings, DURABLE_DEFAULTS, GROUP_DEFAULTS, settingsDefinition } from './settings.ts';
import { createSpreadListener, type SpreadListener } from './spread/listener.ts';
import { createTransport, type Transport, type TransportOptions } from './transport/transport.ts';
import { createWebSocketListener, type WebSocketListener } from './websocket/listener.ts';

export const version: string = packageJson.version;

type Loaded = LoadedSettings<typeof settingsDefinition.settings, typeof settingsDefinition.tables>;

export interface BusDaemonOptions {
  /** What differs from the defaults; names as in `settings.ts`. */
  readonly settings?: Partial<DaemonSettings>;
  /** Settings loaded from flags, environment and file; instead of `settings`. */
  readonly loaded?: Loaded;
  /** Default: one that says nothing. */
  readonly log?: Log;
}

/** What stands around a message on the ring: its sender, up to 255 groups, its key. */
const EVENT_BYTES = 72 * 1024;
/** What a daemon brings into a new configuration, at most: 100,000 rows of two names. */
const STATE_BYTES = 8 * 1024 * 1024;
/** Linux gives no more unless net.core.wmem_max is raised. */
const SEND_BUFFER_BYTES = 212_992;
/** What a collector's pause of 20 ms lets gather at a gigabit; Linux gives 208 KiB unless net.core.rmem_max is raised. */
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;
/** Groups that one message may name, as Spread's clients count on. */
const GROUPS_PER_MESSAGE = 100;
const RING_PORT = 4805;
/** A ring is found in some 100 ms; here with room for a busy machine. */
const FINDING_MS = 3000;
/** How often is looked for what may be let go of. */
const TRIM_MS = 1000;

/**
 * A daemon of the bus inside a program.
 *
 *     const daemon = new BusDaemon({ settings: { listen: { host: '127.0.0.1', port: 0 }, data: '/var/lib/bus' } });
 *     await daemon.start();
 *     console.log(daemon.webSocketUrl); // ws://127.0.0.1:4804
 *     await daemon.stop();
 */
export class BusDaemon {
  readonly settings: DaemonSettings;
  /** Its parts in order; for a program of its own: `runProcess({ lifecycle: daemon.lifecycle, … })`. */
  readonly lifecycle: Lifecycle;
  readonly #log: Log;
  readonly #admin: Admin;
  readonly #metrics: Metrics;
  readonly #groups: Groups;
  readonly #durable: Durable;
  readonly #transport: Transport | undefined;
  readonly #engine: RingEngine;
  readonly #sessions: Sessions;
  readonly #halfMessages: HalfMessages;
  readonly #spread: SpreadListener;
  readonly #webSocket: WebSocketListener;
  readonly #badInput = new Map<string, number>();

  constructor(options: BusDaemonOptions = {}) {
    const settings: DaemonSettings =
      options.loaded?.values ?? settingsOver(settingsDefinition, options.settings);
    this.settings = settings;
    const log = options.log ?? createLogger({ name: 'rookery-bus', level: 'silent' });
    this.#log = log;
    this.#metrics = createMetrics({ app: 'bus', version, process: options.loaded !== undefined });
    this.#admin = createAdmin({
      log,
      host: settings.adminHost,
      port: settings.adminPort,
      token: settings.adminToken,
      allowedHosts: settings.adminAllowedHosts,
      metrics: this.#metrics,
    });
    this.lifecycle = createLifecycle({ log, deadlineMs: settings.stopTimeoutMs });
    const id = idOf(settings.name);
    this.#transport = this.#createTransport(id);
    this.#engine = this.#createEngine(id);
    this.#durable = this.#createDurable(id);
    this.#groups = new Groups({
      id,
      name: settings.name,
      // Who keeps nothing doesn't even look.
      ...(this.#durable.patterns.length > 0 ? { keeps: (group) => this.#durable.keeps(group) } : {}),
    });
    this.#sessions = new Sessions({
      engine: this.#engine,
      groups: this.#groups,
      durable: this.#durable,
      limits: settings,
      groupSettings: groupSettings({ ...GROUP_DEFAULTS, ...settings.groupDefaults }, settings.groups),
      slowTimeoutMs: settings.slowTimeoutMs,
      resumeMs: settings.resumeMs,
      onUndeliverable: () => this.#countBad('ring', 'undeliverable'),
      onEnd: (session, reason) => {
        const level = reason === 'too_slow' ? 'warn' : 'debug';
        log[level]({ session: session.name, reason, outboxBytes: session.outboxBytes }, 'a session ended');
      },
    });
    this.#halfMessages = new HalfMessages(
      // One must always have room, whatever the setting.
      Math.max(settings.halfMessagesBytes, settings.messageBytes + FRAME_OVERHEAD_BYTES),
    );
    this.#spread = this.#createSpreadListener();
    this.#webSocket = this.#createWebSocketListener();
    this.#addParts();
    addMetrics(this.#metrics, this);
    addRoutes(this.#admin, this);
    addKeptRoute(this.#admin, this.#durable);
    this.#admin.page('/', BUS_PAGE);
  }

  /** Where clients of Spread's protocol connect; undefined before the start. */
  get address(): Address | undefined {
    return this.#spread.address;
  }

  get webSocketUrl(): string | undefined {
    return this.#webSocket.url;
  }

  /** Where other daemons reach this one; undefined if it is alone by its settings. */
  get ringAddress(): Address | undefined {
    return this.#transport?.address;
  }

  get adminUrl(): string | undefined {
    return this.#admin.address?.url;
  }

  /** @throws ServiceError `START_FAILED` */
  start(): Promise<void> {
    return this.lifecycle.start();
  }

  /** Tells the sessions, lets their goodbyes go round, leaves. Resolves to the exit code. */
  stop(): Promise<number> {
    return this.lifecycle.stop();
  }

  /** @internal For the admin pages and metrics. */
  get parts(): DaemonParts {
    return {
      groups: this.#groups,
      engine: this.#engine,
      durable: this.#durable,
      sessions: this.#sessions,
      halfMessages: this.#halfMessages,
      spread: this.#spread,
      webSocket: this.#webSocket,
      badInput: this.#badInput,
    };
  }

  #addParts(): void {
    const { lifecycle } = this;
    // The admin server first, so that probes are answered while clients are told.
    lifecycle.add(this.#admin);
    if (this.#transport !== undefined) {
      const transport = this.#transport;
      lifecycle.add({ name: 'transport', start: () => transport.start(), stop: () => transport.stop() });
    }
    // Before the ring, which asks at once what is kept; and after it goes, so that all it delivered is kept.
    let trimming: NodeJS.Timeout | undefined;
    lifecycle.add({
      name: 'durable groups',
      start: async () => {
        await this.#durable.open();
        trimming = setInterval(() => this.#durable.trim(), TRIM_MS).unref();
      },
      stop: async () => {
        clearInterval(trimming);
        await this.#durable.close();
      },
    });
    lifecycle.add({
      name: 'ring',
      start: () => this.#engine.start(),
      stop: async () => {
        await this.#engine.stop();
        this.#sessions.close();
      },
    });
    lifecycle.add(this.#spread);
    lifecycle.add(this.#webSocket);
    lifecycle.add({ name: 'sessions', stop: () => this.#sessions.endAll('stopping') });
    this.#admin.check('lifecycle', () => lifecycle.notReady());
    this.#admin.check('ring', () => {
      const { state } = this.#engine.status();
      return state === 'operational' ? undefined : `the ring is in ${state}`;
    });
  }

  #createTransport(id: number): Transport | undefined {
    const { settings } = this;
    const { multicast, peers } = settings;
    if (multicast === undefined && peers.length === 0) return undefined;
    if (multicast !== undefined && peers.length > 0) {
      throw new ServiceError(
        'SETTING_INVALID',
        'multicast and peers are two ways to reach the others: give one',
      );
    }
    const address = settings.ring ?? { host: '127.0.0.1', port: multicast === undefined ? RING_PORT : 0 };
    const options: TransportOptions = {
      id,
      name: settings.name,
      address,
      multicast: multicast === undefined ? undefined : { ...multicast, ttl: settings.multicastTtl },
      peers: multicast === undefined ? peers : undefined,
      secret: settings.secretFile === undefined ? undefined : readSecret(settings.secretFile),
      encrypt: settings.encrypt,
      allowUnauthenticated: settings.insecureRing,
      receiveBufferBytes: RECEIVE_BUFFER_BYTES,
      sendBufferBytes: SEND_BUFFER_BYTES,
      log: this.#log.child({ part: 'transport' }),
      onDatagram: (packet) => this.#engine.receive(packet),
      onConflict: ({ name, address, startedFirst }) => {
        const message = `the daemon at ${address} has this one's place: it is called ${name}, as this one; give each its own --name`;
        // One of two goes on: who was there first.
        if (startedFirst) this.lifecycle.fail(new ServiceError('START_FAILED', message));
        else this.#log.error({ address }, message);
      },
    };
    try {
      return createTransport(options);
    } catch (error) {
      throw new ServiceError('SETTING_INVALID', errorMessage(error), { cause: error });
    }
  }

  #createEngine(id: number): RingEngine {
    const { settings } = this;
    const path = join(settings.data, `ring-${settings.name}`);
    const messageBytes = Math.max(settings.messageBytes + EVENT_BYTES, STATE_BYTES);
    const { tokenLossMs, consensusMs, presenceMs, windowPackets, visitPackets } = settings;
    return createRingEngine({
      id,
      settings: {
        tokenLossMs,
        consensusMs,
        presenceMs,
        windowPackets,
        visitPackets,
        acceleratedPackets: Math.floor(visitPackets / 2),
        spanPackets: Math.max(2048, 4 * windowPackets),
        datagramBytes: settings.datagramBytes - (this.#transport?.overheadBytes ?? 0),
        messageBytes,
        queueBytes: 2 * messageBytes + 16 * 1024 * 1024,
      },
      storedSequence: () => readSequence(path, Date.now()),
      storeSequence: (sequence) => writeSequence(path, sequence),
      transport: this.#transport,
      onFailure: (error) => this.lifecycle.fail(error),
    });
  }

  #createDurable(id: number): Durable {
    const { settings } = this;
    const kept = Object.fromEntries(settings.keep.map((name) => [name, DURABLE_DEFAULTS]));
    const tables = Object.entries(settings.durable).map(([name, table]) => [
      name,
      { ...DURABLE_DEFAULTS, ...table },
    ]);
    const log = this.#log.child({ part: 'durable' });
    return new Durable({
      id,
      patterns: { ...kept, ...Object.fromEntries(tables) },
      log: {
        disk: nodeDisk,
        directory: join(settings.data, 'durable'),
        sync: settings.keepSync,
        maxPayloadBytes: settings.messageBytes + EVENT_BYTES,
      },
      maxGroups: settings.maxKeptGroups,
      findingMs: this.#transport === undefined ? 0 : FINDING_MS,
      submit: (payload) => this.#engine.submit('agreed', payload),
      queuedBytes: () => this.#engine.queuedBytes,
      now: () => Date.now(),
      press: (group, on) => this.#sessions.pressForLog(group, on),
      isPressed: (group) => this.#groups.isPressed(group),
      onNotKept: (group) =>
        log.warn({ group, max_kept_groups: settings.maxKeptGroups }, 'as many groups are kept as may be'),
      onLogEvent: ({ type, ...fields }) =>
        log[type === 'damaged' || type === 'full' ? 'error' : 'debug'](fields, type),
      onFailure: (error) => this.lifecycle.fail(error),
    });
  }

  #createSpreadListener(): SpreadListener {
    const { settings } = this;
    return createSpreadListener({
      log: this.#log.child({ part: 'spread' }),
      listen: settings.listen,
      socketPath: settings.socket,
      maxConnections: settings.maxSessions,
      sessions: this.#sessions,
      halfMessages: this.#halfMessages,
      messageBytes: settings.messageBytes,
      handshakeTimeoutMs: settings.handshakeTimeoutMs,
      onBad: (reason) => this.#countBad('spread', reason),
    });
  }

  #createWebSocketListener(): WebSocketListener {
    const { settings } = this;
    const groups = this.#groups;
    return createWebSocketListener({
      log: this.#log.child({ part: 'websocket' }),
      listen: settings.ws,
      origins: settings.wsOrigins,
      tokenFile: settings.tokenFile,
      certificateFile: settings.wsCertificateFile,
      keyFile: settings.wsKeyFile,
      compression: settings.wsCompression,
      pingIntervalMs: settings.pingIntervalMs,
      maxConnections: settings.maxSessions,
      sessions: this.#sessions,
      halfMessages: this.#halfMessages,
      groupList: () => groups.groups.map((name) => ({ name, members: groups.size(name) })),
      membersOf: (group) => groups.members(group),
      daemonName: settings.name,
      version,
      limits: { messageBytes: settings.messageBytes, groups: GROUPS_PER_MESSAGE },
      resumeMs: settings.resumeMs,
      handshakeTimeoutMs: settings.handshakeTimeoutMs,
      onBad: (reason) => this.#countBad('websocket', reason),
    });
  }

  #countBad(wire: string, reason: string): void {
    const name = `${wire} ${reason}`;
    this.#badInput.set(name, (this.#badInput.get(name) ?? 0) + 1);
    this.#log.debug({ wire, reason }, 'input was refused');
  }
}

/** What a daemon is made of, to look at. */
export interface DaemonParts {
  readonly groups: Groups;
  readonly engine: RingEngine;
  readonly durable: Durable;
  readonly sessions: Sessions;
  readonly halfMessages: HalfMessages;
  readonly spread: SpreadListener;
  readonly webSocket: WebSocketListener;
  /** How often input was refused, by wire and reason. */
  readonly badInput: ReadonlyMap<string, number>;
}

/**
 * The id of a daemon in the ring: 31 bits of its name's hash, so that nobody has to deal out numbers. It is part of the
 * names of views, which Spread's clients read as signed numbers of 32 bits.
 */
function idOf(name: string): number {
  return createHash('sha256').update(name).digest().readUInt32LE() >>> 1 || 1;
}

function readSecret(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new ServiceError('SETTING_INVALID', `secret_file can't be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

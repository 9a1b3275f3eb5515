import {
  type Admin,
  createAdmin,
  createLifecycle,
  createLogger,
  createMetrics,
  dumpSettings,
  type Lifecycle,
  type LoadedSettings,
  type Log,
  type Metrics,
  resolveSettings,
  ServiceError,
  type SettingChange,
  setLogLevel,
} from '@rookery/service';
import { createTurnClock, type LogEvent, nodeDisk, systemClock } from '@rookery/storage';
import packageJson from '../package.json' with { type: 'json' };
import { type Access, createAccess } from './access/access.ts';
import { type AuthFile, openAuthFile } from './access/auth-file.ts';
import { allRights } from './access/rights.ts';
import { exposureProblems } from './access/settings.ts';
import type { TlsFiles } from './access/tls.ts';
import { addMetrics } from './admin/metrics.ts';
import { QUEUES_PAGE } from './admin/page/page.ts';
import { addRoutes } from './admin/routes.ts';
import { Broker } from './broker/broker.ts';
import type { QueueConfiguration } from './broker/registry.ts';
import { type Arrivals, createArrivals } from './connection/arrivals.ts';
import type { Host, ServerCounters } from './connection/host.ts';
import { createInputs } from './connection/inputs.ts';
import { createTurns } from './connection/turns.ts';
import { dialects } from './dialect.ts';
import { createListeners, type Listeners } from './listeners.ts';
import { checkedSettings, type ServerSettings, settingsDefinition } from './settings.ts';
import { type LogStore, logDirectory, openLogStore } from './store/log-store.ts';
import { createClients } from './throttle/clients.ts';

export const version: string = packageJson.version;

type Loaded = LoadedSettings<typeof settingsDefinition.settings, typeof settingsDefinition.tables>;

export interface QueueServerOptions {
  /** What differs from the defaults; names as in `settings.ts`, values also as in the settings file. */
  readonly settings?: Partial<ServerSettings>;
  /** Settings loaded from flags, environment and file; instead of `settings`. `reload` works only with these. */
  readonly loaded?: Loaded;
  /** Default: one that says nothing. */
  readonly log?: Log;
}

/**
 * A queue server inside a program.
 *
 *     const server = new QueueServer({ settings: { port: 0, adminPort: 0, data: '/var/lib/jobs' } });
 *     await server.start();
 *     console.log(server.address); // { host: '127.0.0.1', port: 40123 }
 *     await server.stop();
 */
export class QueueServer {
  readonly settings: ServerSettings;
  /** Its parts in order; for a program of its own: `runProcess({ lifecycle: server.lifecycle, … })`. */
  readonly lifecycle: Lifecycle;
  readonly #log: Log;
  readonly #admin: Admin;
  readonly #metrics: Metrics;
  readonly #listeners: Listeners;
  readonly #counters: ServerCounters;
  #loaded: Loaded | undefined;
  #store: LogStore | undefined;
  #broker: Broker | undefined;
  #host: Host | undefined;
  #authFile: AuthFile | undefined;
  #access: Access | undefined;

  constructor(options: QueueServerOptions = {}) {
    const settings: ServerSettings = options.loaded?.values ?? checkedSettings(options.settings);
    const problems = exposureProblems(settings);
    if (problems.length > 0) throw new ServiceError('SETTING_INVALID', problems.join('; '), { problems });
    this.settings = settings;
    this.#loaded = options.loaded;
    this.#log = options.log ?? createLogger({ name: 'rookery-queue', level: 'silent' });
    this.#counters = {
      startedAt: systemClock.now(),
      connectionsMax: settings.maxConnections,
      currentConnections: 0,
      totalConnections: 0,
      bytesRead: 0,
      bytesWritten: 0,
      failedHandshakes: 0,
      throttled: 0,
    };
    this.#metrics = createMetrics({ app: 'queue', version, process: options.loaded !== undefined });
    this.#admin = createAdmin({
      log: this.#log,
      host: settings.adminHost,
      port: settings.adminPort,
      token: settings.adminToken,
      ...(settings.authFile === undefined
        ? {}
        : { authorize: (token: string) => this.#mayAdminister(token) }),
      allowedHosts: settings.adminAllowedHosts,
      metrics: this.#metrics,
    });
    this.#listeners = createListeners(
      {
        log: this.#log,
        host: settings.host,
        port: settings.port,
        socketPath: settings.socket,
        maxConnections: settings.maxConnections,
        tls: tlsFilesOf(settings),
      },
      () => this.#host!,
    );
    this.lifecycle = createLifecycle({ log: this.#log, deadlineMs: settings.stopTimeoutMs });
    // The admin server first, so that probes are answered while the log recovers and while clients are drained.
    this.lifecycle.add(this.#admin);
    this.lifecycle.add({
      name: 'store',
      starting: 'recovering',
      start: () => this.#open(),
      stop: () => this.#close(),
    });
    this.lifecycle.add(this.#listeners);
    this.#admin.page('/', QUEUES_PAGE);
    this.#admin.check('lifecycle', () => this.lifecycle.notReady());
    this.#admin.check('status', () => (this.#broker?.status === 'draining' ? 'draining' : undefined));
  }

  /** Where it listens; undefined before the start. */
  get address(): { readonly host: string; readonly port: number } | undefined {
    return this.#listeners.address;
  }

  get adminUrl(): string | undefined {
    return this.#admin.address?.url;
  }

  /** @throws ServiceError `START_FAILED` */
  start(): Promise<void> {
    return this.lifecycle.start();
  }

  /** Drains: answers what was asked, syncs, lets go of everything. Resolves to the exit code. */
  stop(): Promise<number> {
    return this.lifecycle.stop();
  }

  /**
   * Reads the settings, the file of users and the certificates again, and applies what can change while running; returns
   * the settings that differ.
   * @throws ServiceError for a file that is wrong
   */
  reload(): readonly SettingChange[] {
    // First what may be wrong: then nothing changes.
    const reloaded = this.#loaded?.reload();
    if (this.#host !== undefined) this.#listeners.reloadTls();
    this.#reloadUsers();
    if (reloaded === undefined) return [];
    const { settings, changes } = reloaded;
    this.#loaded = settings;
    this.#broker?.reconfigure(configurationOf(settings.values));
    this.#host?.clients.change(settings.values, systemClock.now());
    setLogLevel(this.#log, settings.values.logLevel);
    for (const change of changes)
      this.#log.info(
        { change },
        change.needsRestart ? 'setting changed, restart to apply' : 'setting changed',
      );
    return changes;
  }

  async #open(): Promise<void> {
    const { settings } = this;
    this.#openAccess();
    const maxPayloadBytes = settings.maxBodyBytes + 1024;
    const arrivals = createArrivals(createTurnClock());
    const { clock } = arrivals;
    const store = await openLogStore({
      disk: nodeDisk,
      clock,
      directory: logDirectory(settings.data),
      sync: settings.sync,
      segmentBytes: settings.segmentBytes,
      maxPayloadBytes,
      reserveBytes: settings.reserveBytes ?? 2 * maxPayloadBytes + 16 * 1024 * 1024,
      onEvent: (event) => this.#tell(event),
    });
    const broker = new Broker({
      store,
      clock,
      dialect: dialects[settings.dialect],
      limits: settings,
      configuration: configurationOf(settings),
      onBackgroundError: (error) =>
        this.#log.warn({ err: error }, 'background work failed, it is tried again'),
    });
    store.onCommit = () => this.#listeners.committed();
    store.onFailure = (error) => {
      this.#listeners.cutOff();
      this.lifecycle.fail(error);
    };
    this.#store = store;
    this.#broker = broker;
    this.#host = this.#makeHost(broker, arrivals);
    addMetrics(this.#metrics, this.#host, store.log);
    addRoutes(this.#admin, this.#host);
  }

  async #close(): Promise<void> {
    this.#authFile?.close();
    this.#broker?.close();
    await this.#store?.close();
  }

  #makeHost(broker: Broker, arrivals: Arrivals): Host {
    const { settings } = this;
    return {
      broker,
      version,
      access: this.#access,
      protocolLimits: { body: settings.maxBodyBytes },
      replyBytesMax: settings.replyBufferBytes,
      counters: this.#counters,
      clients: createClients(settings),
      turns: createTurns({ defer: (call) => systemClock.defer(call), now: () => performance.now() }),
      arrivals,
      inputs: createInputs(Math.max(settings.maxInputBytes, 2 * settings.maxBodyBytes)),
      awaitCommit: (connection) => this.#listeners.awaitCommit(connection),
      ended: (connection) => this.#listeners.ended(connection),
      onDefect: (error) => this.#log.error({ err: error }, 'a defect: the client is cut off'),
      reload: async () => {
        try {
          this.reload();
          return 'Reloaded config.';
        } catch (error) {
          this.#log.error({ err: error }, 'reload failed, the settings stay as they were');
          return `SERVER_ERROR ${(error as Error).message}`;
        }
      },
      configurationLines: () => this.#configurationLines(),
      shutdown: () => void this.lifecycle.stop(),
    };
  }

  /** @throws ServiceError `SETTING_INVALID` */
  #openAccess(): void {
    const { authFile, authTries, authTimeoutMs } = this.settings;
    if (authFile === undefined) return;
    const file = whole(() => openAuthFile(authFile));
    this.#authFile = file;
    this.#access = createAccess({
      file,
      log: this.#log.child({ part: 'access' }),
      triesMax: authTries,
      timeoutMs: authTimeoutMs,
      now: () => systemClock.now(),
    });
    file.watch(() => {
      try {
        this.#reloadUsers();
      } catch (error) {
        this.#log.error(
          { err: error },
          'the file of users has changed and is wrong, the users stay as they were',
        );
      }
    });
  }

  /** @throws ServiceError `SETTING_INVALID`, and then everybody stays as he was */
  #reloadUsers(): void {
    if (this.#authFile === undefined) return;
    const file = this.#authFile;
    whole(() => file.reload());
    this.#listeners.dismiss();
    this.#log.info({ tokens: file.users.all.length }, 'users read again');
  }

  /** The admin port shows and changes everything, so it is for who may do everything. */
  #mayAdminister(token: string): boolean {
    const rights = this.#access?.authenticateByToken(token)?.rights;
    return rights !== undefined && allRights.every((right) => rights.everywhere(right));
  }

  #configurationLines(): string[] {
    const resolved = this.#loaded ?? resolveSettings(settingsDefinition, {});
    return dumpSettings(resolved).map(({ key, shown, source }) => `${key}=${shown} (${source.name})`);
  }

  #tell(event: LogEvent): void {
    const log = this.#log.child({ part: 'log' });
    const { type, ...details } = event;
    switch (type) {
      case 'failed':
        // The lifecycle logs it.
        return;
      case 'damaged':
        log.error(details, 'damaged bytes set aside; every other message is unharmed');
        return;
      case 'full':
        log.error(details, 'the disk is full: puts are refused, reads and acknowledgements go on');
        return;
      case 'torn-tail':
        log.warn(
          details,
          'the end of the log was cut off in the middle of a write: unacknowledged bytes dropped',
        );
        return;
      case 'segment-sealed':
      case 'segment-removed':
        log.debug(details, type);
        return;
      default:
        log.info(details, type);
    }
  }
}

/** What is wrong with a file is a mistake in the settings. */
function whole<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new ServiceError('SETTING_INVALID', `auth_file ${(error as Error).message}`, { cause: error });
  }
}

function tlsFilesOf({ tlsCertificate, tlsKey, tlsClientCa }: ServerSettings): TlsFiles | undefined {
  if (tlsCertificate === undefined || tlsKey === undefined) return undefined;
  return { certificate: tlsCertificate, key: tlsKey, clientCa: tlsClientCa };
}

function configurationOf(settings: ServerSettings): QueueConfiguration {
  return { defaults: settings.queueDefaults, queues: settings.queues, aliases: settings.aliases };
}

import type { AddressInfo } from 'node:net';
import type { Server, TLSSocket } from 'node:tls';
import {
  type Admin,
  closeServer,
  createAdmin,
  createLifecycle,
  createLogger,
  createMetrics,
  type Deadline,
  type Lifecycle,
  type LoadedSettings,
  type Log,
  listenTcp,
  type Metrics,
  type SettingChange,
  setLogLevel,
  settingsOver,
} from '@rookery/service';
import packageJson from '../../package.json' with { type: 'json' };
import { HostError } from '../host/errors.ts';
import { createDoor, type Door } from './door.ts';
import { createIdentity } from './identity.ts';
import { readPrivateKey, readPublicKeys } from './keys.ts';
import { type AgentSession, refuse, startSession } from './session.ts';
import { type AgentSettings, agentSettings, checkComplete, rootsOf } from './settings.ts';

type Loaded = LoadedSettings<typeof agentSettings.settings, typeof agentSettings.tables>;

export interface AgentOptions {
  /** What differs from the defaults; names as in `settings.ts`. `key`, `coordinators`, `trust` and `roots` are needed. */
  readonly settings?: Partial<AgentSettings>;
}

/** Of an agent that is a process of its own. */
export interface ServedAgentOptions extends AgentOptions {
  /** Settings loaded from flags, environment and file; instead of `settings`. */
  readonly loaded?: Loaded;
  /** Default: one that says nothing. */
  readonly log?: Log;
}

/** A warm daemon on a host: coordinators whose keys it knows deploy through it, within its own settings. */
export interface Agent {
  /** As they hold now. */
  readonly settings: AgentSettings;
  /** Where it listens; undefined before the start. */
  readonly address: { readonly host: string; readonly port: number } | undefined;
  readonly adminUrl: string | undefined;
  /** For inventories (`agent_key`), in base64; undefined before the start. */
  readonly publicKey: string | undefined;
  /** @throws ServiceError `START_FAILED` */
  start(): Promise<void>;
  /**
   * Reads the settings and the files of public keys again, and applies what can change while it runs to whoever comes
   * next; coordinators that are no longer named are let go when their step is done. Resolves to the settings that differ.
   * @throws ServiceError for a file that is wrong: then nothing changes
   */
  reload(): Promise<readonly SettingChange[]>;
  /** Takes nobody in any more, and lets running steps end. Resolves to the exit code. */
  stop(): Promise<number>;
}

export interface ServedAgent extends Agent {
  /** Its parts in order. */
  readonly lifecycle: Lifecycle;
}

/** Of the time for a stop: what is left is for a step that was cancelled, and for hooks that don't obey at once. */
const PATIENCE = 0.8;

/**
 * An agent inside a program.
 *
 *     const agent = createAgent({
 *       settings: { key: 'agent.key', coordinators: ['ann.pub'], trust: ['release.pub'], roots: ['/srv/shop'] },
 *     });
 *     await agent.start();
 *     console.log(agent.address, agent.publicKey);
 *     await agent.stop();
 *
 * @throws ServiceError `SETTING_INVALID`
 */
export function createAgent(options: AgentOptions = {}): Agent {
  return createServedAgent(options);
}

/** The same, as a process of its own needs it. */
export function createServedAgent(options: ServedAgentOptions): ServedAgent {
  let loaded = options.loaded;
  let settings: AgentSettings = loaded?.values ?? settingsOver(agentSettings, options.settings);
  checkComplete(settings);
  const log = options.log ?? createLogger({ name: 'rookery-deploy-agent', level: 'silent' });
  let roots = rootsOf(settings);
  /** With the coordinator's key. */
  const sessions = new Map<AgentSession, string>();
  const counts = { started: 0, stranger: 0, busy: 0, noise: 0, refused: 0 };
  let door: Door | undefined;
  let publicKey: string | undefined;
  let trust: readonly string[] = [];
  let coordinators: ReadonlySet<string> = new Set();

  const admit = (socket: TLSSocket, coordinator: string): void => {
    const { remoteAddress: address } = socket;
    if (sessions.size >= settings.maxSessions) {
      counts.busy++;
      log.warn({ coordinator, address }, 'refused: as many sessions as max_sessions allows');
      const most = `This agent serves ${settings.maxSessions} connections already (max_sessions); try again`;
      refuse(socket, new HostError('busy', most));
      return;
    }
    let started = false;
    const session = startSession({
      socket,
      roots,
      trust,
      helloWithinMs: settings.handshakeTimeoutMs,
      onStarted({ settings: { root }, owner, deployment }, pid) {
        started = true;
        counts.started++;
        log.info({ coordinator, address, root, owner, deployment, pid }, 'session started');
      },
    });
    sessions.set(session, coordinator);
    void session.ended.then(({ reason }) => {
      sessions.delete(session);
      if (started) log.info({ coordinator, address, reason }, 'session ended');
      else {
        counts.refused++;
        log.warn({ coordinator, address, reason }, 'refused');
      }
    });
  };
  const turnAway = (socket: TLSSocket, coordinator: string | undefined): void => {
    counts.stranger++;
    log.warn({ coordinator, address: socket.remoteAddress }, 'refused: an unknown key');
    const who = coordinator === undefined ? 'who shows no Ed25519 key' : `the key ${coordinator}`;
    refuse(socket, new HostError('not-allowed', `This agent doesn’t obey ${who}: see its coordinators`));
  };
  const listen = async (): Promise<void> => {
    const identity = createIdentity(await readPrivateKey(settings.key ?? ''));
    publicKey = identity.publicKey.text;
    trust = await readPublicKeys(settings.trust);
    coordinators = new Set(await readPublicKeys(settings.coordinators));
    door = createDoor({
      identity,
      isCoordinator: (key) => coordinators.has(key),
      maxHandshakes: settings.maxHandshakes,
      handshakeTimeoutMs: settings.handshakeTimeoutMs,
      onCoordinator: admit,
      onStranger: turnAway,
      onNoise(error) {
        counts.noise++;
        log.debug({ reason: error.message }, 'refused: no handshake');
      },
    });
    const { host, port } = settings.listen;
    await listenTcp(door.server, 'coordinators', host, port);
  };
  const reload = async (): Promise<readonly SettingChange[]> => {
    // First what may be wrong: then nothing changes.
    const reloaded = loaded?.reload();
    const values = reloaded?.settings.values ?? settings;
    checkComplete(values);
    const trusted = await readPublicKeys(values.trust);
    const obeyed = new Set(await readPublicKeys(values.coordinators));
    loaded = reloaded?.settings;
    settings = values;
    roots = rootsOf(values);
    trust = trusted;
    coordinators = obeyed;
    setLogLevel(log, values.logLevel);
    for (const [session, coordinator] of sessions) if (!obeyed.has(coordinator)) session.end();
    const changes = reloaded?.changes ?? [];
    for (const change of changes)
      log.info({ change }, change.needsRestart ? 'setting changed, restart to apply' : 'setting changed');
    log.info({ coordinators: obeyed.size, trust: trusted.length, roots: [...roots.keys()] }, 'reloaded');
    return changes;
  };
  const drain = async (deadline: Deadline): Promise<void> => {
    const closed = door === undefined ? undefined : closeServer(door.server);
    // Whoever is still at the door would come in after the others were sent out.
    door?.hangUp();
    const all = [...sessions.keys()];
    for (const session of all) session.end();
    const cancel = setTimeout(() => {
      for (const session of all) session.signal('SIGTERM');
    }, deadline.remainingMs() * PATIENCE);
    const kill = (): void => {
      for (const session of all) session.signal('SIGKILL');
    };
    deadline.signal.addEventListener('abort', kill, { once: true });
    await Promise.all(all.map(({ ended }) => ended));
    clearTimeout(cancel);
    deadline.signal.removeEventListener('abort', kill);
    await closed;
  };

  const metrics = createMetrics({
    app: 'deploy',
    version: packageJson.version,
    process: options.loaded !== undefined,
  });
  addMetrics(
    metrics,
    counts,
    () => sessions.size,
    () => door?.handshakes ?? 0,
  );
  const admin: Admin = createAdmin({
    log,
    host: settings.adminHost,
    port: settings.adminPort,
    token: settings.adminToken,
    allowedHosts: settings.adminAllowedHosts,
    metrics,
  });
  const lifecycle = createLifecycle({ log, deadlineMs: settings.stopTimeoutMs });
  lifecycle.add(admin);
  lifecycle.add({ name: 'agent', start: listen, stop: drain });
  admin.check('lifecycle', () => lifecycle.notReady());
  return {
    get settings() {
      return settings;
    },
    lifecycle,
    get address() {
      return addressOf(door?.server);
    },
    get adminUrl() {
      return admin.address?.url;
    },
    get publicKey() {
      return publicKey;
    },
    start: () => lifecycle.start(),
    reload,
    stop: () => lifecycle.stop(),
  };
}

function addressOf(server: Server | undefined): { readonly host: string; readonly port: number } | undefined {
  const bound = server?.address() as AddressInfo | null | undefined;
  return bound == null ? undefined : { host: bound.address, port: bound.port };
}

function addMetrics(
  metrics: Metrics,
  counts: Readonly<Record<'started' | 'stranger' | 'busy' | 'noise' | 'refused', number>>,
  sessions: () => number,
  handshakes: () => number,
): void {
  metrics.registerCounter({
    name: 'agent_connections_total',
    help: 'Connections by what became of them.',
    value: () => Object.entries(counts).map(([result, value]) => ({ labels: { result }, value })),
  });
  metrics.registerGauge({
    name: 'agent_sessions',
    help: 'Coordinators that are served.',
    value: sessions,
  });
  metrics.registerGauge({
    name: 'agent_handshakes',
    help: 'Connections that have not proved that they are known.',
    value: handshakes,
  });
}

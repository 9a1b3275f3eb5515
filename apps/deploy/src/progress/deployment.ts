import type { PushEvent } from '../push/events.ts';
import type { HostState } from '../rollout/types.ts';
import { HAS_IT } from './states.ts';

type Of<E extends PushEvent['event']> = Extract<PushEvent, { readonly event: E }>;

export interface HostFailure {
  readonly step: string;
  readonly code: string;
  readonly message: string;
  /** The end of what a hook or a check has written. */
  readonly output: string | undefined;
}

/** Where a host stands. Times are those of the `now` that events came with, in milliseconds. */
export interface HostProgress {
  readonly name: string;
  /** In the order of the inventory. */
  readonly index: number;
  readonly state: HostState;
  /** When it came into this state. */
  readonly since: number;
  /** The number of its wave, from 1; undefined until it is switched. */
  readonly wave: number | undefined;
  /** Of the payload. */
  readonly doneBytes: number;
  readonly totalBytes: number;
  readonly peers: number;
  /** What it does within its state: `hook published`, `verifying`. */
  readonly doing: string | undefined;
  readonly failure: HostFailure | undefined;
}

export interface WaveProgress {
  readonly number: number;
  /** Hosts that it adds. */
  readonly hosts: number;
  readonly state: 'waiting' | 'started' | 'healthy' | 'failed';
}

/** A push as its events tell it, for whoever watches: the terminal, the page, the record. */
export interface Deployment {
  handle(event: PushEvent, now: number): void;
  /** Undefined before the first event. */
  readonly push: Of<'push'> | undefined;
  readonly beganAt: number;
  readonly hosts: readonly HostProgress[];
  readonly waves: readonly WaveProgress[];
  readonly swarm: Omit<Of<'swarm'>, 'event'> | undefined;
  readonly warnings: readonly { readonly host: string; readonly message: string }[];
  readonly stopping: Of<'stopping'> | undefined;
  readonly done: Of<'done'> | undefined;
  /** Bytes a second, lately. */
  rateOf(host: HostProgress, now: number): number;
  /** Bytes a second, lately, of all hosts together. */
  rate(now: number): number;
}

interface MutableHost extends HostProgress {
  state: HostState;
  since: number;
  wave: number | undefined;
  doneBytes: number;
  totalBytes: number;
  peers: number;
  doing: string | undefined;
  failure: HostFailure | undefined;
  rate: number;
  /** Of the last progress. */
  heardAt: number | undefined;
}

/** A host that hasn't told of a byte for so long gets none. */
const RATE_OLD_MS = 2_000;
/** Rates over less time jump. */
const RATE_MIN_MS = 100;
/** The weight of the newest measure. */
const RATE_NEW = 0.4;
/** The newest; all of them are in the events. */
const WARNINGS_MAX = 100;

export function createDeployment(): Deployment {
  let push: Of<'push'> | undefined;
  let beganAt = 0;
  let swarm: Deployment['swarm'];
  let stopping: Of<'stopping'> | undefined;
  let done: Of<'done'> | undefined;
  const hosts: MutableHost[] = [];
  const byName = new Map<string, MutableHost>();
  const waves: { number: number; hosts: number; state: WaveProgress['state'] }[] = [];
  const warnings: { readonly host: string; readonly message: string }[] = [];

  const begin = (event: Of<'push'>, now: number): void => {
    push = event;
    beganAt = now;
    for (const { host: name } of event.hosts) {
      const host: MutableHost = {
        name,
        index: hosts.length,
        state: 'waiting',
        since: now,
        wave: undefined,
        doneBytes: 0,
        totalBytes: event.payload_bytes,
        peers: 0,
        doing: undefined,
        failure: undefined,
        rate: 0,
        heardAt: undefined,
      };
      hosts.push(host);
      byName.set(name, host);
    }
    for (const [index, limit] of event.waves.entries()) {
      waves.push({ number: index + 1, hosts: limit - (event.waves[index - 1] ?? 0), state: 'waiting' });
    }
  };

  const changeState = (host: MutableHost, event: Of<'host'>, now: number): void => {
    if (host.state !== event.state) host.since = now;
    host.state = event.state;
    host.doing = undefined;
    host.peers = event.state === 'fetching' ? host.peers : 0;
    if (event.wave !== undefined) host.wave = event.wave;
    if (HAS_IT.has(event.state)) host.doneBytes = host.totalBytes;
    const { step, code, message, output } = event;
    if (code !== undefined) host.failure = { step: step ?? '', code, message: message ?? '', output };
  };

  const progress = (host: MutableHost, event: Of<'progress'>, now: number): void => {
    host.peers = event.peers;
    host.doing = event.phase === 'fetching' ? undefined : event.phase;
    if (event.phase === 'verifying') {
      // Its bytes are the tree's; the payload is here.
      host.doneBytes = host.totalBytes;
      host.rate = 0;
      return;
    }
    const ms = now - (host.heardAt ?? host.since);
    if (ms < RATE_MIN_MS && host.heardAt !== undefined) {
      if (event.done_bytes < event.total_bytes) return;
    } else if (event.phase === 'fetching') {
      const rate = (Math.max(0, event.done_bytes - host.doneBytes) * 1000) / Math.max(RATE_MIN_MS, ms);
      host.rate = host.rate === 0 ? rate : RATE_NEW * rate + (1 - RATE_NEW) * host.rate;
    }
    host.heardAt = now;
    host.doneBytes = event.done_bytes;
    host.totalBytes = event.total_bytes;
  };

  const rateOf = (host: MutableHost, now: number): number =>
    host.state !== 'fetching' || host.heardAt === undefined || now - host.heardAt > RATE_OLD_MS
      ? 0
      : host.rate;

  return {
    handle(event, now) {
      if (event.event === 'push') {
        if (push === undefined) begin(event, now);
        return;
      }
      const host = 'host' in event ? byName.get(event.host) : undefined;
      if (event.event === 'host' && host !== undefined) changeState(host, event, now);
      else if (event.event === 'progress' && host !== undefined) progress(host, event, now);
      else if (event.event === 'hook' && host !== undefined) {
        host.doing = event.state === 'started' ? `hook ${event.hook}` : undefined;
      } else if (event.event === 'check' && host !== undefined) {
        host.doing = event.ok ? undefined : `try ${event.attempt}: ${event.detail}`;
      } else if (event.event === 'wave') {
        const wave = waves[event.wave - 1];
        if (wave !== undefined) wave.state = event.state;
      } else if (event.event === 'swarm') {
        const { event: _, ...figures } = event;
        swarm = figures;
      } else if (event.event === 'warning') {
        warnings.push({ host: event.host, message: event.message });
        if (warnings.length > WARNINGS_MAX) warnings.shift();
      } else if (event.event === 'stopping') {
        stopping = event;
        // A wave in which too many have failed is not judged any more.
        if (event.reason !== 'cancelled') {
          for (const wave of waves) if (wave.state === 'started') wave.state = 'failed';
        }
      }
      if (event.event === 'done') done = event;
    },
    get push() {
      return push;
    },
    get beganAt() {
      return beganAt;
    },
    hosts,
    waves,
    get swarm() {
      return swarm;
    },
    warnings,
    get stopping() {
      return stopping;
    },
    get done() {
      return done;
    },
    rateOf: (host, now) => rateOf(hosts[host.index]!, now),
    rate: (now) => hosts.reduce((sum, host) => sum + rateOf(host, now), 0),
  };
}

import type { PushEvent } from '../push/events.ts';
import type { HostState } from '../rollout/types.ts';
import { type DeploymentRecord, type HostRecord, keptMessage, type Note, newHostRecord } from './record.ts';

/** Follows a push, and says what of it is to be kept. Pure. */
export interface Recorder {
  /** Returns a note when something has happened that must not be lost: the begin, each wave, the end. */
  handle(event: PushEvent, now: number): Note | undefined;
  /** What has changed since the last note; undefined if nothing has. */
  changes(): Note | undefined;
}

export interface RecorderOptions {
  readonly folder: string;
  readonly process: DeploymentRecord['process'];
  /** RFC 3339. */
  readonly time: () => string;
}

interface Entry {
  record: HostRecord;
  switchAt: number | undefined;
}

const JUDGED: ReadonlySet<HostState> = new Set<HostState>(['healthy', 'reverting', 'stuck']);

export function createRecorder({ folder, process, time }: RecorderOptions): Recorder {
  let deployment: DeploymentRecord | undefined;
  const hosts = new Map<string, Entry>();
  const changed = new Set<string>();

  const note = (): Note | undefined => {
    if (deployment === undefined) return undefined;
    const records = [...changed].map((host) => hosts.get(host)!.record);
    changed.clear();
    return { deployment, hosts: records };
  };
  const begin = (event: Extract<PushEvent, { event: 'push' }>): void => {
    deployment = {
      id: event.deployment,
      kind: 'push',
      by: event.by,
      folder,
      began_at: event.time,
      ended_at: null,
      seconds: null,
      outcome: null,
      app: event.app,
      version: event.version,
      release_id: event.release_id,
      name: event.name,
      commit: event.commit,
      hosts: event.hosts.length,
      waves: event.waves,
      max_failures: event.max_failures,
      payload_bytes: event.payload_bytes,
      counts: null,
      process,
    };
    for (const { host } of event.hosts) {
      hosts.set(host, { record: newHostRecord(host), switchAt: undefined });
      changed.add(host);
    }
  };
  const changeState = (event: Extract<PushEvent, { event: 'host' }>, now: number): void => {
    const entry = hosts.get(event.host);
    if (entry === undefined) return;
    const { state, wave, step, code, message } = event;
    if (state === 'switching') entry.switchAt = now;
    const { switchAt, record } = entry;
    const since = (at: number): number => Math.round(now - at) / 1000;
    entry.record = {
      ...record,
      state,
      ...(wave === undefined ? {} : { wave }),
      ...(code === undefined ? {} : { step: step ?? null, code, message: keptMessage(message) }),
      ...(JUDGED.has(state) && switchAt !== undefined && record.switch_seconds === null
        ? { switch_seconds: since(switchAt) }
        : {}),
    };
    changed.add(event.host);
  };
  const fetched = (event: Extract<PushEvent, { event: 'fetched' }>): void => {
    const entry = hosts.get(event.host);
    if (entry === undefined) return;
    const { fetched_bytes, reused_bytes, seconds } = event;
    entry.record = { ...entry.record, fetched_bytes, reused_bytes, fetch_seconds: seconds };
    changed.add(event.host);
  };

  return {
    handle(event, now) {
      if (event.event === 'push') {
        begin(event);
        return note();
      }
      if (event.event === 'host') changeState(event, now);
      else if (event.event === 'fetched') fetched(event);
      else if (event.event === 'wave') return note();
      else if (event.event === 'done' && deployment !== undefined) {
        const { outcome, seconds, counts } = event;
        deployment = { ...deployment, outcome, seconds, counts, ended_at: time() };
        for (const { host, state, wave, code, message } of event.hosts) {
          const entry = hosts.get(host);
          if (entry === undefined) continue;
          entry.record = {
            ...entry.record,
            state,
            wave,
            code,
            message: keptMessage(message),
          };
          changed.add(host);
        }
        return note();
      }
      return undefined;
    },
    changes: () => (changed.size === 0 ? undefined : note()),
  };
}

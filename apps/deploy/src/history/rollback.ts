import type { HostError } from '../host/errors.ts';
import type { HostState, Outcome } from '../rollout/types.ts';
import { type DeploymentRecord, type HostRecord, keptMessage, type Note, newHostRecord } from './record.ts';

/** A rollback, as it is begun. */
export interface RollbackBegun
  extends Pick<DeploymentRecord, 'id' | 'by' | 'folder' | 'process' | 'began_at'> {
  readonly hosts: readonly string[];
  /** What is gone back to. Of a folder that somebody else has made, only its name is known. */
  readonly target: {
    readonly name: string;
    readonly id: string | null;
    readonly app: string | null;
    readonly version: string | null;
  };
}

/** What became of it on a host. */
export interface WentBackOn {
  readonly host: string;
  /** How far it came. */
  readonly step: 'rollback' | 'check';
  /** Undefined when it went well. */
  readonly error?: HostError;
}

/** What is kept of a rollback when it begins. */
export function rollbackBegun({ hosts, target, ...facts }: RollbackBegun): Note {
  const { name, id, app, version } = target;
  return {
    deployment: {
      ...facts,
      kind: 'rollback',
      ended_at: null,
      seconds: null,
      outcome: null,
      app: app ?? '',
      version: version ?? name,
      release_id: id,
      name,
      commit: null,
      hosts: hosts.length,
      waves: [hosts.length],
      max_failures: null,
      payload_bytes: 0,
      counts: null,
    },
    hosts: hosts.map(newHostRecord),
  };
}

/** And when it has ended. */
export function rollbackEnded(
  { deployment }: Note,
  hosts: readonly WentBackOn[],
  end: { readonly at: string; readonly seconds: number; readonly cancelled: boolean },
): Note {
  const records = hosts.map(({ host, step, error }): HostRecord => {
    const record = { ...newHostRecord(host), wave: 1 };
    if (error === undefined) return { ...record, state: 'done' };
    const { code, message } = error;
    return { ...record, state: stateAfter(step, error), step, code, message: keptMessage(message) };
  });
  const counts: Record<string, number> = {};
  for (const { state } of records) counts[state] = (counts[state] ?? 0) + 1;
  const outcome = end.cancelled ? 'cancelled' : outcomeOf(counts.done ?? 0, records.length);
  return {
    deployment: { ...deployment, ended_at: end.at, seconds: end.seconds, outcome, counts },
    hosts: records,
  };
}

/** One that went back and isn't well is not one that stayed; of one that fell silent nobody knows which it is. */
function stateAfter(step: WentBackOn['step'], { code }: HostError): HostState {
  if (step === 'check') return 'checking';
  return code === 'vanished' || code === 'time-limit' ? 'stuck' : 'failed';
}

function outcomeOf(done: number, all: number): Outcome {
  if (done === all) return 'deployed';
  return done === 0 ? 'failed' : 'partial';
}

import type { HostState, Outcome } from '../rollout/types.ts';

// What is kept of a deployment. Field names are those of `history --json`; fields may be added, none changes.

export interface DeploymentRecord {
  readonly id: string;
  readonly kind: 'push' | 'rollback';
  /** Who: `ann@laptop`. */
  readonly by: string;
  /** From where: the folder on that machine. */
  readonly folder: string;
  /** RFC 3339. */
  readonly began_at: string;
  /** Null while it runs, and for ever when its process was killed. */
  readonly ended_at: string | null;
  readonly seconds: number | null;
  readonly outcome: Outcome | null;
  readonly app: string;
  readonly version: string;
  readonly release_id: string | null;
  /** Of the folder on the hosts. */
  readonly name: string;
  readonly commit: string | null;
  readonly hosts: number;
  readonly waves: readonly number[];
  readonly max_failures: string | null;
  readonly payload_bytes: number;
  /** Hosts in each state, in the end. */
  readonly counts: Readonly<Record<string, number>> | null;
  /** Which process it is, so that one that runs is told from one that was killed. */
  readonly process: { readonly pid: number; readonly startedAt: string | null; readonly bootId: string };
}

/** How a host stood when it was last written down. */
export interface HostRecord {
  readonly host: string;
  readonly state: HostState;
  readonly wave: number | null;
  readonly step: string | null;
  readonly code: string | null;
  readonly message: string | null;
  /** Of the payload: what came from others, and what was there in older releases. */
  readonly fetched_bytes: number;
  readonly reused_bytes: number;
  /** Of its fetch, as the host says; and from its switch's begin until it was judged. */
  readonly fetch_seconds: number | null;
  readonly switch_seconds: number | null;
}

/** Of a host of which nothing is known yet. */
export function newHostRecord(host: string): HostRecord {
  return {
    host,
    state: 'waiting',
    wave: null,
    step: null,
    code: null,
    message: null,
    fetched_bytes: 0,
    reused_bytes: 0,
    fetch_seconds: null,
    switch_seconds: null,
  };
}

/** What is to be written down now: all of the deployment's record, and the hosts that have changed. */
export interface Note {
  readonly deployment: DeploymentRecord;
  readonly hosts: readonly HostRecord[];
}

/** The reason is at its begin. */
const MESSAGE_CHARACTERS_MAX = 500;

/** As much of it as is kept. */
export function keptMessage(message: string | null | undefined): string | null {
  return message?.slice(0, MESSAGE_CHARACTERS_MAX) ?? null;
}

import type { FailureCode } from '../host/errors.ts';
import type { HostStatus } from '../host/status.ts';

/** What the rollout has done on a host. `fetch` has the release file sent first, where it isn't. */
export type RolloutStep = 'prepare' | 'fetch' | 'switch' | 'check' | 'finish' | 'undo' | 'leave';

export type HostState =
  | 'waiting'
  | 'preparing'
  | 'fetching'
  /** The release is there. */
  | 'fetched'
  | 'switching'
  | 'checking'
  /** Runs the release, and works. */
  | 'healthy'
  | 'finishing'
  /** Runs the release, and it is kept. */
  | 'done'
  /** Runs what it ran before. */
  | 'failed'
  | 'reverting'
  /** Runs again what it ran before. */
  | 'reverted'
  /** May run the one or the other: it could not be put back. */
  | 'stuck';

/** What happened. */
export type RolloutEvent =
  | { readonly type: 'start' }
  | { readonly type: 'done'; readonly host: string; readonly step: RolloutStep; readonly status?: HostStatus }
  | {
      readonly type: 'failed';
      readonly host: string;
      readonly step: RolloutStep;
      readonly code: FailureCode;
      readonly message: string;
      readonly output?: string | undefined;
    }
  | { readonly type: 'tick' }
  | { readonly type: 'cancel' };

/** What is to be done about it. */
export type RolloutCommand =
  /** One at a time for a host. It ends in `done` or `failed`, unless it is aborted. */
  | {
      readonly type: 'run';
      readonly host: string;
      readonly step: RolloutStep;
      /** Of `leave`: why. */
      readonly failure?: Failure;
    }
  /** Cancel the step, and have it over before the next one is run; nothing is to be said of it any more. */
  | { readonly type: 'abort'; readonly host: string; readonly step: RolloutStep }
  | { readonly type: 'tell'; readonly what: Told }
  | { readonly type: 'end'; readonly outcome: Outcome };

export type Told =
  | {
      readonly event: 'host';
      readonly host: string;
      readonly state: HostState;
      readonly wave?: number;
      readonly failure?: Failure;
    }
  | {
      readonly event: 'wave';
      readonly wave: number;
      readonly state: 'started' | 'healthy' | 'failed';
      readonly hosts: readonly string[];
    }
  | { readonly event: 'warning'; readonly host: string; readonly message: string }
  | { readonly event: 'stopping'; readonly reason: StopReason; readonly message: string };

export interface Failure {
  readonly step: RolloutStep;
  readonly code: FailureCode;
  readonly message: string;
  readonly output?: string;
}

export type StopReason = 'max-failures' | 'wave-failed' | 'locked' | 'cancelled';

export type Outcome =
  /** All hosts run it. */
  | 'deployed'
  /** All but those that were allowed to fail. */
  | 'partial'
  /** None that this push has switched runs it. */
  | 'failed'
  /** Some host may run the one or the other. */
  | 'stuck'
  | 'cancelled';

export interface HostView {
  readonly name: string;
  readonly state: HostState;
  readonly failure: Failure | undefined;
  /** The number of its wave, from 1. */
  readonly wave: number | undefined;
}

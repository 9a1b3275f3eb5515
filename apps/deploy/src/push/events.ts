import type { FailureCode } from '../host/errors.ts';
import type { HookName } from '../host/settings.ts';
import type { HostState, Outcome, StopReason } from '../rollout/types.ts';

/** What a push tells: one JSON object each. Times are RFC 3339, durations milliseconds unless they say otherwise. */
export type PushEvent =
  | {
      readonly event: 'push';
      readonly deployment: string;
      readonly by: string;
      readonly app: string;
      readonly version: string;
      readonly release_id: string;
      /** Of its folder on the hosts. */
      readonly name: string;
      readonly commit: string | null;
      readonly hosts: readonly {
        readonly host: string;
        readonly transport: string;
        readonly address: string;
        readonly rack: string | null;
        readonly groups: readonly string[];
        readonly tags: readonly string[];
      }[];
      readonly waves: readonly number[];
      readonly max_failures: string;
      readonly tree_bytes: number;
      readonly payload_bytes: number;
      readonly time: string;
    }
  | {
      readonly event: 'host';
      readonly host: string;
      readonly state: HostState;
      readonly wave?: number;
      readonly step?: string;
      readonly code?: FailureCode;
      readonly message?: string;
      readonly output?: string;
    }
  | {
      readonly event: 'progress';
      readonly host: string;
      readonly phase: string;
      readonly done_bytes: number;
      readonly total_bytes: number;
      readonly peers: number;
    }
  /** The release is on the host; what it took. */
  | {
      readonly event: 'fetched';
      readonly host: string;
      /** Of the payload: from others, `http_bytes` of them by HTTP, and from older releases. */
      readonly fetched_bytes: number;
      readonly http_bytes: number;
      readonly reused_bytes: number;
      /** How many sent something. */
      readonly peers: number;
      readonly seconds: number;
    }
  | {
      readonly event: 'hook';
      readonly host: string;
      readonly hook: HookName;
      readonly state: 'started' | 'done' | 'failed';
      readonly ms?: number;
      readonly code?: FailureCode;
      readonly output?: string;
    }
  | {
      readonly event: 'check';
      readonly host: string;
      readonly attempt: number;
      readonly ok: boolean;
      readonly detail: string;
    }
  | {
      readonly event: 'wave';
      readonly wave: number;
      readonly waves: number;
      readonly state: 'started' | 'healthy' | 'failed';
      readonly hosts: readonly string[];
    }
  | {
      readonly event: 'swarm';
      readonly peers: number;
      readonly complete: number;
      readonly origin_sent_bytes: number;
    }
  | { readonly event: 'warning'; readonly host: string; readonly message: string }
  | { readonly event: 'stopping'; readonly reason: StopReason; readonly message: string }
  | {
      readonly event: 'done';
      readonly outcome: Outcome;
      readonly seconds: number;
      readonly counts: Readonly<Record<string, number>>;
      readonly hosts: readonly PushedHost[];
    };

/** How a host stands in the end. */
export interface PushedHost {
  readonly host: string;
  readonly state: HostState;
  readonly wave: number | null;
  readonly code: FailureCode | null;
  readonly message: string | null;
}

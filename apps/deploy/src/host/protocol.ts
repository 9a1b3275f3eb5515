import type { FailureCode } from './errors.ts';
import type { LockHolder } from './lock.ts';
import type { HookName, HostSettings } from './settings.ts';
import type { HostStatus } from './status.ts';

// What a coordinator and a host's side say to each other: NDJSON, both ways. Both are the same program.

export const PROTOCOL = 1;
/** A piece of a release file in base64, or a host's settings. */
export const LINE_BYTES_MAX: number = 2 ** 20;
/** Of the release file, before base64. */
export const RECEIVE_BYTES: number = 256 * 1024;
export const PING_EVERY_MS = 10_000;
/** Six pings: a coordinator whose machine sleeps, or is cut off, is gone. */
export const LEASE_MS = 60_000;

const KILL = { kill: 1 } as const;
/** What a transport says to end the host's side at once, where no signal of its reaches it. */
export const KILL_LINE: string = JSON.stringify(KILL);

export interface Hello {
  readonly hello: typeof PROTOCOL;
  readonly deployment: string;
  /** Who deploys: `ann@laptop`. */
  readonly owner: string;
  /** The host's name in the inventory. */
  readonly host: string;
  readonly settings: HostSettings;
  /** Public keys, base64. */
  readonly trust: readonly string[];
  readonly leaseMs: number;
}

export interface Ready {
  readonly ready: typeof PROTOCOL;
  readonly version: string;
  readonly pid: number;
  readonly hostname: string;
  /** The coordinator's address as this host sees it. */
  readonly coordinatorAddress: string | null;
}

/** The release that a step is about. */
export interface ReleaseRef {
  /** Of its folder. */
  readonly name: string;
  readonly id: string;
  readonly app: string;
  readonly version: string;
  readonly commit?: string;
  /** Of the release file. */
  readonly bytes: number;
}

/** Each step's request, without its name, and result. */
export interface Steps {
  status: { readonly request: object; readonly result: HostStatus };
  prepare: {
    readonly request: { readonly release: ReleaseRef };
    readonly result: { readonly status: HostStatus; readonly hasReleaseFile: boolean };
  };
  receive: {
    readonly request: {
      readonly release: ReleaseRef;
      readonly offset: number;
      readonly data: string;
      readonly last: boolean;
    };
    readonly result: object;
  };
  fetch: {
    readonly request: {
      readonly release: ReleaseRef;
      readonly trackers: readonly string[];
      readonly stallMs: number;
      readonly rack?: string;
    };
    readonly result: FetchResult;
  };
  switch: {
    readonly request: { readonly release: ReleaseRef };
    readonly result: {
      readonly from: string | null;
      readonly resumed: boolean;
      readonly warnings: readonly string[];
    };
  };
  check: {
    readonly request: { readonly release: ReleaseRef };
    readonly result: { readonly attempts: number; readonly milliseconds: number };
  };
  finish: {
    readonly request: { readonly release: ReleaseRef };
    readonly result: { readonly removed: readonly string[]; readonly warnings: readonly string[] };
  };
  undo: { readonly request: { readonly release: ReleaseRef }; readonly result: WentBack };
  rollback: { readonly request: { readonly to?: string }; readonly result: WentBack };
  leave: {
    readonly request: { readonly failed?: { readonly code: string; readonly message: string } };
    readonly result: object;
  };
  cleanup: {
    readonly request: { readonly keep?: number };
    readonly result: { readonly removed: readonly string[] };
  };
  unlock: { readonly request: object; readonly result: { readonly ended: LockHolder | null } };
}

export interface FetchResult {
  readonly fetchedBytes: number;
  readonly reusedBytes: number;
  readonly httpBytes: number;
  readonly peers: number;
  readonly seconds: number;
  /** It was there already, whole. */
  readonly present: boolean;
}

export interface WentBack {
  /** What `current` led to before, and leads to now. */
  readonly from: string | null;
  readonly to: string | null;
  readonly changed: boolean;
  readonly warnings: readonly string[];
}

export type StepName = keyof Steps;
export type StepRequest<S extends StepName = StepName> = {
  [K in S]: { readonly step: K } & Steps[K]['request'];
}[S];
export type StepResult<S extends StepName> = Steps[S]['result'];

export type StepEvent =
  | {
      readonly event: 'hook';
      readonly hook: HookName;
      readonly state: 'started' | 'done' | 'failed';
      readonly ms?: number;
      /** Of `failed`. */
      readonly code?: FailureCode;
      readonly output?: string;
    }
  | {
      readonly event: 'progress';
      readonly phase: 'reusing' | 'fetching' | 'verifying';
      readonly doneBytes: number;
      readonly totalBytes: number;
      readonly peers: number;
    }
  | {
      readonly event: 'check';
      readonly attempt: number;
      readonly ok: boolean;
      readonly detail: string;
    };

export type ToHost =
  | Hello
  | ({ readonly id: number } & StepRequest)
  | { readonly cancel: number }
  | { readonly ping: number }
  | typeof KILL;

export type FromHost =
  | Ready
  | { readonly id: number; readonly event: StepEvent }
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly failed: StepFailure }
  | { readonly pong: number };

export interface StepFailure {
  readonly code: FailureCode;
  readonly message: string;
  readonly output?: string;
}

/** Capistrano's hooks, without its `deploy:`, in the order in which they come. */
export const HOOK_NAMES = [
  'starting',
  'started',
  'updating',
  'updated',
  'publishing',
  'published',
  'finishing',
  'finished',
  'reverting',
  'reverted',
  'failed',
] as const;

export type HookName = (typeof HOOK_NAMES)[number];

export interface Hook {
  /** For `sh -c`. */
  readonly command: string;
  readonly timeoutMs: number;
}

/** How to find out whether a release works. One of `http`, `tcp` and `command` is given. */
export interface HealthCheck {
  /** A URL that must answer 2xx. */
  readonly http?: string;
  /** What the answer must contain; `{version}` and `{release}` stand for the release's. */
  readonly contains?: string;
  /** `HOST:PORT` that must accept a connection. */
  readonly tcp?: string;
  /** For `sh -c`; must exit with 0. */
  readonly command?: string;
  /** Between two tries. */
  readonly intervalMs: number;
  /** Of one try. */
  readonly timeoutMs: number;
  /** Successes in a row that make it healthy. */
  readonly passes: number;
  /** Not healthy within so long is failed. */
  readonly withinMs: number;
}

/** What a host's side must know of its host. */
export interface HostSettings {
  /** Absolute. */
  readonly root: string;
  /** Releases that cleanup leaves, besides those that must stay. */
  readonly keep: number;
  /** Below `shared/`, and at the same path in the release. */
  readonly linkedFiles: readonly string[];
  readonly linkedFolders: readonly string[];
  readonly hooks: { readonly [K in HookName]?: Hook };
  readonly check?: HealthCheck;
}

/** Long enough for a service to restart. */
export const HOOK_TIMEOUT_MS = 60_000;
/** Capistrano's. */
export const KEEP = 5;
export const CHECK_DEFAULTS: Pick<HealthCheck, 'intervalMs' | 'timeoutMs' | 'passes' | 'withinMs'> = {
  intervalMs: 1_000,
  timeoutMs: 5_000,
  passes: 1,
  withinMs: 60_000,
};

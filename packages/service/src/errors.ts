/** Why a service could not do what it was told. The set is closed: a new cause gets a new code here. */
export type ServiceErrorCode =
  /** The command line is wrong: an unknown flag, a missing argument. */
  | 'USAGE'
  /** A setting's value is not allowed, or a key of the file is not known. */
  | 'SETTING_INVALID'
  /** The settings file can't be read, is too large or is not TOML. */
  | 'SETTINGS_FILE'
  /** A setting or table is declared wrongly: a mistake in the app's own code. */
  | 'DECLARATION_INVALID'
  /** A metric is declared twice, or its name breaks the naming rules: a mistake in the app's own code. */
  | 'METRIC_INVALID'
  /** An admin route is declared twice or its pattern is malformed: a mistake in the app's own code. */
  | 'ROUTE_INVALID'
  /** An address can't be listened on. */
  | 'LISTEN_FAILED'
  /** The admin server would be open to the network without a token. */
  | 'ADMIN_UNPROTECTED'
  /** A part of the server did not start. */
  | 'START_FAILED'
  /** The server was told to stop before it had started. */
  | 'START_ABORTED';

const USAGE_CODES: ReadonlySet<ServiceErrorCode> = new Set([
  'USAGE',
  'SETTING_INVALID',
  'SETTINGS_FILE',
  'ADMIN_UNPROTECTED',
]);

/**
 * The only class of error this package throws on purpose. The message is one line and says what to do;
 * `code` is stable and may be relied on.
 */
export class ServiceError extends Error {
  override readonly name = 'ServiceError';
  readonly code: ServiceErrorCode;
  /** Each thing that is wrong, when there is more than one (settings are checked all at once). */
  readonly problems: readonly string[];

  constructor(
    code: ServiceErrorCode,
    message: string,
    options: { cause?: unknown; problems?: readonly string[] } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.problems = options.problems ?? [message];
  }

  /** What a command should exit with: 2 when the user must call it differently, else 1. */
  get exitCode(): 1 | 2 {
    if (this.code === 'START_FAILED' && this.cause instanceof ServiceError) return this.cause.exitCode;
    return USAGE_CODES.has(this.code) ? 2 : 1;
  }
}

/** The one line that tells a person what went wrong, for anything that was thrown. */
export function errorMessage(error: unknown): string {
  const text = error instanceof Error ? error.message || error.name : String(error);
  return text.replace(/\s*\n\s*/g, ' ').trim();
}

import type { ReleaseErrorCode } from '../errors.ts';

/** Why a host did not do what it was asked. The set is closed: a new cause gets a new code here. */
export type HostErrorCode =
  /** The transport found no way to it. */
  | 'unreachable'
  /** It is not the host that was known by this name. */
  | 'host-key-changed'
  /** Nobody here has said which key is its. */
  | 'host-key-unknown'
  /** It doesn't take commands from this coordinator, or not this one. */
  | 'not-allowed'
  /** There is no Node on it, or no room for the host's side. */
  | 'host-unprepared'
  /** The way to it ended within a step. */
  | 'vanished'
  | 'time-limit'
  | 'cancelled'
  /** Its lines are not those of this program, or of another version of it. */
  | 'protocol'
  /** It was asked for a step while another one ran, or its agent has as many coordinators as it takes. */
  | 'busy'
  /** Another deployment is under way on it. */
  | 'locked'
  /** Somebody has unlocked it, or taken the lock over. */
  | 'lock-lost'
  /** The root, or what is in it, is not what a deployment can work with. */
  | 'root-unusable'
  /** A linked file is not there. */
  | 'shared-missing'
  /** The name is taken by another release. */
  | 'release-conflict'
  /** The release is not on this host, whole and verified. */
  | 'release-missing'
  | 'hook-failed'
  | 'hook-timeout'
  | 'check-failed'
  | 'disk-full'
  /** There is no release to go back to. */
  | 'no-previous'
  | 'unexpected';

export type FailureCode = HostErrorCode | ReleaseErrorCode;

/** What failed on a host. The message is one line and says what to do. */
export class HostError extends Error {
  override readonly name = 'HostError';
  readonly code: FailureCode;
  /** The end of what a hook or a check has written. */
  readonly output: string | undefined;

  constructor(
    code: FailureCode,
    message: string,
    options: { readonly cause?: unknown; readonly output?: string | undefined } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.output = options.output;
  }
}

/** An error of any kind as it is told to the coordinator. */
export function asHostError(error: unknown): HostError {
  if (error instanceof HostError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  if ((error as Error).name === 'ReleaseError') {
    return new HostError(code as ReleaseErrorCode, message, { cause: error });
  }
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new HostError('disk-full', `${message}; make room and try again`, { cause: error });
  }
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new HostError('root-unusable', message, { cause: error });
  }
  return new HostError('unexpected', message, { cause: error });
}

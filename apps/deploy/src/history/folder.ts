import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/** What says that nothing is to be kept. */
const NONE = 'none';

/**
 * Where deployments are written down: what is given, ROOKERY_DEPLOY_HISTORY, or the user's state folder
 * (https://specifications.freedesktop.org/basedir-spec/latest/). Undefined for `none`.
 */
export function historyFolder(
  given: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const named = given || environment.ROOKERY_DEPLOY_HISTORY;
  if (named === NONE) return undefined;
  if (named) return named;
  const { XDG_STATE_HOME: state } = environment;
  // A relative one is to be ignored.
  const base = state && isAbsolute(state) ? state : join(homedir(), '.local', 'state');
  return join(base, 'rookery-deploy', 'history');
}

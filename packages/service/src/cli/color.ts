/**
 * Whether to write colours to a stream: not with NO_COLOR (https://no-color.org), not to a dumb terminal or a pipe;
 * FORCE_COLOR overrules the pipe.
 */
export function useColor(
  stream: { readonly isTTY?: boolean },
  environment: Readonly<Record<string, string | undefined>>,
): boolean {
  if (environment.NO_COLOR) return false;
  if (environment.FORCE_COLOR && environment.FORCE_COLOR !== '0') return true;
  return stream.isTTY === true && environment.TERM !== 'dumb';
}

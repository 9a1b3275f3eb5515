import { ReleaseError } from '../errors.ts';

/** Throws one error for all of them, so that whoever packs sees everything that is in the way. */
export function refuseAll(refusals: readonly ReleaseError[]): void {
  const [first] = refusals;
  if (first === undefined) return;
  if (refusals.length === 1) throw first;
  throw new ReleaseError(first.code, `${first.message} (and ${refusals.length - 1} more)`, {
    problems: refusals.map(({ message }) => message),
  });
}

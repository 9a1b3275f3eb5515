import { openRelease, type Release } from './release/container.ts';
import type { PublicKey } from './release/keys.ts';
import { RELEASE_LIMITS, type ReleaseLimits } from './release/limits.ts';
import { type CompareOptions, compareTree, type Difference } from './tree/compare.ts';

export interface VerifyOptions extends CompareOptions {
  /** The bytes of the release file. */
  readonly release: Uint8Array;
  readonly folder: string;
  /** Who may have signed it. */
  readonly trust: readonly PublicKey[];
  readonly limits?: ReleaseLimits;
  /** Called once, when the release is read and trusted, before the folder is looked at. */
  readonly onRelease?: (release: Release) => void;
}

export interface Verified {
  readonly release: Release;
  /** Empty when the folder is just what the release says. */
  readonly differences: readonly Difference[];
}

/**
 * Says whether a folder is, to the byte, the tree that a trusted key has signed.
 * @throws ReleaseError: why the release can't be trusted or read, or the folder not be listed
 */
export async function verify(options: VerifyOptions): Promise<Verified> {
  const release = openRelease(options.release, options.trust, options.limits ?? RELEASE_LIMITS);
  options.onRelease?.(release);
  return { release, differences: await compareTree(release.manifest, options.folder, options) };
}

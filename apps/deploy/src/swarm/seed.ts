import { ReleaseError } from '../errors.ts';
import { inspectRelease, type Release } from '../release/container.ts';
import { createLayout } from '../release/layout.ts';
import { RELEASE_LIMITS, type ReleaseLimits } from '../release/limits.ts';
import { compareTree } from '../tree/compare.ts';
import { becomeMember, type Membership } from './swarm.ts';
import { createTreeStore } from './tree-store.ts';

export interface SeedOptions {
  /** The bytes of the release file. */
  readonly release: Uint8Array;
  /** The tree itself. It must not change while it is seeded. */
  readonly folder: string;
  /** `http://HOST:PORT/announce`. */
  readonly trackers: readonly string[];
  /** For peers; default any that is free. */
  readonly port?: number;
  /** For HTTP, when peers don't move; default any that is free. */
  readonly webSeedPort?: number;
  readonly rack?: string;
  readonly limits?: ReleaseLimits;
  /** While the folder is compared with the release. */
  readonly onVerified?: (count: number) => void;
  readonly onBanned?: (peer: string) => void;
  /** The hosts have a whole copy between them: they would finish without this origin. */
  readonly onCopied?: () => void;
  readonly onTrackerProblem?: (tracker: string, message: string) => void;
}

export interface Seeding extends AsyncDisposable {
  readonly release: Release;
  readonly port: number;
  readonly webSeedPort: number;
  readonly peers: number;
  readonly sentBytes: number;
  /** Each tracker that doesn't answer, and why. */
  readonly trackerProblems: ReadonlyMap<string, string>;
  /** Rejects when it can't go on. */
  readonly failed: Promise<never>;
  close(): Promise<void>;
}

/**
 * Makes this host an origin of a release: it has the tree, and super-seeds it until it is closed.
 * @throws ReleaseError `tree-wrong`, `address-unusable`, `payload-empty`
 */
export async function seed(options: SeedOptions): Promise<Seeding> {
  const release = inspectRelease(options.release, options.limits ?? RELEASE_LIMITS);
  const layout = createLayout(release.manifest);
  const compared = await compareTree(release.manifest, options.folder, {
    ...(options.onVerified === undefined ? {} : { onBytes: options.onVerified }),
  });
  // What packing has left out may lie there: `.git`, what `.rookeryignore` says. It is given to nobody.
  const differences = compared.filter(({ kind }) => kind !== 'extra');
  if (differences.length > 0) {
    throw new ReleaseError(
      'tree-wrong',
      `${options.folder} is not what the release says: ${differences[0]!.detail}` +
        (differences.length > 1 ? ` (and ${differences.length - 1} more)` : ''),
      { problems: differences.map(({ detail }) => detail) },
    );
  }
  const store = createTreeStore(layout, options.folder);
  let fail: (error: unknown) => void = () => undefined;
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  failed.catch(() => undefined);
  let member: Membership;
  try {
    member = await becomeMember({
      release,
      layout,
      store,
      has: () => true,
      trackers: options.trackers,
      origin: true,
      port: options.port ?? 0,
      webSeedPort: options.webSeedPort ?? 0,
      peers: [],
      webSeeds: [],
      ...(options.rack === undefined ? {} : { rack: options.rack }),
      onWhole: () => undefined,
      onFailure: fail,
      onBanned: options.onBanned ?? (() => undefined),
      onCopied: options.onCopied ?? (() => undefined),
      onTrackerProblem: options.onTrackerProblem ?? (() => undefined),
    });
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw error;
  }
  const close = async (): Promise<void> => {
    await member.close();
    await store[Symbol.asyncDispose]();
  };
  return {
    release,
    port: member.port,
    webSeedPort: member.webSeedPort!,
    get peers() {
      return member.exchange.connections;
    },
    get sentBytes() {
      return member.exchange.sentBytes;
    },
    trackerProblems: member.trackerProblems,
    failed,
    close,
    [Symbol.asyncDispose]: close,
  };
}

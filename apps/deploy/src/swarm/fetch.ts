import { ReleaseError } from '../errors.ts';
import { openRelease, type Release } from '../release/container.ts';
import type { PublicKey } from '../release/keys.ts';
import { createLayout, type Layout } from '../release/layout.ts';
import { RELEASE_LIMITS, type ReleaseLimits } from '../release/limits.ts';
import { planReuse } from '../release/reuse.ts';
import { assemble } from '../tree/assemble.ts';
import { compareTree, type Difference } from '../tree/compare.ts';
import { scanFolder } from '../tree/scan.ts';
import { openStaging, type Staging } from '../tree/staging.ts';
import { syncTree } from '../tree/sync.ts';
import { type VerifiedFiles, verifyFiles } from '../tree/verified-files.ts';
import { checkRoom, isOccupied, type Landing, land, planLanding, syncAbove } from './landing.ts';
import { claimStaging } from './staging-claim.ts';
import { becomeMember, type Membership } from './swarm.ts';
import { createTreeStore, type TreeStore } from './tree-store.ts';

export type FetchPhase = 'reusing' | 'fetching' | 'verifying';

export interface FetchProgress {
  readonly phase: FetchPhase;
  /** Of the payload while reusing and fetching; of the tree while verifying. */
  readonly doneBytes: number;
  readonly totalBytes: number;
  /** Connected now. */
  readonly peers: number;
}

export interface FetchOptions {
  /** The bytes of the release file. */
  readonly release: Uint8Array;
  /** What becomes the tree: nothing may be there, or an empty folder, or the tree itself. */
  readonly to: string;
  /** Who may have signed it. */
  readonly trust: readonly PublicKey[];
  /** `http://HOST:PORT/announce`. */
  readonly trackers: readonly string[];
  /** Folders to take unchanged parts from; they are only read. Earlier ones are preferred. */
  readonly reuse?: readonly string[];
  /** Gives up when nothing has come for so long: no origin yet, or none any more. Default 120 s. */
  readonly stallMs?: number;
  /** For other peers; default any that is free. */
  readonly port?: number;
  /** Peers that are known without a tracker: `host:port`. */
  readonly peers?: readonly string[];
  /** Hosts of one rack get more from each other. */
  readonly rack?: string;
  readonly limits?: ReleaseLimits;
  /** Ends it at any moment; what was fetched is kept for the next try. */
  readonly signal?: AbortSignal;
  /** Called often. */
  readonly onProgress?: (progress: FetchProgress) => void;
  /** A peer sent wrong bytes. */
  readonly onBanned?: (peer: string) => void;
  /** A tracker doesn't answer. */
  readonly onTrackerProblem?: (tracker: string, message: string) => void;
}

/** The tree is there, verified and synced; this host goes on seeding it until it is closed. */
export interface Fetched extends AsyncDisposable {
  readonly release: Release;
  readonly folder: string;
  /** Of the payload, from peers and by HTTP. */
  readonly fetchedBytes: number;
  readonly webSeedBytes: number;
  /** Of the payload, from older releases and an earlier try. */
  readonly reusedBytes: number;
  readonly seconds: number;
  /** How many sent something. */
  readonly peers: number;
  readonly sentBytes: number;
  /** Resolves when nobody is known to need this host any more: the tracker lets it go. */
  readonly released: Promise<void>;
  close(): Promise<void>;
}

const STALL_MS = 120_000;
/** A tree that differs after it was fetched is mended so often; more says that the disk is bad. */
const MENDS_MAX = 2;
/** A tracker that is gone lets nobody go: then it counts whether a connected peer lacks something. */
const RELEASE_LOOK_MS = 200;

/**
 * Fetches a release from its swarm. Resolves when the tree is whole, verified against the signed manifest, synced and
 * in its place; until then there is nothing at `to`.
 * @throws ReleaseError: why not; what `signal` was aborted with
 */
export async function fetch(options: FetchOptions): Promise<Fetched> {
  const began = performance.now();
  const release = openRelease(options.release, options.trust, options.limits ?? RELEASE_LIMITS);
  const layout = createLayout(release.manifest);
  const planned = planLanding(options.to, release);
  const { signal = new AbortController().signal } = options;
  signal.throwIfAborted();

  if (await isOccupied(planned.target))
    return seedWhatIsThere(options, { release, layout, landing: planned, began });
  await using claim = await claimStaging(planned).catch((error: unknown) => {
    throw clearer(error);
  });
  const landing = { ...planned, staging: claim.folder };
  const work = { release, layout, landing, began };
  // Whoever had it before may have been done with it.
  if (await isOccupied(landing.target)) return seedWhatIsThere(options, work);
  await checkRoom(landing, layout, claim.isNew);
  const staging = await openStaging(landing.staging, layout, { resume: true }).catch((error: unknown) => {
    throw clearer(error);
  });
  const store = createTreeStore(layout, landing.staging, staging);
  try {
    return await fetchInto(options, { ...work, store, staging, isNew: claim.isNew, signal });
  } catch (error) {
    await staging[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
    throw signal.aborted ? signal.reason : clearer(error);
  }
}

interface Work {
  readonly release: Release;
  readonly layout: Layout;
  readonly landing: Landing;
  readonly began: number;
  readonly store: TreeStore;
}

async function fetchInto(
  options: FetchOptions,
  work: Work & { readonly staging: Staging; readonly isNew: boolean; readonly signal: AbortSignal },
): Promise<Fetched> {
  const { layout, landing, store, staging, isNew, signal } = work;
  const here = new Uint8Array(layout.pieceCount);
  let hereBytes = 0;
  const keep = (piece: number): void => {
    if (here[piece] === 1) return;
    here[piece] = 1;
    hereBytes += layout.pieceBytes(piece);
  };
  const progress = (phase: FetchPhase, doneBytes: number, totalBytes: number, peers: number): void =>
    options.onProgress?.({ phase, doneBytes, totalBytes, peers });

  // An earlier try's pieces first: they need not be written again.
  for (let piece = 0; !isNew && piece < layout.pieceCount; piece++) {
    signal.throwIfAborted();
    if ((await store.read(piece)) !== undefined) keep(piece);
  }
  const holdings = await Promise.all((options.reuse ?? []).map((folder) => scanFolder(folder)));
  const plan = planReuse(layout, holdings);
  await assemble({ ...plan, buildable: plan.buildable.filter((piece) => here[piece] === 0) }, staging, {
    signal,
    onPiece: (piece) => {
      keep(piece);
      progress('reusing', hereBytes, layout.payloadBytes, 0);
    },
  });
  const reusedBytes = hereBytes;

  let fail: (error: unknown) => void = () => undefined;
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  failed.catch(() => undefined);
  const onAbort = (): void => fail(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  await using files = verifyFiles({
    layout,
    folder: landing.staging,
    has: (piece) => here[piece] === 1,
    onFailure: fail,
  });
  const wholeListeners = new Set<() => void>();
  const member =
    layout.payloadBytes === 0
      ? undefined
      : await join(options, work, (piece) => here[piece] === 1, {
          onFailure: fail,
          onWhole: (piece) => {
            files.wrote(piece);
            for (const listener of wholeListeners) listener();
          },
        });
  try {
    const { exchange } = member ?? {};
    const allHere = async (): Promise<void> => {
      if (exchange === undefined) return;
      const tell = (): void =>
        progress(
          'fetching',
          // The last piece is shorter.
          Math.max(0, layout.payloadBytes - exchange.missing * layout.manifest.pieceLength),
          layout.payloadBytes,
          exchange.connections,
        );
      wholeListeners.add(tell);
      const began = performance.now();
      const ticker = setInterval(() => {
        tell();
        const progressAt = Math.max(began, exchange.progressAt, member!.webSeedProgressAt);
        const silentMs = performance.now() - progressAt;
        if (exchange.missing > 0 && silentMs > (options.stallMs ?? STALL_MS))
          fail(stalled(member!, silentMs));
      }, 250);
      try {
        await Promise.race([
          failed,
          new Promise<void>((resolve) => {
            const look = (): void => {
              if (exchange.missing === 0) resolve();
            };
            wholeListeners.add(look);
            look();
          }),
        ]);
      } finally {
        clearInterval(ticker);
        wholeListeners.clear();
      }
    };
    await allHere();
    await files.stop();
    await staging.finish();
    for (let mends = 0; ; mends++) {
      signal.throwIfAborted();
      const differences = await verifyTree(layout, landing.staging, files, (done, total) =>
        progress('verifying', done, total, exchange?.connections ?? 0),
      );
      signal.throwIfAborted();
      if (differences.length === 0) break;
      if (mends === MENDS_MAX) throw treeWrong(landing, differences);
      for (const piece of await staging.restore(differences)) {
        const bytes = await store.read(piece);
        // Right in one of its places: another may lack it.
        if (bytes === undefined) exchange?.lose(piece);
        else await staging.write(piece, bytes);
      }
      await allHere();
      await staging.finish();
    }
    await syncTree(landing.staging, layout, files.isSynced);
    signal.throwIfAborted();
    await land(landing);
    await store.moved(landing.target);
    member?.completed();
    return finished(work, member, reusedBytes);
  } catch (error) {
    await member?.close();
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function join(
  options: FetchOptions,
  { release, layout, store }: Work,
  has: (piece: number) => boolean,
  listeners: { readonly onFailure: (error: unknown) => void; readonly onWhole: (piece: number) => void },
): Promise<Membership> {
  return becomeMember({
    release,
    layout,
    store,
    has,
    trackers: options.trackers,
    origin: false,
    port: options.port ?? 0,
    webSeedPort: 0,
    peers: options.peers ?? [],
    webSeeds: [],
    ...(options.rack === undefined ? {} : { rack: options.rack }),
    onBanned: options.onBanned ?? (() => undefined),
    onCopied: () => undefined,
    onTrackerProblem: options.onTrackerProblem ?? (() => undefined),
    ...listeners,
  });
}

/** @throws ReleaseError `target-exists`, when it is not the tree */
async function seedWhatIsThere(options: FetchOptions, work: Omit<Work, 'store'>): Promise<Fetched> {
  const { release, layout, landing } = work;
  const differences = await compareTree(release.manifest, landing.target, { exactModes: true });
  if (differences.length > 0) {
    throw new ReleaseError(
      'target-exists',
      `${landing.target}: there is something else there already (${differences[0]!.detail})`,
    );
  }
  // Who put it there may have been killed before that was durable.
  await syncTree(landing.target, layout);
  await syncAbove(landing);
  const store = createTreeStore(layout, landing.target);
  const seeding: Work = { ...work, store };
  const member =
    layout.payloadBytes === 0
      ? undefined
      : await join(options, seeding, () => true, { onFailure: () => undefined, onWhole: () => undefined });
  return finished(seeding, member, layout.payloadBytes);
}

function finished(
  { release, landing, began, store }: Work,
  member: Membership | undefined,
  reusedBytes: number,
): Fetched {
  const seconds = (performance.now() - began) / 1000;
  const { fetchedBytes = 0, senders = 0 } = member?.exchange ?? {};
  const webSeedBytes = member?.webSeedBytes ?? 0;
  let look: NodeJS.Timeout | undefined;
  const released = new Promise<void>((resolve) => {
    const ask = (): void => {
      if (member === undefined || !isNeeded(member)) {
        clearInterval(look);
        resolve();
      }
    };
    look = setInterval(ask, RELEASE_LOOK_MS);
    if (member === undefined) ask();
  });
  const close = async (): Promise<void> => {
    clearInterval(look);
    await member?.close();
    await store[Symbol.asyncDispose]();
  };
  return {
    release,
    folder: landing.target,
    fetchedBytes: fetchedBytes + webSeedBytes,
    webSeedBytes,
    reusedBytes,
    seconds,
    peers: senders,
    get sentBytes() {
      return member?.exchange.sentBytes ?? 0;
    },
    released,
    close,
    [Symbol.asyncDispose]: close,
  };
}

function isNeeded(member: Membership): boolean {
  const said = [...member.announcements.values()];
  if (said.length === 0) return member.exchange.othersMissing;
  return said.some(({ stay, incomplete }) => stay ?? incomplete > 0);
}

async function verifyTree(
  layout: Layout,
  folder: string,
  files: VerifiedFiles,
  onProgress: (done: number, total: number) => void,
): Promise<Difference[]> {
  let total = 0;
  for (const entry of layout.manifest.entries) if (entry.kind === 'file') total += entry.size;
  let done = 0;
  return compareTree(layout.manifest, folder, {
    exactModes: true,
    justWritten: true,
    isVerified: files.isVerified,
    onBytes: (count) => {
      done += count;
      onProgress(done, total);
    },
  });
}

function treeWrong({ staging }: Landing, differences: readonly Difference[]): ReleaseError {
  return new ReleaseError(
    'tree-wrong',
    `${staging} differs from the release after it was fetched and mended; is the disk all right? ${differences[0]!.detail}`,
    { problems: differences.map(({ detail }) => detail) },
  );
}

function stalled({ exchange, trackerProblems }: Membership, silentMs: number): ReleaseError {
  const problems = [...trackerProblems].map(([tracker, message]) => `; ${tracker}: ${message}`).join('');
  return new ReleaseError(
    'stalled',
    `Nothing has come for ${Math.round(silentMs / 1000)} s: ${exchange.missing} pieces are missing, ` +
      `${exchange.connections} peers are connected, no origin answers${problems}. What is here is kept for the next try.`,
  );
}

/** A full disk by its name: it may have filled up after there was room. */
function clearer(error: unknown): unknown {
  if (!(error instanceof ReleaseError && error.code === 'write-failed')) return error;
  const { code } = (error.cause ?? {}) as NodeJS.ErrnoException;
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error;
  return new ReleaseError('disk-full', `${error.message}; make room and try again`, { cause: error });
}

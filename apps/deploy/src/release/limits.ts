/**
 * What a release may hold. The same when packing and when reading, so that whatever was packed can be read.
 * The reader checks each before it allocates for it.
 */
export interface ReleaseLimits {
  /** Of the release file. It is read into memory; 1,000,000 files need about 45 MiB. */
  readonly releaseBytes: number;
  /** Ten times the largest tree known to be deployed like this. */
  readonly entries: number;
  /** PATH_MAX is 4,096 with the host's own folder in front. */
  readonly pathBytes: number;
  /** NAME_MAX of every file system in use. */
  readonly nameBytes: number;
  /** PATH_MAX without the final NUL. */
  readonly targetBytes: number;
  /** All paths and targets together: front-coding lets three bytes unfold into a path. */
  readonly pathBytesTotal: number;
  /** What a host must have free to build the tree. */
  readonly treeBytes: number;
  /** Chunks in all files, repeated ones too; each costs eight bytes of memory. */
  readonly chunks: number;
  /** Names walked to follow all links, times their depth: links through links multiply. About a second. */
  readonly linkSteps: number;
}

export const RELEASE_LIMITS: ReleaseLimits = {
  releaseBytes: 128 * 2 ** 20,
  entries: 1_000_000,
  pathBytes: 3_584,
  nameBytes: 255,
  targetBytes: 4_095,
  pathBytesTotal: 256 * 2 ** 20,
  treeBytes: 128 * 2 ** 30,
  chunks: 2 ** 22,
  linkSteps: 50_000_000,
};

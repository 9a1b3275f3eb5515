/** Why the deployer refused. The set is closed: a new cause gets a new code here. */
export type ReleaseErrorCode =
  /** The file is no release at all. */
  | 'not-a-release'
  /** A release of a format that this program doesn't know. */
  | 'release-version'
  /** Cut off, or its grammar is broken. */
  | 'release-damaged'
  /** More of something than RELEASE_LIMITS allows. */
  | 'release-too-large'
  | 'release-unsigned'
  /** Signed, but by nobody who is trusted. */
  | 'key-untrusted'
  /** Altered after it was signed. */
  | 'signature-wrong'
  | 'key-invalid'
  | 'key-exists'
  /** The key that signs lies in the tree and would travel with it. */
  | 'key-in-tree'
  /** `../`. */
  | 'path-escapes'
  | 'path-absolute'
  /** Empty, `.`, NUL, or too long. */
  | 'path-invalid'
  | 'path-duplicate'
  /** Two names that differ only in case or Unicode form. */
  | 'path-case'
  /** Below something that is not a folder. */
  | 'path-conflict'
  /** A link that is absolute or leads out of the tree. */
  | 'link-escapes'
  /** The app's name or version has characters that a folder's name can't have everywhere. */
  | 'name-invalid'
  /** A socket, a pipe, a device, a submodule, a pointer of Git LFS. */
  | 'kind-unsupported'
  /** setuid or setgid. */
  | 'mode-unsupported'
  | 'tree-unreadable'
  /** Something was written into the tree while it was read. */
  | 'tree-changed'
  /** The tree has no bytes, so there is nothing to transfer and no torrent. */
  | 'payload-empty'
  /** A piece's bytes don't have its hash. */
  | 'piece-wrong'
  /** A staging folder must be new or empty. */
  | 'staging-exists'
  | 'git-failed'
  /** A file could not be written. */
  | 'write-failed'
  /** There is not enough room for the tree, or there was not in the end. */
  | 'disk-full'
  /** There is something else where the tree shall be. */
  | 'target-exists'
  /** Another process is fetching to the same place. */
  | 'fetch-running'
  /** A folder is not what the release says. */
  | 'tree-wrong'
  /** Nothing has come for as long as was to be waited. */
  | 'stalled'
  /** A port is taken, or the address is not of this host. */
  | 'address-unusable';

/** The only class of error that this package throws on purpose. The message is one line and says what to do. */
export class ReleaseError extends Error {
  override readonly name = 'ReleaseError';
  readonly code: ReleaseErrorCode;
  /** Each thing that is wrong, by name, when there is more than one; the message has the first ones. */
  readonly problems: readonly string[];

  constructor(
    code: ReleaseErrorCode,
    message: string,
    options: { readonly cause?: unknown; readonly problems?: readonly string[] } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.problems = options.problems ?? [message];
  }
}

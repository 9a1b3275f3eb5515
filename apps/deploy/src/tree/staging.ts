import { hash } from 'node:crypto';
import { closeSync, constants, fchmodSync, mkdirSync, openSync } from 'node:fs';
import { mkdir, open, readdir, rm, symlink } from 'node:fs/promises';
import { ReleaseError } from '../errors.ts';
import type { Layout } from '../release/layout.ts';
import type { Entry, FileEntry } from '../release/manifest.ts';
import { type BytePath, parentPath, pathToBytes } from '../release/path.ts';
import { createBreath } from './breath.ts';
import type { Difference } from './compare.ts';
import { diskError, onDisk } from './disk.ts';
import { openFiles } from './open-files.ts';
import { createWriter } from './writer.ts';

/** A tree that is being built from pieces, in any order. */
export interface Staging extends AsyncDisposable {
  /**
   * Writes a piece to all its places. Its hash is checked first, so that a wrong byte is never written.
   * @throws ReleaseError `piece-wrong`, `write-failed`
   */
  write(piece: number, bytes: Uint8Array): Promise<void>;
  /**
   * Call once, when every piece is written: makes the links. The tree is then to be compared with its manifest
   * (`compareTree`); nothing is synced to the disk yet.
   * @throws ReleaseError `write-failed`
   */
  finish(): Promise<void>;
  /**
   * Takes away what a comparison has found to be wrong, as far as writing can't set it right, and resolves to the
   * pieces of the files concerned: they are to be written again. `finish` follows, and another comparison.
   * @throws ReleaseError `write-failed`
   */
  restore(differences: readonly Difference[]): Promise<number[]>;
}

const WRITE_FLAGS: number = constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW;
const OPEN_FILES_MAX = 64;
const FOLDER_MODE = 0o755;

export function fileMode(file: Pick<FileEntry, 'executable'>): number {
  return file.executable ? 0o755 : 0o644;
}

/**
 * Makes the folders and empty files of a release. Its manifest must have come from `openRelease`, which refuses what
 * would lead out of the folder.
 * @param options.resume takes a folder that is there already: an interrupted transfer's. Which pieces it has, tells
 * a PieceReader.
 * @throws ReleaseError `staging-exists`, `write-failed`
 */
export async function openStaging(
  folder: string,
  layout: Layout,
  options: { readonly resume?: boolean } = {},
): Promise<Staging> {
  const { entries } = layout.manifest;
  await makeRoot(folder, options.resume === true);
  await makeFrame(folder, entries);

  const executables = new Set(
    entries
      .filter((entry) => entry.kind === 'file' && entry.executable)
      .map(({ path }) => diskKey(onDisk(folder, path))),
  );
  const write = createWriter();
  const files = openFiles({
    filesMax: OPEN_FILES_MAX,
    flags: WRITE_FLAGS,
    // Not by open's mode, which the umask changes.
    prepare: (descriptor, path) =>
      fchmodSync(descriptor, fileMode({ executable: executables.has(diskKey(path)) })),
  });

  return {
    async write(piece, bytes) {
      const right = bytes.length === layout.pieceBytes(piece) && sha1(bytes).equals(layout.pieceHash(piece));
      if (!right)
        throw new ReleaseError('piece-wrong', `Piece ${piece} doesn't have the bytes that the release says.`);
      for (const { file, offset, from, to } of runsOf(layout, piece)) {
        try {
          await files.use(onDisk(folder, file.path), (descriptor) =>
            write(descriptor, bytes.subarray(from, to), offset),
          );
        } catch (error) {
          throw diskError('write-failed', file.path, error);
        }
      }
    },
    async finish() {
      await files[Symbol.asyncDispose]();
      // Last, so that nothing was ever written through one.
      for (const entry of entries) {
        if (entry.kind === 'link') await makeLink(folder, entry.path, entry.target);
      }
    },
    async restore(differences) {
      await files[Symbol.asyncDispose]();
      const wrong = new Set(differences.map(({ path }) => path));
      const concerned = entries.filter((entry) => entry.kind === 'file' && wrong.has(entry.path));
      const byPath = new Map(concerned.map((file) => [file.path, file as FileEntry]));
      // Sorted by path: what stands in a folder's place is gone before anything in it is looked for.
      for (const { kind, path } of differences) {
        const file = kind === 'changed' || kind === 'wrong-mode' ? byPath.get(path) : undefined;
        if (file === undefined || !(await trim(folder, file))) await removeAll(folder, path);
      }
      await makeFrame(folder, entries);
      return piecesOf(layout, byPath.values());
    },
    [Symbol.asyncDispose]: () => files[Symbol.asyncDispose](),
  };
}

/** Bytes of a piece that lie together in a file. */
interface Run {
  readonly file: FileEntry;
  readonly offset: number;
  readonly from: number;
  readonly to: number;
}

/** A large file's piece is one run: chunks that adjoin both in the piece and in the file are written together. */
function runsOf(layout: Layout, piece: number): Run[] {
  const runs: Run[] = [];
  for (const { chunk, chunkOffset, pieceOffset, length } of layout.segments(piece)) {
    for (const { file, offset } of layout.places(chunk)) {
      const at = offset + chunkOffset;
      const last = runs.at(-1);
      const adjoins =
        last?.file === file && last.to === pieceOffset && last.offset + (last.to - last.from) === at;
      if (adjoins) runs[runs.length - 1] = { ...last, to: pieceOffset + length };
      else runs.push({ file, offset: at, from: pieceOffset, to: pieceOffset + length });
    }
  }
  return runs;
}

async function makeRoot(folder: string, resume: boolean): Promise<void> {
  const root = '' as BytePath;
  try {
    await mkdir(folder, { recursive: true, mode: FOLDER_MODE });
    if (resume || (await readdir(folder)).length === 0) return;
  } catch (error) {
    throw diskError('write-failed', root, error);
  }
  throw new ReleaseError('staging-exists', `${folder}: there is something in it already`);
}

async function makeFrame(folder: string, entries: readonly Entry[]): Promise<void> {
  const breathe = createBreath();
  for (const path of foldersOf(entries)) {
    makeFolder(folder, path);
    await breathe();
  }
  for (const entry of entries) {
    if (entry.kind !== 'file' || entry.size > 0) continue;
    setMode(folder, entry.path, WRITE_FLAGS, fileMode(entry));
    await breathe();
  }
}

/** Every folder of the tree, parents first. */
function foldersOf(entries: readonly Entry[]): BytePath[] {
  const folders = new Set<BytePath>();
  for (const { kind, path } of entries) {
    const lineage: BytePath[] = [];
    for (
      let at = kind === 'folder' ? path : parentPath(path);
      at !== '' && !folders.has(at);
      at = parentPath(at)
    ) {
      lineage.push(at);
    }
    for (const one of lineage.reverse()) folders.add(one);
  }
  return [...folders];
}

/** An earlier try may have been killed before the mode was set. */
function makeFolder(root: string, path: BytePath): void {
  try {
    mkdirSync(onDisk(root, path));
  } catch (error) {
    if (!isThere(error)) throw diskError('write-failed', path, error);
  }
  setMode(root, path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW, FOLDER_MODE);
}

/** Not by the mode that it is made with, which the umask changes. */
function setMode(root: string, path: BytePath, flags: number, mode: number): void {
  try {
    const descriptor = openSync(onDisk(root, path), flags);
    try {
      fchmodSync(descriptor, mode);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    throw diskError('write-failed', path, error);
  }
}

/** What writing doesn't set right: the mode, and what is too long. False when it is better gone. */
async function trim(root: string, file: FileEntry): Promise<boolean> {
  try {
    await using handle = await open(onDisk(root, file.path), constants.O_WRONLY | constants.O_NOFOLLOW);
    await handle.chmod(fileMode(file));
    if ((await handle.stat()).size > file.size) await handle.truncate(file.size);
    return true;
  } catch {
    return false;
  }
}

async function removeAll(root: string, path: BytePath): Promise<void> {
  try {
    await rm(onDisk(root, path), { recursive: true, force: true });
  } catch (error) {
    throw diskError('write-failed', path, error);
  }
}

function piecesOf(layout: Layout, files: Iterable<FileEntry>): number[] {
  const pieces = new Set<number>();
  for (const { chunks } of files) {
    for (const chunk of chunks) {
      const { first, last } = layout.piecesOf(chunk);
      for (let piece = first; piece <= last; piece++) pieces.add(piece);
    }
  }
  return [...pieces];
}

/** What is there stays: of an earlier try it is right, and if not, the comparison says so. */
async function makeLink(root: string, path: BytePath, target: BytePath): Promise<void> {
  try {
    await symlink(pathToBytes(target), onDisk(root, path));
  } catch (error) {
    if (!isThere(error)) throw diskError('write-failed', path, error);
  }
}

function isThere(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'EEXIST';
}

function sha1(bytes: Uint8Array): Buffer {
  return hash('sha1', bytes, 'buffer');
}

function diskKey(path: Buffer): string {
  return path.toString('latin1');
}

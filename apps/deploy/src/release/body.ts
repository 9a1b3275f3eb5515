import { ReleaseError } from '../errors.ts';
import { CHUNK_MAX_BYTES } from './chunker.ts';
import { RELEASE_LIMITS, type ReleaseLimits } from './limits.ts';
import { CHUNK_ID_BYTES, type Entry, type FileEntry, type Manifest } from './manifest.ts';
import { type BytePath, displayPath } from './path.ts';
import { PIECE_HASH_BYTES, PIECE_MIN_BYTES, pieceCount } from './pieces.ts';
import { ByteReader, ByteWriter } from './wire.ts';

const KIND = { file: 0, executable: 1, link: 2, folder: 3 } as const;
const SHA256_BYTES = 32;
/** None, SHA-1, SHA-256. */
const COMMIT_BYTES: readonly number[] = [0, 20, 32];
/** More than a name may have, so that the rule for names says what is wrong with a long one. */
const TEXT_BYTES_MAX = 512;
/** 128 GiB in 1,024 pieces is 128 MiB; a longer piece says that the manifest is wrong. */
const PIECE_LENGTH_LOG2_MAX = 27;

/** Writes a manifest as docs/internals/deploy-release.md says. Doesn't ask whether it is allowed: see `rules.ts`. */
export function encodeBody(manifest: Manifest): Buffer {
  const out = new ByteWriter();
  text(out, manifest.app);
  text(out, manifest.version);
  const commit = Buffer.from(manifest.commit ?? '', 'hex');
  out.varint(commit.length);
  out.raw(commit);
  out.varint(manifest.timeSeconds === undefined ? 0 : manifest.timeSeconds + 1);
  out.byte(Math.log2(manifest.pieceLength));
  out.varint(manifest.entries.length);
  let before = '';
  let known = 0;
  for (const entry of manifest.entries) {
    const shared = sharedPrefix(before, entry.path);
    out.varint(shared);
    out.varint(entry.path.length - shared);
    out.latin1(entry.path.slice(shared));
    before = entry.path;
    if (entry.kind === 'file') {
      out.byte(entry.executable ? KIND.executable : KIND.file);
      known = encodeContent(out, entry, manifest.chunks, known);
    } else if (entry.kind === 'link') {
      out.byte(KIND.link);
      out.varint(entry.target.length);
      out.latin1(entry.target);
    } else out.byte(KIND.folder);
  }
  out.raw(manifest.pieces);
  return out.finish();
}

/** Chunks below `known` were in files before; returns the new `known`. */
function encodeContent(out: ByteWriter, file: FileEntry, table: Manifest['chunks'], known: number): number {
  out.varint(file.size);
  out.raw(file.sha256);
  const { chunks } = file;
  if (chunks.length === 1 && chunks[0] === known) {
    out.varint(0);
    return known + 1;
  }
  for (let i = 0; i < chunks.length; ) {
    const first = chunks[i]!;
    const isNew = first === known;
    let count = 1;
    // A run of known chunks ends where the new ones begin: their numbers adjoin.
    while (chunks[i + count] === first + count && (isNew || first + count < known)) count++;
    out.varint(count * 2 + (isNew ? 0 : 1));
    if (isNew) {
      for (let chunk = first; chunk < first + count; chunk++) {
        out.varint(table.lengths[chunk]!);
        out.latin1(table.ids[chunk]!);
      }
      known += count;
    } else out.varint(first);
    i += count;
  }
  return known;
}

/**
 * Reads a body. What it returns is whole and within the limits, but not yet within the rules for trees: see `rules.ts`.
 * @throws ReleaseError `release-damaged`, `release-too-large`
 */
export function decodeBody(body: Buffer, limits: ReleaseLimits = RELEASE_LIMITS): Manifest {
  const from = new ByteReader(body);
  const app = readText(from);
  const version = readText(from);
  const commitBytes = from.varint();
  if (!COMMIT_BYTES.includes(commitBytes)) throw damaged('its commit is of no length that git has');
  const commit = from.raw(commitBytes).toString('hex');
  const time = from.varint();
  const pieceLengthLog2 = from.byte();
  if (pieceLengthLog2 > PIECE_LENGTH_LOG2_MAX || 2 ** pieceLengthLog2 < PIECE_MIN_BYTES) {
    throw damaged('its piece length is not allowed');
  }
  const pieceLength = 2 ** pieceLengthLog2;
  const count = from.varint();
  if (count > limits.entries) throw tooLarge('entries', limits.entries);

  const entries: Entry[] = [];
  const lengths: number[] = [];
  const ids: string[] = [];
  const sums = { paths: 0, tree: 0, chunks: 0, payload: 0 };
  let path = '';
  for (let i = 0; i < count; i++) {
    const shared = from.varint();
    if (shared > path.length) throw damaged('a path continues what was not there');
    const rest = from.varint();
    // Before the path is put together: three bytes may stand for thousands.
    if (shared + rest > limits.pathBytes) {
      throw new ReleaseError('path-invalid', `A path is longer than ${limits.pathBytes} bytes.`);
    }
    sums.paths += shared + rest;
    if (sums.paths > limits.pathBytesTotal) throw tooLarge('bytes of paths', limits.pathBytesTotal);
    path = flat(path.slice(0, shared) + from.latin1(rest));
    const kind = from.byte();
    if (kind === KIND.file || kind === KIND.executable) entries.push(readFile(path as BytePath, kind));
    else if (kind === KIND.link) {
      const length = from.varint();
      sums.paths += length;
      if (length > limits.targetBytes) throw tooLarge("bytes of a link's target", limits.targetBytes);
      entries.push({ kind: 'link', path: path as BytePath, target: from.latin1(length) as BytePath });
    } else if (kind === KIND.folder) entries.push({ kind: 'folder', path: path as BytePath });
    else throw damaged(`${displayPath(path as BytePath)} is of no known kind`);
  }
  const pieces = from.raw(pieceCount(sums.payload, pieceLength) * PIECE_HASH_BYTES);
  if (from.left > 0) throw damaged('something follows after its end');
  return {
    app,
    version,
    ...(commit === '' ? {} : { commit }),
    ...(time === 0 ? {} : { timeSeconds: time - 1 }),
    entries,
    chunks: { lengths, ids },
    pieceLength,
    pieces,
  };

  function readFile(filePath: BytePath, kind: number): FileEntry {
    const size = from.varint();
    sums.tree += size;
    if (sums.tree > limits.treeBytes) throw tooLarge('bytes of files', limits.treeBytes);
    const sha256 = from.raw(SHA256_BYTES);
    const chunks: number[] = [];
    let left = size;
    const take = (chunk: number): void => {
      const length = lengths[chunk]!;
      if (length > left) throw damaged(`${displayPath(filePath)} has more bytes than its size says`);
      left -= length;
      if (++sums.chunks > limits.chunks) throw tooLarge('chunks', limits.chunks);
      chunks.push(chunk);
    };
    const add = (length: number, id: string): void => {
      if (length === 0 || length > CHUNK_MAX_BYTES) throw damaged('a chunk has a length that is not allowed');
      sums.payload += length;
      take(lengths.push(length) - 1);
      ids.push(id);
    };
    while (left > 0) {
      const run = from.varint();
      if (run === 0) {
        if (left !== size) throw damaged(`${displayPath(filePath)} has an empty run of chunks`);
        add(size, sha256.toString('latin1', 0, CHUNK_ID_BYTES));
        break;
      }
      const runLength = Math.floor(run / 2);
      if (runLength === 0) throw damaged(`${displayPath(filePath)} has an empty run of chunks`);
      if (run % 2 === 0) {
        for (let i = 0; i < runLength; i++) add(from.varint(), from.latin1(CHUNK_ID_BYTES));
      } else {
        const first = from.varint();
        if (first + runLength > lengths.length)
          throw damaged(`${displayPath(filePath)} repeats a chunk that was not there`);
        for (let chunk = first; chunk < first + runLength; chunk++) take(chunk);
      }
    }
    return { kind: 'file', path: filePath, executable: kind === KIND.executable, size, sha256, chunks };
  }
}

function sharedPrefix(a: string, b: string): number {
  const limit = Math.min(a.length, b.length);
  let length = 0;
  while (length < limit && a.charCodeAt(length) === b.charCodeAt(length)) length++;
  return length;
}

function text(out: ByteWriter, value: string): void {
  const bytes = Buffer.from(value, 'utf8');
  out.varint(bytes.length);
  out.raw(bytes);
}

function readText(from: ByteReader): string {
  const length = from.varint();
  if (length > TEXT_BYTES_MAX) throw damaged('a name is too long');
  return from.raw(length).toString('utf8');
}

/** A concatenation keeps both its halves, and so the whole chain of paths before; this copies it into one string. */
function flat(path: string): string {
  return Buffer.from(path, 'latin1').toString('latin1');
}

function damaged(why: string): ReleaseError {
  return new ReleaseError('release-damaged', `The release is damaged: ${why}.`);
}

function tooLarge(what: string, limit: number): ReleaseError {
  return new ReleaseError(
    'release-too-large',
    `The release declares more ${what} than are allowed (${limit}).`,
  );
}

import { isUtf8 } from 'node:buffer';
import { ReleaseError } from '../errors.ts';
import type { ReleaseLimits } from './limits.ts';

declare const bytePath: unique symbol;

/**
 * A path or a link's target as bytes, in any encoding: a string of which each character is one byte (latin1).
 * So it compares and sorts by bytes and serves as a key. `/` separates; relative to the tree.
 */
export type BytePath = string & { readonly [bytePath]: true };

export function pathFromBytes(bytes: Uint8Array): BytePath {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1') as BytePath;
}

/** From text as people write it: its UTF-8. */
export function pathFromText(text: string): BytePath {
  return pathFromBytes(Buffer.from(text, 'utf8'));
}

export function pathToBytes(path: BytePath): Buffer {
  return Buffer.from(path, 'latin1');
}

/** `folder`, a slash, and `name`; just `name` in the tree's root. */
export function joinPath(folder: BytePath, name: BytePath): BytePath {
  return (folder === '' ? name : `${folder}/${name}`) as BytePath;
}

export function parentPath(path: BytePath): BytePath {
  return path.slice(0, Math.max(0, path.lastIndexOf('/'))) as BytePath;
}

/** The path's text, if its bytes are UTF-8. */
export function pathText(path: BytePath): string | undefined {
  const bytes = pathToBytes(path);
  return isUtf8(bytes) ? bytes.toString('utf8') : undefined;
}

/** For messages: on one line, without control characters; bytes that are no UTF-8 as \xNN. */
export function displayPath(path: BytePath): string {
  const text = pathText(path);
  const escaped = (character: string): string =>
    character.codePointAt(0)! < 256
      ? `\\x${character.codePointAt(0)!.toString(16).padStart(2, '0')}`
      : `\\u{${character.codePointAt(0)!.toString(16)}}`;
  if (text === undefined) return path.replace(/[^\x20-\x7e]/g, escaped);
  // Cc, Cf and the separators: a name must not be able to redraw the terminal or reverse its line.
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, escaped);
}

/** @throws ReleaseError `path-absolute`, `path-escapes` or `path-invalid` */
export function checkPath(path: BytePath, limits: ReleaseLimits): void {
  if (path.length > limits.pathBytes) {
    const beginning = displayPath(path.slice(0, 80) as BytePath);
    throw new ReleaseError(
      'path-invalid',
      `${beginning}…: the path is longer than ${limits.pathBytes} bytes`,
    );
  }
  if (path.startsWith('/')) {
    throw new ReleaseError('path-absolute', `${displayPath(path)}: the path is absolute`);
  }
  const invalid = (why: string): never => {
    throw new ReleaseError('path-invalid', `${path === '' ? '(empty)' : displayPath(path)}: ${why}`);
  };
  if (path.includes('\0')) invalid('the path has a NUL');
  let start = 0;
  while (start <= path.length) {
    let end = path.indexOf('/', start);
    if (end === -1) end = path.length;
    const length = end - start;
    if (length === 0) invalid('the path has an empty name');
    if (length > limits.nameBytes) invalid(`a name is longer than ${limits.nameBytes} bytes`);
    if (length === 1 && path[start] === '.') invalid('"." is no name');
    if (length === 2 && path[start] === '.' && path[start + 1] === '.') {
      throw new ReleaseError('path-escapes', `${displayPath(path)}: the path leads out of the tree`);
    }
    start = end + 1;
  }
}

/**
 * What file systems that don't tell case or Unicode forms apart would make of a path (as far as the engine's Unicode
 * tables go). Only for comparing.
 */
export function foldPath(path: BytePath): string {
  if (isAscii(path)) return path.toLowerCase();
  const text = pathText(path);
  // Upper, then lower: ß and SS, ſ and s fall together only so.
  if (text !== undefined) return text.normalize('NFD').toUpperCase().toLowerCase().normalize('NFD');
  // The NUL, which no path has, keeps raw bytes apart from text that happens to look like them.
  return `\0${path.replace(/[A-Z]/g, (letter) => letter.toLowerCase())}`;
}

function isAscii(path: string): boolean {
  for (let i = 0; i < path.length; i++) if (path.charCodeAt(i) > 127) return false;
  return true;
}

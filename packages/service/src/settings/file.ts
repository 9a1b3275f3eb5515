import { parse, TomlError } from 'smol-toml';
import { ServiceError } from '../errors.ts';

/** The settings file as it was read: nothing here touches the disk. */
export interface SettingsFile {
  readonly path: string;
  readonly text: string;
}

export type Table = Readonly<Record<string, unknown>>;

/** Depth of inline tables and arrays; settings need two, and a limit keeps a hostile file from the stack. */
const DEPTH_MAX = 20;

/** @throws ServiceError SETTINGS_FILE with line and column when the text is not TOML. */
export function parseFile(file: SettingsFile): Table {
  try {
    return parse(file.text, { maxDepth: DEPTH_MAX, unsafeKeyBehaviour: 'throw' });
  } catch (error) {
    if (!(error instanceof TomlError)) {
      throw new ServiceError('SETTINGS_FILE', `${file.path} can't be read as TOML`, { cause: error });
    }
    const what = error.message.split('\n')[0]!.replace(/^Invalid TOML document: /, '');
    throw new ServiceError(
      'SETTINGS_FILE',
      `${file.path}:${error.line}:${error.column} is not valid TOML: ${what}`,
      { cause: error },
    );
  }
}

export function isTable(value: unknown): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** The value under a dotted key, own properties only. */
export function valueAt(table: Table, key: string): unknown {
  let value: unknown = table;
  for (const step of key.split('.')) {
    if (!isTable(value) || !Object.hasOwn(value, step)) return undefined;
    value = value[step];
  }
  return value;
}

/**
 * The line of a key, or of the nearest table above it that has a line. The parser keeps no positions, so this reads
 * the lines again; it is only asked about keys that a message names.
 */
export function lineOf(text: string, path: readonly string[]): number | undefined {
  let table: readonly string[] = [];
  let best: { line: number; depth: number } | undefined;
  let inside: number | undefined;
  for (const [index, line] of text.split('\n').entries()) {
    const header = /^\s*\[\[?([^\]]+)\]/.exec(line);
    const assignment =
      /^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=/.exec(
        line,
      );
    let here: readonly string[];
    if (header !== null) {
      table = steps(header[1]!);
      here = table;
    } else if (assignment !== null) {
      here = [...table, ...steps(assignment[1]!)];
    } else {
      continue;
    }
    // `[queues.mail]` is where `queues` is, when nothing names that by itself.
    if (here.length > path.length && path.every((step, at) => step === here[at])) inside ??= index + 1;
    const shared = here.length <= path.length && here.every((step, at) => step === path[at]);
    if (shared && here.length > (best?.depth ?? 0)) best = { line: index + 1, depth: here.length };
  }
  return best?.depth === path.length ? best.line : (inside ?? best?.line);
}

function steps(dotted: string): string[] {
  return (dotted.match(/"[^"]*"|'[^']*'|[^.\s]+/g) ?? []).map((step) => step.replace(/^["']|["']$/g, ''));
}

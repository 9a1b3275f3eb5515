import type { z } from 'zod';
import { lineOf, type SettingsFile } from './file.ts';
import { nearest } from './names.ts';

/** What zod found in a table of the file, in sentences with the line, the key and what is allowed. */
export function tableProblems(
  schema: z.ZodType<unknown>,
  key: string,
  value: unknown,
  issues: readonly z.core.$ZodIssue[],
  file: SettingsFile,
): string[] {
  const problems: string[] = [];
  for (const issue of issues) {
    const inner = issue.path.map(String);
    const path = [...key.split('.'), ...inner];
    if (issue.code === 'unrecognized_keys') {
      const known = Object.keys(shapeAt(schema, inner) ?? {});
      for (const unknown of issue.keys) {
        const near = nearest(unknown, known);
        const hint = near === undefined ? '' : `, did you mean ${near}?`;
        problems.push(
          `${place(file, [...path, unknown])}: there is no setting ${[...path, unknown].join('.')}${hint}`,
        );
      }
      continue;
    }
    const what = issue.code === 'invalid_key' ? (issue.issues[0]?.message ?? issue.message) : issue.message;
    const given = shown(value, inner);
    problems.push(
      given === undefined || issue.code === 'invalid_key'
        ? `${place(file, path)}: ${path.join('.')} is not allowed, ${what}`
        : `${place(file, path)}: ${path.join('.')}: ${given} is not allowed, ${what}`,
    );
  }
  return problems;
}

function place(file: SettingsFile, path: readonly string[]): string {
  const line = lineOf(file.text, path);
  return line === undefined ? file.path : `${file.path}:${line}`;
}

/** The value at a path when it is short enough to say; tables are not. */
function shown(value: unknown, path: readonly string[]): string | undefined {
  let here = value;
  for (const step of path) {
    if (typeof here !== 'object' || here === null) return undefined;
    here = (here as Record<string, unknown>)[step];
  }
  if (here === undefined || (typeof here === 'object' && here !== null)) return undefined;
  if (/token|secret|password/i.test(path.at(-1) ?? '')) return 'the value given';
  return JSON.stringify(here)?.slice(0, 80);
}

interface Definition {
  readonly type?: string;
  readonly shape?: Readonly<Record<string, unknown>>;
  readonly innerType?: unknown;
  readonly valueType?: unknown;
  readonly element?: unknown;
  readonly in?: unknown;
}

/** The keys that a schema knows at a path, through records, optionals and pipes. */
function shapeAt(schema: unknown, path: readonly string[]): Readonly<Record<string, unknown>> | undefined {
  const def = (schema as { readonly def?: Definition } | undefined)?.def;
  if (def === undefined) return undefined;
  if (def.innerType !== undefined) return shapeAt(def.innerType, path);
  if (def.in !== undefined) return shapeAt(def.in, path);
  if (def.shape !== undefined)
    return path.length === 0 ? def.shape : shapeAt(def.shape[path[0]!], path.slice(1));
  if (path.length === 0) return undefined;
  if (def.valueType !== undefined) return shapeAt(def.valueType, path.slice(1));
  if (def.element !== undefined) return shapeAt(def.element, path.slice(1));
  return undefined;
}

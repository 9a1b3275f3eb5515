import fc from 'fast-check';
import { ContentBuilder } from '../../src/release/builder.ts';
import type { Entry, Manifest } from '../../src/release/manifest.ts';
import { type BytePath, parentPath, pathFromBytes } from '../../src/release/path.ts';
import { pieceLengthFor } from '../../src/release/pieces.ts';

/** Any bytes that a name can have, in any encoding; a few letters, so that names meet. */
const nameByte = fc.oneof(
  fc.constantFrom(...Buffer.from('abAB.-\n')),
  fc.integer({ min: 1, max: 255 }).filter((byte) => byte !== 47),
);
const name = fc
  .array(nameByte, { minLength: 1, maxLength: 6 })
  .map((bytes) => Uint8Array.from(bytes))
  .filter((bytes) => !['.', '..'].includes(Buffer.from(bytes).toString('latin1')));
const path = fc
  .array(name, { minLength: 1, maxLength: 3 })
  .map((names) => names.map((one) => pathFromBytes(one)).join('/') as BytePath);

const content = fc.oneof(
  fc.uint8Array({ maxLength: 100 }),
  // Few letters and long: files that share chunks, and files of several.
  fc
    .record({ length: fc.integer({ min: 0, max: 300_000 }), letter: fc.integer({ min: 0, max: 3 }) })
    .map(({ length, letter }) => Buffer.alloc(length, letter)),
);

const planned = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('file' as const), executable: fc.boolean(), content }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('folder' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('link' as const), target: name.map(pathFromBytes) }),
  },
);

/** A manifest as packing some tree would give it. Paths may conflict: the body's codec doesn't ask. */
export const manifest: fc.Arbitrary<Manifest> = fc
  .record({
    app: fc.stringMatching(/^[a-z][a-z0-9._-]{0,20}$/),
    version: fc.stringMatching(/^[0-9][A-Za-z0-9._+-]{0,20}$/),
    commit: fc.option(fc.constantFrom('0'.repeat(40), 'ab'.repeat(32)), { nil: undefined }),
    timeSeconds: fc.option(fc.integer({ min: 0, max: 2 ** 40 }), { nil: undefined }),
    entries: fc.uniqueArray(fc.tuple(path, planned), { selector: ([one]) => one, maxLength: 12 }),
  })
  .map(({ app, version, commit, timeSeconds, entries: plan }) => {
    const sorted = plan.sort(([a], [b]) => (a < b ? -1 : 1));
    const total = sorted.reduce((sum, [, what]) => sum + (what.kind === 'file' ? what.content.length : 0), 0);
    const builder = new ContentBuilder(pieceLengthFor(total));
    for (const [at, what] of sorted) {
      if (what.kind !== 'file') continue;
      builder.begin({ path: at, executable: what.executable });
      builder.bytes(what.content);
      builder.end();
    }
    const { files, chunks, pieces } = builder.finish();
    const byPath = new Map(files.map((file) => [file.path, file]));
    const entries = sorted.map(([at, what]): Entry => {
      if (what.kind === 'file') return byPath.get(at)!;
      return what.kind === 'link'
        ? { kind: 'link', path: at, target: what.target }
        : { kind: 'folder', path: at };
    });
    return {
      app,
      version,
      ...(commit === undefined ? {} : { commit }),
      ...(timeSeconds === undefined ? {} : { timeSeconds }),
      entries,
      chunks,
      pieceLength: pieceLengthFor(total),
      pieces,
    };
  });

/** Whether no entry lies below another that is no folder, and no two differ only in case: what the rules ask. */
export function isPlain({ entries }: Manifest): boolean {
  const paths = new Set(entries.map(({ path: one }) => one.toLowerCase()));
  return (
    paths.size === entries.length &&
    entries.every(({ path: one }) => {
      for (let at = parentPath(one); at !== ''; at = parentPath(at))
        if (paths.has(at.toLowerCase())) return false;
      return true;
    })
  );
}

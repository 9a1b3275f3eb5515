import { appendFile, chmod, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Random, temporaryFolder } from '@rookery/testkit';
import { expect, test } from 'vitest';
import { planReuse } from '../../src/release/reuse.ts';
import { assemble } from '../../src/tree/assemble.ts';
import { compareTree } from '../../src/tree/compare.ts';
import { createPieceReader } from '../../src/tree/piece-reader.ts';
import { openStaging } from '../../src/tree/staging.ts';
import { layoutOf, packFolder, plant } from '../support.ts';

test('whatever is wrong in a staging folder is set right by writing the pieces of the files concerned', async () => {
  await using source = await temporaryFolder();
  await using target = await temporaryFolder();
  await using outside = await temporaryFolder();
  await plant(outside.path, { 'er/f': 'precious', more: 'precious' });
  const same = new Random(1).bytes(60_000);
  await plant(source.path, {
    'a/twice': same,
    'b/twice-again': same,
    'c/longer': new Random(2).bytes(30_000),
    'c/altered': new Random(3).bytes(30_000),
    'c/fine': new Random(4).bytes(90_000),
    'd/mode': { executable: '#!/bin/sh\n' },
    'e/kind': 'kind',
    'fold/er/f': 'f',
    link: { link: 'c/fine' },
    none: '',
    'empty/folder': 'folder!',
  });
  const layout = layoutOf(await packFolder(source.path));
  const plan = planReuse(layout, [{ folder: source.path, content: layout.manifest }]);
  await using staging = await openStaging(target.path, layout);
  await assemble(plan, staging);
  await staging.finish();
  const at = (path: string): string => join(target.path, path);
  // As a kill between the two writes of a piece leaves it.
  await rm(at('b/twice-again'));
  await appendFile(at('c/longer'), 'tail');
  await writeFile(at('c/altered'), new Random(5).bytes(30_000));
  await chmod(at('d/mode'), 0o600);
  await rm(at('e/kind'));
  await mkdir(at('e/kind/of'), { recursive: true });
  await rm(at('fold'), { recursive: true });
  await symlink(outside.path, at('fold'));
  await rm(at('link'));
  await symlink('none', at('link'));
  await chmod(at('none'), 0o777);
  await rm(at('empty'), { recursive: true });
  await writeFile(Buffer.concat([Buffer.from(at('')), Buffer.of(0xff)]), 'extra');
  await mkdir(Buffer.concat([Buffer.from(at('extra-')), Buffer.of(0xfe)]));
  await writeFile(Buffer.concat([Buffer.from(at('extra-')), Buffer.from([0xfe, 0x2f, 0xfd])]), 'extra');

  const differences = await compareTree(layout.manifest, target.path, { exactModes: true });
  expect(new Set(differences.map(({ kind }) => kind))).toEqual(
    new Set(['missing', 'changed', 'wrong-mode', 'wrong-kind', 'wrong-link', 'extra']),
  );
  const pieces = await staging.restore(differences);
  expect(pieces.length).toBeLessThan(layout.pieceCount);
  await using reader = createPieceReader(plan);
  for (const piece of pieces) await staging.write(piece, (await reader.read(piece))!);
  await staging.finish();
  expect(await compareTree(layout.manifest, target.path, { exactModes: true })).toEqual([]);
  expect(await readFile(join(outside.path, 'er/f'), 'utf8')).toBe('precious');
  expect(await readdir(outside.path)).toEqual(['er', 'more']);
});

test('a try that was killed before it had set the modes of folders and empty files is taken up', async () => {
  await using source = await temporaryFolder();
  await using target = await temporaryFolder();
  await plant(source.path, { 'folder/none': { executable: '' }, 'empty/folder': 'folder!' });
  const layout = layoutOf(await packFolder(source.path));
  await mkdir(join(target.path, 'folder'), { mode: 0o700 });
  await writeFile(join(target.path, 'folder/none'), '', { mode: 0o600 });
  await using staging = await openStaging(target.path, layout, { resume: true });
  await staging.finish();
  expect(await compareTree(layout.manifest, target.path, { exactModes: true })).toEqual([]);
  expect((await stat(join(target.path, 'folder'))).mode & 0o777).toBe(0o755);
});

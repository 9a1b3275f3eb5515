import { appendFile, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { temporaryFolder } from '@rookery/testkit';
import { expect, test } from 'vitest';
import { RecordedFiles, type RecordOptions } from '../../src/record/files.ts';
import { endOf, fileName } from '../../src/record/name.ts';

const at = Date.UTC(2026, 10, 22, 4, 59, 59);

function options(directory: string, more: Partial<RecordOptions> = {}): RecordOptions {
  return {
    directory,
    name: '%g.%Y%m%dT%H%M%SZ.log',
    maxBytes: 0,
    everyMs: 0,
    syncMs: 1000,
    compress: false,
    keep: 0,
    ...more,
  };
}

test('names are strftime’s, in UTC, and a group can’t lead out of the folder', () => {
  expect(fileName('%g/%Y-%m-%d/%H%M%S-%s-100%%', 'web', new Date(at))).toBe(
    `web/2026-11-22/045959-${at / 1000}-100%`,
  );
  expect(fileName('%g', '../etc', new Date(at))).toBe('=2e.=2fetc');
  expect(() => fileName('%q', 'g', new Date(at))).toThrow('%q is none of');
  expect(endOf(at, 3_600_000)).toBe(Date.UTC(2026, 10, 22, 5));
});

test('a file ends by size and with the hour, and has its name only when it is whole', async () => {
  await using folder = await temporaryFolder();
  const files = await RecordedFiles.open('g', options(folder.path, { maxBytes: 10, everyMs: 3_600_000 }), at);
  await files.write(Buffer.from('12345\n67890\n'), at);
  expect(await readdir(folder.path)).toContain('g.20261122T045959Z.log.part');
  await files.write(Buffer.from('more\n'), at);
  expect(files.finished).toEqual(['g.20261122T045959Z.log']);
  expect(await readFile(join(folder.path, 'g.20261122T045959Z.log'), 'utf8')).toBe('12345\n67890\n');
  await files.tick(at + 500);
  expect(files.finished).toHaveLength(1);
  await files.tick(at + 1000);
  expect(files.finished).toEqual(['g.20261122T045959Z.log', 'g.20261122T045959Z.log.1']);
  await files.close();
});

test('after a crash it goes on with the file that was begun, cut at its last whole line', async () => {
  await using folder = await temporaryFolder();
  const first = await RecordedFiles.open('g', options(folder.path), at);
  await first.write(Buffer.from('one\ntwo\n'), at);
  await first.close();
  const part = join(folder.path, 'g.20261122T045959Z.log.part');
  await appendFile(part, 'half a li');
  const again = await RecordedFiles.open('g', options(folder.path), at);
  await again.write(Buffer.from('three\n'), at + 5000);
  await again.finish();
  expect(await readFile(join(folder.path, 'g.20261122T045959Z.log'), 'utf8')).toBe('one\ntwo\nthree\n');
  await again.close();
});

test('finished files are compressed if asked for, and the oldest go', async () => {
  await using folder = await temporaryFolder();
  const files = await RecordedFiles.open(
    'g',
    options(folder.path, { maxBytes: 1, compress: true, keep: 2 }),
    at,
  );
  for (let second = 0; second < 4; second++)
    await files.write(Buffer.from(`line ${second}\n`), at + second * 1000);
  await files.finish();
  await files.close();
  expect((await readdir(folder.path)).sort()).toEqual([
    'g.20261122T050001Z.log.gz',
    'g.20261122T050002Z.log.gz',
    'g.files',
  ]);
  expect(gunzipSync(await readFile(join(folder.path, 'g.20261122T050002Z.log.gz'))).toString()).toBe(
    'line 3\n',
  );
});

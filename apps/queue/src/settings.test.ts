import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadSettings } from '@rookery/service';
import { type TemporaryFolder, temporaryFolder } from '@rookery/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { settingsDefinition } from './settings.ts';

let folder: TemporaryFolder;

beforeAll(async () => {
  folder = await temporaryFolder();
});

afterAll(async () => {
  await folder.remove();
});

async function load(toml: string) {
  const config = join(folder.path, 'queue.toml');
  await writeFile(config, toml);
  return loadSettings(settingsDefinition, { flags: { config }, environment: {} }).values;
}

test('names in the file are bytes of UTF-8, wherever they stand', async () => {
  const { queues, aliases } = await load(
    '[queues."jöbs"]\nexpire_to_queue = "späte"\n[aliases]\n"älle" = ["jöbs"]\n',
  );
  expect(queues).toEqual({ 'j\xc3\xb6bs': { expireToQueue: 'sp\xc3\xa4te' } });
  expect(aliases).toEqual({ '\xc3\xa4lle': ['j\xc3\xb6bs'] });
});

test('an alias of nothing is refused: a put to it would be answered and lost', async () => {
  await expect(load('[aliases]\nall = []\n')).rejects.toThrow(/at least one queue/);
});

test('a queue that nobody could read is refused as a place to put messages', async () => {
  await expect(load('[aliases]\nall = ["q/open"]\n')).rejects.toThrow(/nobody could read it/);
  await expect(load('[queues.q]\nexpire_to_queue = "late/t=5"\n')).rejects.toThrow(/nobody could read it/);
});

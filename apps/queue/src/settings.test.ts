import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadSettings, type ServiceError } from '@rookery/service';
import { type TemporaryFolder, temporaryFolder } from '@rookery/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkedSettings, settingsDefinition } from './settings.ts';

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

test('what a program gives is checked as a file is', () => {
  const given = {
    port: 0,
    sync: { everyMs: 1000 },
    queueDefaults: { maxItems: 5 },
    queues: { jöbs: { expireToQueue: 'späte', maxAgeMs: 60_000 } },
  };
  expect(checkedSettings(given)).toMatchObject({
    ...given,
    queues: { 'j\xc3\xb6bs': { expireToQueue: 'sp\xc3\xa4te', maxAgeMs: 60_000 } },
    maxWaits: 100_000,
  });
  const wrong = {
    port: 70_000,
    maxWaits: 0,
    maxWait: 5,
    sync: { everyMs: 0 },
    queues: { q: { maxItems: -1, maxThings: 3 } },
    aliases: { all: [] },
  };
  const problems = thrownBy(() => checkedSettings(wrong as never)).problems;
  expect(problems.map((problem) => problem.split(':')[0])).toEqual([
    'port',
    'maxWaits',
    'maxWait',
    'sync',
    'queues.q.max_items',
    'queues.q',
    'aliases.all',
  ]);
});

function thrownBy(call: () => unknown): ServiceError {
  try {
    call();
  } catch (error) {
    return error as ServiceError;
  }
  throw new Error('nothing was thrown');
}

import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { temporaryFolder } from '@rookery/testkit';
import { expect, test } from 'vitest';
import { nodeDisk } from '../disk/node-disk.ts';
import { openLog } from './open.ts';

const index = fileURLToPath(new URL('../index.ts', import.meta.url));

test('a second process is refused, and let in when the first one has gone', async () => {
  await using folder = await temporaryFolder();
  const log = await openLog({ disk: nodeDisk, directory: folder.path, sync: 'always' });
  const script = `
    const { openLog, nodeDisk } = await import(${JSON.stringify(index)});
    try {
      await openLog({ disk: nodeDisk, directory: ${JSON.stringify(folder.path)}, sync: 'always' });
      console.log('opened');
      process.kill(process.pid, 'SIGKILL');
    } catch (error) {
      console.log(error.code);
    }`;
  const args = ['--input-type=module', '--eval', script];
  const second = await promisify(execFile)(process.execPath, args);
  expect(second.stdout.trim()).toBe('log-locked');
  // Nothing but that: no announcement of an experiment either.
  expect(second.stderr).toBe('');
  await expect(openLog({ disk: nodeDisk, directory: folder.path, sync: 'always' })).rejects.toMatchObject({
    code: 'log-locked',
  });
  await log.close();
  const third = await promisify(execFile)(process.execPath, args).catch((error) => error);
  expect(third.stdout.trim()).toBe('opened');
  // That one was killed with the log open: the lock died with it.
  await (await openLog({ disk: nodeDisk, directory: folder.path, sync: 'always' })).close();
});

test('a lock that can not be opened is told with its path and what to look at', async () => {
  await using folder = await temporaryFolder();
  // As for a folder of another user, which root could write all the same.
  await mkdir(join(folder.path, 'lock'));
  await expect(openLog({ disk: nodeDisk, directory: folder.path, sync: 'always' })).rejects.toThrow(
    `Cannot lock ${join(folder.path, 'lock')}: it is no file, or this user may not write it`,
  );
});

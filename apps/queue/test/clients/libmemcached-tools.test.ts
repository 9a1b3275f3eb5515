import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TemporaryFolder, temporaryFolder } from '@rookery/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeClient, everyByte, megabyte, run, sharedQueue, whyUnusable } from './clients.ts';

const whyNot = whyUnusable('libmemcached-tools', 'memccp', ['--version']);

/**
 * What memccapable asks of a server that a queue does as well. It leaves out to change a value in place (replace,
 * append, prepend, incr, decr, cas, a set with a cas), and to refuse surplus words behind `stats`.
 */
const forQueuesToo: Readonly<Record<string, readonly string[]>> = {
  ascii: [
    ...['version', 'quit', 'set', 'set noreply', 'get', 'gets', 'mget', 'flush', 'flush noreply'],
    ...['add', 'add noreply', 'replace noreply', 'cas noreply', 'delete', 'delete noreply', 'verbosity'],
  ],
  binary: [
    ...['noop', 'quit', 'quitq', 'flush', 'flushq', 'add', 'addq', 'replaceq', 'delete', 'deleteq'],
    ...['get', 'getq', 'getk', 'getkq', 'version', 'stat'],
  ],
};

describeClient('libmemcached’s tools', whyNot, () => {
  const queue = sharedQueue();
  let folder: TemporaryFolder;

  beforeAll(async () => {
    folder = await temporaryFolder();
  });
  afterAll(() => folder.remove());

  const tool = (name: string, ...args: string[]): ReturnType<typeof run> =>
    run(name, [`--servers=${queue.address}`, ...args], folder.path);

  /** memccp puts files under their names. */
  async function put(name: string, body: Buffer | string, ...options: string[]): Promise<number | null> {
    await writeFile(join(folder.path, name), body);
    return (await tool('memccp', ...options, name)).code;
  }

  /** memccat prints each value and a line end. */
  async function get(...args: string[]): Promise<Buffer | undefined> {
    const { code, stdout } = await tool('memccat', ...args);
    return code === 0 ? stdout.subarray(0, -1) : undefined;
  }

  describe.each([
    ['text', []],
    ['binary', ['--binary']],
  ])('over the %s protocol', (wire, options) => {
    const name = (word: string): string => `${wire}-${word}`;

    it('puts a file with memccp and gets it once with memccat', async () => {
      expect(await put(name('plain'), 'hello', ...options)).toBe(0);
      expect((await get(...options, name('plain')))?.toString()).toBe('hello');
      expect(await get(...options, name('plain'))).toBeUndefined();
    });

    it('gets every byte back, an empty file, and a megabyte', async () => {
      for (const body of [everyByte, Buffer.alloc(0), megabyte]) {
        expect(await put(name('bytes'), body, ...options)).toBe(0);
        expect((await get(...options, name('bytes')))?.equals(body)).toBe(true);
      }
    });

    it('gets the flags back', async () => {
      expect(await put(name('flagged'), 'hello', ...options, '--flags=305419896')).toBe(0);
      expect((await get(...options, '--flags', name('flagged')))?.toString()).toBe('305419896\nhello');
    });

    it('puts and gets several in one go, in order', async () => {
      expect(await put(name('one'), 'first', ...options)).toBe(0);
      expect(await put(name('one'), 'second', ...options)).toBe(0);
      expect(await put(name('two'), 'other', ...options)).toBe(0);
      const { code, stdout } = await tool('memccat', ...options, name('one'), name('two'), name('one'));
      expect(code).toBe(0);
      expect(stdout.toString()).toBe('first\nother\nsecond\n');
    });

    it('asks with memcexist whether there is something, and takes nothing', async () => {
      expect((await tool('memcexist', ...options, name('there'))).code).toBe(1);
      await put(name('there'), 'x', ...options);
      expect((await tool('memcexist', ...options, name('there'))).code).toBe(0);
      expect((await get(...options, name('there')))?.toString()).toBe('x');
    });

    it('gets back what a tool held open when it ended', async () => {
      await put(name('held'), 'job', ...options);
      for (const option of ['/open', '/open', '/peek', '/t=100', '']) {
        const got = await get(...options, name('held') + option);
        expect(got?.toString()).toBe(option === '' ? undefined : 'job');
      }
    });

    it('deletes a queue with memcrm, and is told that one is missing', async () => {
      await put(name('deleted'), 'x', ...options);
      expect((await tool('memcrm', ...options, name('deleted'))).code).toBe(0);
      expect(await get(...options, name('deleted'))).toBeUndefined();
      expect((await tool('memcrm', ...options, name('missing'))).code).toBe(1);
    });

    it('finds with memctouch nothing to prolong, and takes nothing', async () => {
      await put(name('touched'), 'x', ...options);
      expect((await tool('memctouch', ...options, name('touched'))).code).toBe(1);
      expect((await get(...options, name('touched')))?.toString()).toBe('x');
    });

    it('flushes with memcflush', async () => {
      await put(name('flushed'), 'x', ...options);
      expect((await tool('memcflush', ...options)).code).toBe(0);
      expect(await get(...options, name('flushed'))).toBeUndefined();
    });
  });

  it('answers memcping, which asks for the version', async () => {
    expect((await tool('memcping')).code).toBe(0);
  });

  it('shows its figures to memcstat', async () => {
    await put('counted', 'x');
    const { code, stdout } = await tool('memcstat');
    expect(code).toBe(0);
    expect(stdout.toString()).toMatch(/\tversion: \d+\.\d+\.\d+/);
    expect(stdout.toString()).toContain('\tqueue_counted_items: 1\n');
  });

  it('has no keys to list for memcdump, which ends well', async () => {
    const { code, stdout } = await tool('memcdump');
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 0, stdout: '' });
  });

  it.each(['ascii', 'binary'])('does what memccapable checks of the %s protocol', async (wire) => {
    const { stdout } = await run('memccapable', [
      '-h',
      queue.host,
      '-p',
      String(queue.port),
      wire === 'ascii' ? '-a' : '-b',
    ]);
    // It tells failures on the other output, without a line end on this one.
    const passed = [...stdout.toString().matchAll(/(?:ascii|binary) ([a-z]+(?: noreply)?) +\[pass\]/g)];
    expect(passed.map(([, test]) => test)).toEqual(expect.arrayContaining([...forQueuesToo[wire]!]));
  });
});

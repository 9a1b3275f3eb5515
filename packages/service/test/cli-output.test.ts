import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createOutput, interruptible, linesOf, table, wholeOf } from '../src/index.ts';

async function* chunks(...texts: readonly string[]): AsyncGenerator<Buffer> {
  for (const text of texts) yield Buffer.from(text);
}

describe('standard input as messages', () => {
  it('is cut at line ends, wherever its pieces end, and the last line needs none', async () => {
    const lines: string[] = [];
    for await (const line of linesOf(chunks('one\ntw', 'o', '\n\nla', 'st'))) lines.push(line.toString());
    expect(lines).toEqual(['one', 'two', '', 'last']);
  });

  it('is one message otherwise', async () => {
    expect((await wholeOf(chunks('a\n', '', 'b'))).toString()).toBe('a\nb');
    expect(await wholeOf(chunks())).toHaveLength(0);
  });
});

describe('a table', () => {
  it('has words at the left and numbers at the right, and nothing behind a line', () => {
    const rows = [
      ['jobs', 12, ''],
      ['a long name', 3, 'full'],
    ] as const;
    expect(table(['queue', 'items', 'state'], rows)).toBe(
      'queue        items  state\njobs            12\na long name      3  full\n',
    );
  });
});

describe('standard output', () => {
  it('makes a writer wait for its reader, and not for one that has gone', async () => {
    const stream = new PassThrough({ highWaterMark: 4 });
    const output = createOutput(stream as unknown as NodeJS.WriteStream, new AbortController().signal);
    expect(output.write('abc')).toBeUndefined();
    const waiting = output.write('defgh');
    expect(waiting).toBeInstanceOf(Promise);
    expect(stream.read()?.toString()).toBe('abc');
    expect(stream.read()?.toString()).toBe('defgh');
    await waiting;
    const another = output.write('more than it holds');
    stream.destroy();
    await once(output.ended, 'abort');
    await another;
    await output.flush();
  });
});

describe('a command that runs until Ctrl-C', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('is asked to end by %s, and its exit code says so', async (name, code) => {
    const run = interruptible(async (signal) => {
      process.emit(name, name);
      expect(signal.aborted).toBe(true);
      // The second one that npm passes on is the same.
      process.emit(name, name);
      throw new Error('what was under way');
    });
    expect(await run).toBe(code);
  });

  it('that ends by itself ends with 0, and fails with its error', async () => {
    expect(await interruptible(async () => undefined)).toBe(0);
    await expect(interruptible(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
  });
});

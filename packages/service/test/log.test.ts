import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it, vi } from 'vitest';
import { createLogger, flushLog, setLogLevel } from '../src/index.ts';
import { LineWriter } from '../src/log/stdout.ts';

function capture() {
  const lines: string[] = [];
  return { lines, destination: { write: (line: string) => void lines.push(line) } };
}

describe('the log', () => {
  it('is one JSON object a line, with time, level, name and part', () => {
    const { lines, destination } = capture();
    createLogger({ name: 'rookery-x', destination }).child({ part: 'admin' }).info({ port: 1 }, 'listening');
    expect(lines).toHaveLength(1);
    const line = JSON.parse(lines[0]!);
    expect(line).toMatchObject({
      level: 'info',
      name: 'rookery-x',
      part: 'admin',
      port: 1,
      msg: 'listening',
    });
    expect(line.time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  it('can be pretty without a terminal, and is plain without colour', () => {
    const { lines, destination } = capture();
    const log = createLogger({ name: 'rookery-x', destination, format: 'pretty' });
    log.child({ part: 'admin' }).warn({ port: 1 }, 'slow');
    expect(lines.join('')).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] WARN: \[admin\] slow \{"port":1\}\n$/);
  });

  it('shows the stack of an error', () => {
    const { lines, destination } = capture();
    createLogger({ name: 'x', destination }).error({ err: new Error('gone') }, 'failed');
    expect(JSON.parse(lines[0]!).err).toMatchObject({
      type: 'Error',
      message: 'gone',
      stack: expect.any(String),
    });
  });

  it('never shows a token', () => {
    const { lines, destination } = capture();
    const log = createLogger({ name: 'x', destination });
    log.info({ token: 'hunter2', headers: { authorization: 'Bearer hunter2' } }, 'request');
    expect(lines.join('')).not.toContain('hunter2');
  });

  it('follows a new level in every part', async () => {
    const { lines, destination } = capture();
    const log = createLogger({ name: 'x', destination });
    const grandchild = log.child({ part: 'a' }).child({ connection: 1 });
    grandchild.debug('unheard');
    setLogLevel(log, 'debug');
    grandchild.debug('heard');
    await flushLog(log);
    expect(lines.map((line) => JSON.parse(line).msg)).toEqual(['heard']);
  });
});

it('many servers of one process share its stdout, and one thing to do at its exit', () => {
  const before = process.listenerCount('exit');
  const loggers = Array.from({ length: 20 }, (_, index) =>
    createLogger({ name: `server-${index}`, format: 'json' }),
  );
  expect(loggers).toHaveLength(20);
  expect(process.listenerCount('exit') - before).toBeLessThanOrEqual(1);
});

describe('a reader of the log', () => {
  function pipe(bytesMax: number, code = 'EAGAIN') {
    let room = 0;
    let got = '';
    const writer = new LineWriter((bytes) => {
      if (room === 0) throw Object.assign(new Error('full'), { code });
      const taken = Math.min(room, bytes.length);
      room -= taken;
      got += bytes.toString('utf8', 0, taken);
      return taken;
    }, bytesMax);
    const read = (bytes: number): void => {
      room += bytes;
    };
    return { writer, read, got: () => got };
  }

  it('that is slow gets every line in order', async () => {
    const { writer, read, got } = pipe(1000);
    for (let n = 0; n < 10; n++) writer.write(`line ${n}\n`);
    const flushed = new Promise<void>((resolve) => writer.flush(resolve));
    expect(got()).toBe('');
    read(11);
    await vi.waitFor(() => expect(got()).toBe('line 0\nline'), { timeout: 10_000 });
    read(1000);
    await flushed;
    expect(got().split('\n')).toHaveLength(11);
  });

  it('that is stuck loses lines, hears how many, and costs no more memory', async () => {
    const { writer, read, got } = pipe(14);
    for (let n = 0; n < 10; n++) writer.write(`line ${n}\n`);
    read(1000);
    await vi.waitFor(() => expect(got()).toContain('line 1\n{'), { timeout: 10_000 });
    expect(JSON.parse(got().split('\n')[2]!)).toMatchObject({
      level: 'warn',
      dropped: 8,
      msg: 'log lines dropped',
    });
  });

  it('that is stuck holds an exit back for a moment only', () => {
    const { writer } = pipe(1000);
    writer.write('line\n');
    const began = performance.now();
    writer.flushSync(50);
    expect(performance.now() - began).toBeLessThan(5000);
  });

  it('that has gone is forgotten', async () => {
    const writer = new LineWriter(() => {
      throw Object.assign(new Error('gone'), { code: 'EPIPE' });
    });
    writer.write('line\n');
    await new Promise<void>((resolve) => writer.flush(resolve));
  });

  it('that is a file on a full disk gets every line when there is room again', async () => {
    const { writer, read, got } = pipe(1000, 'ENOSPC');
    writer.write('line 1\n');
    writer.write('line 2\n');
    expect(got()).toBe('');
    read(1000);
    await vi.waitFor(() => expect(got()).toBe('line 1\nline 2\n'), { timeout: 10_000 });
  });

  it('that reads nothing costs a server that stops neither its end nor its exit code', async () => {
    const index = new URL('../src/index.ts', import.meta.url).href;
    const script = `
      import { createLogger, flushLog } from ${JSON.stringify(index)};
      const log = createLogger({ name: 'rookery-x', format: 'json' });
      // Far more than a pipe holds.
      for (let n = 0; n < 3000; n++) log.info({ pad: 'p'.repeat(1000) }, 'line');
      await flushLog(log);
      process.exit(7);`;
    const args = ['--conditions=@rookery/source', '--input-type=module', '--eval', script];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    child.stdout.pause();
    const [code] = await once(child, 'exit');
    expect(code).toBe(7);
  });
});

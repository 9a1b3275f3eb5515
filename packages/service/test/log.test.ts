import { describe, expect, it } from 'vitest';
import { createLogger, flushLog, setLogLevel } from '../src/index.ts';

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

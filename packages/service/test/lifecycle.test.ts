import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createLifecycle, createLogger, type Lifecycle, type Part, ServiceError } from '../src/index.ts';

function server(deadlineMs = 1000) {
  const lines: string[] = [];
  const log = createLogger({ name: 'test', destination: { write: (line) => void lines.push(line) } });
  const events: string[] = [];
  const lifecycle = createLifecycle({ log, deadlineMs });
  const add = (name: string, part: Partial<Part> = {}): void =>
    lifecycle.add({
      name,
      ...(part.starting === undefined ? {} : { starting: part.starting }),
      start: async (signal) => {
        await part.start?.(signal);
        events.push(`${name} started`);
      },
      stop: async (deadline) => {
        await part.stop?.(deadline);
        events.push(`${name} stopped`);
      },
    });
  return { lifecycle, events, lines, add };
}

describe('a server', () => {
  it('starts its parts in order and stops them in reverse', async () => {
    const { lifecycle, events, add } = server();
    add('log');
    add('listener');
    await lifecycle.start();
    expect(lifecycle.notReady()).toBeUndefined();
    expect(await lifecycle.stop()).toBe(0);
    expect(events).toEqual(['log started', 'listener started', 'listener stopped', 'log stopped']);
    expect(await lifecycle.done).toBe(0);
  });

  it('is not ready before its last part has started, nor from the first moment of a stop', async () => {
    const { lifecycle, add } = server();
    const seen: (string | undefined)[] = [lifecycle.notReady()];
    add('log', { starting: 'recovering', start: async () => void seen.push(lifecycle.notReady()) });
    add('listener', {
      start: async () => void seen.push(lifecycle.notReady()),
      stop: async () => void seen.push(lifecycle.notReady()),
    });
    await lifecycle.start();
    await lifecycle.stop();
    expect([...seen, lifecycle.notReady()]).toEqual([
      'not started',
      'recovering',
      'starting listener',
      'draining',
      'stopped',
    ]);
  });

  it('that can not start stops what had started, and says which part it was', async () => {
    const { lifecycle, events, add } = server();
    const cause = new ServiceError('LISTEN_FAILED', 'the port is taken');
    add('log');
    add('listener', { start: () => Promise.reject(cause) });
    add('never');
    await expect(lifecycle.start()).rejects.toMatchObject({
      code: 'START_FAILED',
      message: 'listener did not start: the port is taken',
      cause,
    });
    expect(events).toEqual(['log started', 'log stopped']);
    expect(await lifecycle.done).toBe(1);
  });

  it('told to stop while it starts does not start the rest', async () => {
    const { lifecycle, events, add } = server();
    add('log', { start: () => sleep(50) });
    add('never');
    const starting = expect(lifecycle.start()).rejects.toMatchObject({ code: 'START_ABORTED' });
    expect(await lifecycle.stop('SIGTERM')).toBe(0);
    await starting;
    expect(events).toEqual(['log started', 'log stopped']);
  });

  it('whose part fails while it runs stops everything and exits 1', async () => {
    const { lifecycle, events, lines, add } = server();
    add('log');
    await lifecycle.start();
    lifecycle.fail(new Error('the disk is gone'));
    expect(await lifecycle.done).toBe(1);
    expect(events).toEqual(['log started', 'log stopped']);
    expect(lines.map((line) => JSON.parse(line)).find((line) => line.level === 'fatal').msg).toBe(
      'the disk is gone',
    );
  });
});

describe('a stop', () => {
  const hang = (): Promise<void> => new Promise(() => undefined);

  async function stopped(lifecycle: Lifecycle, reason: Parameters<Lifecycle['stop']>[0]) {
    await lifecycle.start();
    const began = performance.now();
    const code = await lifecycle.stop(reason);
    return { code, seconds: (performance.now() - began) / 1000 };
  }

  it.concurrent.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
    ['asked', 1],
  ] as const)(
    'by %s that hangs ends at the deadline with %i, and still stops the other parts',
    async (reason, code) => {
      // A second of it is kept for the log, which needs more than its 20 ms on a busy machine.
      const { lifecycle, events, add } = server(4000);
      add('log', { stop: () => sleep(20) });
      add('listener', { stop: hang });
      const result = await stopped(lifecycle, reason);
      expect(result.code).toBe(code);
      expect(result.seconds).toBeLessThan(10);
      expect(events).toContain('log stopped');
    },
  );

  it('tells a part when its time is over, so that it can cut its connections', async () => {
    const { lifecycle, events, add } = server(100);
    add('listener', {
      stop: ({ signal, remainingMs }) => {
        expect(remainingMs()).toBeGreaterThan(0);
        return new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
      },
    });
    await stopped(lifecycle, 'SIGTERM');
    expect(events).toContain('listener stopped');
  });

  it('goes on after a part that throws, and exits 1', async () => {
    const { lifecycle, events, add } = server();
    add('log');
    add('listener', {
      stop: () => {
        throw new Error('no');
      },
    });
    expect((await stopped(lifecycle, 'SIGTERM')).code).toBe(1);
    expect(events).toContain('log stopped');
  });

  it('happens once, however often it is asked for', async () => {
    const { lifecycle, events, add } = server();
    add('log', { stop: () => sleep(20) });
    await lifecycle.start();
    expect(await Promise.all([lifecycle.stop(), lifecycle.stop('SIGTERM')])).toEqual([0, 0]);
    expect(events.filter((event) => event === 'log stopped')).toHaveLength(1);
  });

  it('that is forced ends at once', async () => {
    const { lifecycle, add } = server(60_000);
    add('log', { stop: hang });
    await lifecycle.start();
    void lifecycle.stop('SIGTERM');
    lifecycle.force('SIGINT');
    expect(await lifecycle.done).toBe(130);
  });
});

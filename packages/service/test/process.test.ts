import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, describe, expect, it } from 'vitest';

// A real process, its real signals and what it leaves on stdout and stderr.

const FIXTURE = fileURLToPath(new URL('./fixtures/server.ts', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'rookery-process-'));
const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});
afterAll(() => rmSync(directory, { recursive: true }));

interface Line {
  readonly level: string;
  readonly msg: string;
  readonly [key: string]: unknown;
}

function run(argv: readonly string[] = [], environment: Record<string, string> = {}) {
  const child = spawn(process.execPath, [FIXTURE, ...argv], {
    env: { PATH: process.env.PATH ?? '', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  const lines: Line[] = [];
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    const whole = (rest + chunk).split('\n');
    rest = whole.pop()!;
    lines.push(...whole.map((line) => JSON.parse(line) as Line));
  });
  const stderr = text(child.stderr);
  const closed = once(child, 'close');
  async function said(message: string): Promise<Line> {
    for (;;) {
      const found = lines.find((line) => line.msg === message);
      if (found !== undefined) return found;
      if (child.exitCode !== null) throw new Error(`ended without saying ${message}: ${await stderr}`);
      await sleep(10);
    }
  }
  async function ready(): Promise<string> {
    const url = String((await said('admin listening')).url);
    for (;;) {
      if ((await fetch(`${url}/readyz`)).ok) return url;
      await sleep(10);
    }
  }
  async function exit() {
    const [code, signal] = await closed;
    return { code, signal, stderr: await stderr };
  }
  return { child, lines, said, ready, exit };
}

describe('a server process', () => {
  it('drains at SIGTERM, saying not ready meanwhile, and exits 0 with its last line written', async () => {
    const { child, lines, ready, said, exit } = run(['--drain-ms', '2s']);
    const url = await ready();
    child.kill('SIGTERM');
    await said('stopping');
    const answer = await fetch(`${url}/readyz`);
    expect([answer.status, (await answer.json()) as unknown]).toMatchObject([503, { reason: 'draining' }]);
    expect(await exit()).toMatchObject({ code: 0, signal: null, stderr: '' });
    expect(lines.at(-1)).toMatchObject({ msg: 'stopped', exitCode: 0 });
  });

  it('exits 0 after a clean SIGINT too', async () => {
    const { child, ready, exit } = run();
    await ready();
    child.kill('SIGINT');
    expect((await exit()).code).toBe(0);
  });

  it('exits 143 when the drain takes longer than its deadline', async () => {
    const { child, ready, exit } = run(['--drain-ms', '1m', '--stop-timeout-ms', '200']);
    await ready();
    child.kill('SIGTERM');
    expect((await exit()).code).toBe(143);
  });

  it('ends at once at a second signal, but not at one Ctrl-C that comes twice', async () => {
    const { child, ready, said, lines, exit } = run(['--drain-ms', '1m']);
    await ready();
    child.kill('SIGINT');
    // Both at once would be one.
    await said('stopping');
    child.kill('SIGINT');
    await sleep(600);
    expect(child.exitCode).toBeNull();
    child.kill('SIGINT');
    expect((await exit()).code).toBe(130);
    expect(lines.at(-1)?.msg).toBe('stop forced, what was not drained is cut off');
  });

  it('exits 143 when its recovery does not listen to a stop', async () => {
    const { child, said, exit } = run(['--recovery-ms', '1m', '--stop-timeout-ms', '200']);
    await said('admin listening');
    child.kill('SIGTERM');
    expect((await exit()).code).toBe(143);
  });

  it('answers probes while it recovers, and a signal then stops it', async () => {
    const { child, said, exit } = run(['--recovery-ms', '2s']);
    const { url } = await said('admin listening');
    const answer = await fetch(`${String(url)}/readyz`);
    expect([answer.status, (await answer.json()) as unknown]).toMatchObject([503, { reason: 'recovering' }]);
    expect((await fetch(`${String(url)}/livez`)).status).toBe(200);
    child.kill('SIGTERM');
    expect((await exit()).code).toBe(0);
  });

  it.each([
    ['throw', 'a bug'],
    ['disk', 'the disk is gone'],
  ])('logs a fatal error (%s), stops in order and exits 1', async (what, message) => {
    const { ready, lines, exit } = run();
    await fetch(`${await ready()}/break/${what}`, { method: 'POST' }).catch(() => undefined);
    expect((await exit()).code).toBe(1);
    expect(lines.find((line) => line.level === 'fatal')).toMatchObject({ msg: message, err: { message } });
    expect(lines.at(-1)).toMatchObject({ msg: 'stopped', exitCode: 1 });
  });

  it('reads its settings again at SIGHUP, and keeps them when they have become wrong', async () => {
    const config = join(directory, 'sample.toml');
    writeFileSync(config, 'log_level = "info"\n');
    const { child, ready, said, exit } = run(['--config', config]);
    await ready();
    writeFileSync(config, 'log_level = "debug"\n');
    child.kill('SIGHUP');
    expect((await said('reloaded')).changes).toEqual([
      { name: 'logLevel', key: 'log_level', from: 'info', to: 'debug', needsRestart: false },
    ]);
    writeFileSync(config, 'log_level = "loud"\n');
    child.kill('SIGHUP');
    const { err } = await said('reload failed, the settings stay as they were');
    expect(err).toMatchObject({
      message: expect.stringContaining(`${config}:1: log_level: "loud" is not allowed`),
    });
    child.kill('SIGTERM');
    expect((await exit()).code).toBe(0);
  });

  it('that is set up wrongly exits 2 with one line', async () => {
    const { exit } = run(['--admin-host', '0.0.0.0']);
    expect(await exit()).toMatchObject({
      code: 2,
      stderr:
        'rookery-sample: admin did not start: admin_host 0.0.0.0 is open to the network: set admin_token, or listen on 127.0.0.1\n',
    });
  });

  it('says at its start what it was told, without secrets', async () => {
    const { child, ready, said, exit } = run(['--drain-ms', '5ms'], {
      ROOKERY_SAMPLE_ADMIN_TOKEN: 'hunter2',
    });
    await ready();
    expect((await said('starting')).settings).toEqual({
      admin_token: '*** (ROOKERY_SAMPLE_ADMIN_TOKEN)',
      drain_ms: '5ms (--drain-ms)',
    });
    child.kill('SIGTERM');
    expect((await exit()).code).toBe(0);
  });
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const packageFolder = fileURLToPath(new URL('..', import.meta.url));

it('the server of the README runs as it is written', async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const code = /```ts\n([\s\S]*?)```/.exec(readme)![1]!;
  const child = spawn(
    process.execPath,
    [
      '--conditions=@rookery/source',
      '--input-type=module-typescript',
      '--eval',
      code,
      '--',
      'rookery-echo',
      ...['--port', '0', '--admin-port', '0'],
    ],
    { cwd: packageFolder, env: { PATH: process.env.PATH ?? '' }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  try {
    const closed = once(child, 'close');
    const stderr = text(child.stderr);
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      out += chunk;
    });
    let url: string | undefined;
    while (url === undefined && child.exitCode === null) {
      await sleep(10);
      url = /"url":"([^"]+)"/.exec(out)?.[1];
    }
    while (!(await fetch(`${url}/readyz`)).ok) await sleep(10);
    expect(await (await fetch(`${url}/connections`)).json()).toEqual({ accepted: 0 });
    expect(await (await fetch(`${url}/metrics`)).text()).toContain('rookery_echo_connections_total 0\n');
    child.kill('SIGTERM');
    expect([(await closed)[0], await stderr]).toEqual([0, '']);
  } finally {
    child.kill('SIGKILL');
  }
});

import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { freePort, startProcess, temporaryFolder } from '@rookery/testkit';
import { expect, test } from 'vitest';

// The README's tour, on the built apps.

const root = fileURLToPath(new URL('../../../..', import.meta.url));

test('the README’s tour does what it says, beside what npm start has started', {
  timeout: 240_000,
}, async () => {
  await using folder = await temporaryFolder();
  const [queue, bus, tracker] = [await freePort(), await freePort(), await freePort()];
  await using started = await startProcess({
    command: process.execPath,
    args: [
      ...[
        `${root}scripts/start.mjs`,
        '--port',
        String(queue),
        '--admin-port',
        '0',
        '--data',
        `${folder.path}/queue`,
      ],
      ...['--bus', '--listen', '127.0.0.1:0', '--ws', `127.0.0.1:${bus}`, '--admin-port', '0'],
      ...['--data', `${folder.path}/bus`],
      ...['--tracker', '--listen', `127.0.0.1:${tracker}`, '--ui', '127.0.0.1:0'],
    ],
    readyPattern: /Ctrl-C stops it all/,
    readyWithinMs: 60_000,
  });
  const page = /shows swarms on (\S+)\/\./.exec(started.stdout)![1]!;
  expect(await (await fetch(`${page}/boards`)).json()).toEqual([]);

  const readme = await readFile(`${root}README.md`, 'utf8');
  const command = /## A tour[\s\S]*?```sh\nnpm run (\w+)\n```/.exec(readme)![1]!;
  const { scripts } = JSON.parse(await readFile(`${root}package.json`, 'utf8')) as {
    scripts: Record<string, string>;
  };
  const [program, ...args] = scripts[command]!.split(' ');
  expect(program).toBe('node');
  await using tour = await startProcess({
    command: process.execPath,
    args: [...args, '--folder', `${folder.path}/tour`, '--tracker', `http://127.0.0.1:${tracker}/announce`],
    cwd: root,
    env: { ROOKERY_QUEUE_SERVER: `127.0.0.1:${queue}`, ROOKERY_BUS_URL: `ws://127.0.0.1:${bus}` },
  });
  expect(await tour.waitForExit(180_000), tour.output).toMatchObject({ code: 0 });

  const said = /<!-- tour -->\n```\n([\s\S]*?)\n```/.exec(readme)![1]!.split('\n');
  expect(said.length).toBeGreaterThan(5);
  for (const line of said) {
    // Numbers that say how long and how many; the others must be as they stand.
    const varying = /\d+\.\d+(?= s$)|\d+(?= tries)|^\d+(?= lines)|\d+(?= by )/;
    const parts = line.split(varying).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    expect(tour.stdout).toMatch(new RegExp(`^${parts.join('[\\d.]+')}$`, 'm'));
  }
  const [, sent, first, second] = /^(\d+) lines .*: (\d+) by 1\.0, (\d+) by 1\.1\)\.$/m.exec(tour.stdout)!;
  // And those that were sent before somebody listened.
  expect(Number(first) + Number(second)).toBeGreaterThanOrEqual(Number(sent));
  expect(tour.stderr).toBe('');
  started.kill('SIGTERM');
  expect(await started.waitForExit(60_000)).toMatchObject({ code: 0 });
});

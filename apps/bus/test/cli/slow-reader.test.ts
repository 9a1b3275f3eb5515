import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { freePort, startProcess, waitFor } from '@rookery/testkit';
import { expect, test } from 'vitest';
import { type Bus, connect } from '../../src/client/index.ts';
import { type DaemonProcess, startDaemon } from '../daemon-process.ts';
import { busCommand, jsonLines, shellCommand, startSub, untilMembers } from './bus-command.ts';

/** `sub --json` whose output nobody reads until `lines` is called. */
function startUnread(daemon: DaemonProcess, group: string) {
  const { command, args } = busCommand('sub', '--url', daemon.webSocketUrl, '--json', group);
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  return {
    pid: child.pid!,
    lines: () => createInterface({ input: child.stdout })[Symbol.asyncIterator](),
    async end() {
      child.kill('SIGINT');
      if (child.exitCode === null) await new Promise((resolve) => child.once('exit', resolve));
      return child.exitCode;
    },
  };
}

async function publish(bus: Bus, group: string, from: number, to: number): Promise<void> {
  const filler = 'x'.repeat(1000);
  for (let index = from; index < to; index++) {
    if (!bus.send(group, `${index} ${filler}`)) await bus.drained();
  }
  await bus.multicast('nobody', '');
}

async function rssBytes(pid: number): Promise<number> {
  return Number((await readFile(`/proc/${pid}/statm`, 'utf8')).split(' ')[1]) * 4096;
}

/** It has taken what it takes: then it sleeps at each look. One that waits for a processor only doesn't. */
async function untilAsleep(pid: number): Promise<void> {
  let looks = 0;
  await waitFor(
    async () => {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
      looks = stat.slice(stat.lastIndexOf(')')).startsWith(') S') ? looks + 1 : 0;
      return looks === 10;
    },
    { what: 'sub to be held up', everyMs: 20 },
  );
}

async function outboxBytes(daemon: DaemonProcess): Promise<number> {
  const { sessions } = await daemon.admin<{ sessions: { outbox_bytes: number }[] }>('/sessions');
  return sessions.reduce((sum, session) => sum + session.outbox_bytes, 0);
}

test('a pipe that nobody reads holds sub up, not its memory: what waits is at the daemon, and comes later', async () => {
  await using daemon = await startDaemon({ flags: ['--outbox-bytes', '128MiB'] });
  const sub = startUnread(daemon, 'feed');
  await untilMembers(daemon, 'feed', 1);
  await using bus = await connect(daemon.webSocketUrl);
  await publish(bus, 'feed', 0, 10_000);
  await untilAsleep(sub.pid);
  const first = await rssBytes(sub.pid);
  await publish(bus, 'feed', 10_000, 60_000);
  await untilAsleep(sub.pid);
  // 50 MB more, of which it may take nothing.
  expect((await rssBytes(sub.pid)) - first).toBeLessThan(10e6);
  expect(await outboxBytes(daemon)).toBeGreaterThan(50e6);
  const lines = sub.lines();
  expect(JSON.parse((await lines.next()).value as string)).toMatchObject({ event: 'ready' });
  for (let index = 0; index < 60_000; index++) {
    const { text } = JSON.parse((await lines.next()).value as string) as { text: string };
    if (!text.startsWith(`${index} `)) expect.fail(`${index}: ${text.slice(0, 20)}`);
  }
  expect(await sub.end()).toBe(130);
});

test('Ctrl-C ends a sub whose pipe is full', async () => {
  await using daemon = await startDaemon();
  const sub = startUnread(daemon, 'feed');
  await untilMembers(daemon, 'feed', 1);
  await using bus = await connect(daemon.webSocketUrl);
  await publish(bus, 'feed', 0, 5000);
  expect(await sub.end()).toBe(130);
  await untilMembers(daemon, 'feed', 0);
});

test('what was dropped for a slow reader is told in its place', async () => {
  await using daemon = await startDaemon({
    flags: ['--outbox-bytes', '8MiB', '--message-bytes', '64KiB'],
    toml: '[groups.feed]\nslow_policy = "drop-oldest"\n',
  });
  const sub = startUnread(daemon, 'feed');
  await untilMembers(daemon, 'feed', 1);
  await using bus = await connect(daemon.webSocketUrl);
  await publish(bus, 'feed', 0, 30_000);
  let next = 0;
  let dropped = 0;
  for (const lines = sub.lines(); next < 30_000; ) {
    const event = JSON.parse((await lines.next()).value as string) as Record<string, string & number>;
    if (event.event === 'message') {
      const number = Number.parseInt(event.text!, 10);
      if (number !== next) expect.fail(`${number} instead of ${next}`);
      next++;
    } else if (event.event === 'dropped') {
      expect(event).toEqual({
        event: 'dropped',
        time: expect.any(String),
        group: 'feed',
        count: event.count,
      });
      dropped += event.count!;
      next += event.count!;
    }
  }
  expect(dropped).toBeGreaterThan(10_000);
  expect(await sub.end()).toBe(130);
});

test('a reader that goes away ends sub quietly', async () => {
  await using daemon = await startDaemon();
  await using pipeline = await startProcess({
    command: 'sh',
    args: ['-c', `${shellCommand('sub', '--url', daemon.webSocketUrl, 'feed')} | head -n 1`],
  });
  await untilMembers(daemon, 'feed', 1);
  await using bus = await connect(daemon.webSocketUrl);
  await waitFor(
    async () => {
      await bus.multicast('feed', 'hello');
      return pipeline.exit;
    },
    { what: 'the end of the pipeline' },
  );
  expect(pipeline.stdout).toBe('hello\n');
  expect(pipeline.stderr).toBe('');
  await untilMembers(daemon, 'feed', 0);
});

test('a daemon that dies and comes back is told as a loss, and the reading goes on', async () => {
  const flags = ['--ws', `127.0.0.1:${await freePort()}`];
  const first = await startDaemon({ flags });
  await using sub = await startSub(first, 'feed');
  await first.kill();
  await using second = await startDaemon({ flags });
  await untilMembers(second, 'feed', 1);
  await using bus = await connect(second.webSocketUrl);
  await bus.multicast('feed', 'after');
  await waitFor(() => sub.stdout.includes('after'), { what: 'the message' });
  expect(jsonLines(sub.stdout).map(({ event }) => event)).toEqual(['ready', 'lost', 'message']);
  expect(sub.stderr).toMatch(/^\* the connection broke.*\n\* connected again\n$/);
});

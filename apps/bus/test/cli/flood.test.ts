import { afterAll, beforeAll, expect, test } from 'vitest';
import { type DaemonProcess, startDaemon } from '../daemon-process.ts';
import { jsonLines, runBus } from './bus-command.ts';

let daemon: DaemonProcess;
beforeAll(async () => {
  daemon = await startDaemon();
});
afterAll(async () => {
  expect(await daemon.stop()).toBe(0);
});

test('flood counts at each receiver what all senders sent, and times what came back', async () => {
  const { code, stdout, stderr } = await runBus([
    ...['flood', '--url', daemon.webSocketUrl, '--json', '--service', 'safe', '--size', '200'],
    ...['--messages', '3000', '--senders', '2', '--receivers', '3', '--window', '100'],
  ]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const lines = jsonLines(stdout);
  expect(lines.map(({ event, messages, dropped }) => ({ event, messages, dropped }))).toEqual([
    ...Array.from({ length: 3 }, () => ({ event: 'receiver', messages: 6000, dropped: 0 })),
    { event: 'result', messages: undefined, dropped: undefined },
  ]);
  for (const receiver of lines.slice(0, 3)) {
    const rate = receiver.messages_per_second as number;
    expect(rate).toBeGreaterThan(0);
    expect((receiver.bytes_per_second as number) / rate / 200).toBeCloseTo(1, 1);
  }
  const { p50, p99, max } = lines[3]!.latency_ms as { p50: number; p99: number; max: number };
  expect(p50).toBeGreaterThan(0);
  expect(p99).toBeGreaterThanOrEqual(p50);
  expect(max).toBeGreaterThanOrEqual(p99);
});

test('flood keeps to its rate, and tells people in a table', async () => {
  const begun = performance.now();
  const { code, stdout } = await runBus([
    ...['flood', '--url', daemon.webSocketUrl, '--messages', '1000', '--rate', '1000'],
  ]);
  expect(performance.now() - begun).toBeGreaterThan(950);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^1000 messages \(agreed, 100 bytes\) sent and confirmed in \d/);
  expect(stdout).toMatch(/^#\w+#d1 +1000 +0 +\d+ +0\.\d+$/m);
  expect(stdout).toMatch(/p50 \d+\.\d+ ms/);
});

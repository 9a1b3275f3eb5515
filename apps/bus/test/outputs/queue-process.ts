import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { type RunningProcess, startProcess } from '@rookery/testkit';

/** A real queue, which is another app and another process. */
export function startQueue(data: string, port = 0, ...flags: readonly string[]): Promise<RunningProcess> {
  const cli = fileURLToPath(new URL('../../../queue/src/cli.ts', import.meta.url));
  const run = `const { main } = await import(${JSON.stringify(cli)}); await main(['', '', ...process.argv.slice(1)])`;
  return startProcess({
    command: process.execPath,
    args: [
      ...['--conditions=@rookery/source', '--eval', run, '--', 'serve', '--data', data],
      ...['--port', String(port), '--admin-port', '0', '--log-format', 'json', ...flags],
    ],
    readyPattern: /"port":(\d+),.*"msg":"listening on/,
    readyWithinMs: 30_000,
  });
}

/** What is in the queue, taken out of it. */
export async function taken(port: number, queue: string): Promise<string[]> {
  const socket = connect(port, '127.0.0.1');
  const found: string[] = [];
  let text = '';
  for (;;) {
    socket.write(`get ${queue}\r\n`);
    while (!text.endsWith('END\r\n')) {
      text += await new Promise<string>((resolve) =>
        socket.once('data', (chunk) => resolve(chunk.toString())),
      );
    }
    const value = /^VALUE \S+ \d+ \d+\r\n([\s\S]*)\r\nEND\r\n$/.exec(text);
    text = '';
    if (value === null) break;
    found.push(value[1]!);
  }
  socket.destroy();
  return found;
}

/** How many messages are in it. */
export async function depth(port: number, queue: string): Promise<number> {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.write('stats\r\n');
  while (!text.endsWith('END\r\n')) {
    text += await new Promise<string>((resolve) => socket.once('data', (chunk) => resolve(chunk.toString())));
  }
  socket.destroy();
  return Number(new RegExp(`STAT queue_${queue}_items (\\d+)`).exec(text)?.[1] ?? 0);
}

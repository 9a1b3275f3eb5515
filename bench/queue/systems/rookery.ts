import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startProcess } from '@rookery/testkit';
import { stop } from '../programs.ts';
import type { RunningSystem, System } from '../system.ts';

const sources = fileURLToPath(new URL('../../../apps/queue/src/cli.ts', import.meta.url));
const conditions = ['--conditions=@rookery/source'];

export const rookery: System = queue('rookery-1000', '1000');
export const rookeryAlways: System = queue('rookery-always', 'always');

/** Another version, to see what a change has brought: `folder` holds a built package (`bin`, `dist`). */
export function rookeryBefore(folder: string, sync: string): System {
  return queue(`before-${sync}`, sync, join(folder, 'dist/cli.js'));
}

function queue(name: string, sync: string, cli: string = sources): System {
  return {
    name,
    remark: `--sync ${sync}; set, get; reliable reads are get /close/open`,
    protocol: 'memcache',
    reliableProtocol: 'reliable',
    whyMissing: () => (existsSync(cli) ? undefined : `${cli} is not there`),
    start: (folder) => startRookery({ folder, flags: ['--sync', sync], cli }),
  };
}

export interface RookeryOptions {
  /** Where its data lies. */
  readonly folder: string;
  readonly flags?: readonly string[];
  readonly cli?: string;
  /** Flags of Node. */
  readonly node?: readonly string[];
}

export async function startRookery(options: RookeryOptions): Promise<RunningSystem> {
  const { folder, flags = [], cli = sources, node = [] } = options;
  const run = `const { main } = await import(${JSON.stringify(cli)}); await main(['', '', ...process.argv.slice(1)])`;
  const server = await startProcess({
    command: process.execPath,
    args: [
      ...[...node, ...conditions, '--eval', run, '--', 'serve', '--port', '0', '--admin-port', '0'],
      ...['--data', join(folder, 'data'), '--log-format', 'json', ...flags],
    ],
    readyPattern: /^.*"msg":"listening on .*$/m,
    readyWithinMs: 60_000,
  });
  const { port } = JSON.parse(server.ready![0]) as { port: number };
  return { server, port, [Symbol.asyncDispose]: () => stop(server) };
}

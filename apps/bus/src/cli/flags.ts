/** Flags that several commands have. */
import { parseBytes, parseDuration } from '@rookery/service';
import { type Command, InvalidArgumentError } from 'commander';
import type { From } from '../client/index.ts';
import { DEFAULT_URL } from './connection.ts';

export function addConnection(command: Command): Command {
  return command
    .option(
      '--url <url>',
      `a daemon, the first of several that answers (default: ${DEFAULT_URL}; ROOKERY_BUS_URL)`,
      collect,
    )
    .option(
      '--token-file <file>',
      'its first line is the token to show (ROOKERY_BUS_TOKEN_FILE, ROOKERY_BUS_TOKEN)',
    );
}

export function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

export function number(min: number, max: number = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    const range = max === Number.MAX_SAFE_INTEGER ? `from ${min} up` : `from ${min} to ${max}`;
    throw new InvalidArgumentError(`It must be a whole number ${range}.`);
  };
}

/** Where in a kept group to begin: `start`, `now`, a sequence, `-N`, a time, a cursor. */
export function place(text: string): From {
  const from = parseFrom(text);
  if (from !== undefined) return from;
  throw new InvalidArgumentError(
    'It is start, now, a sequence, -N, a time such as 2026-11-22T10:00Z, or a cursor.',
  );
}

function parseFrom(text: string): From | undefined {
  if (text === 'start' || text === 'now') return text;
  if (/^\d{1,15}$/.test(text)) return { sequence: Number(text) };
  if (/^-\d{1,15}$/.test(text)) return { last: -Number(text) };
  if (text.startsWith('1_')) return { cursor: text };
  const timeMs = Date.parse(text);
  return Number.isNaN(timeMs) || timeMs < 0 ? undefined : { timeMs };
}

export function size(text: string): number {
  const bytes = parseBytes(text);
  if (bytes === undefined || bytes < 0) throw new InvalidArgumentError('It is a size, such as 256MiB.');
  return bytes;
}

/** Milliseconds. */
export function duration(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined || ms < 0)
    throw new InvalidArgumentError('It is a duration, such as 500ms, 10s or 1h.');
  return ms;
}

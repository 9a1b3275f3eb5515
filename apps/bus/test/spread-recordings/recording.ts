/**
 * A recording of what clients and a daemon said, as text: one line for each time that somebody spoke.
 *
 *     # about the recording
 *     1> 0500010102(4)          connection 1 sent these bytes; (4) stands for four zeros
 *     1< {"kind":"self_leave"}  connection 1 was told this, data as latin1, without the id of a membership
 *     1x                        connection 1 was closed by its client
 */
import type { DaemonInput } from '@rookery/protocol/spread';

export type Line =
  | { readonly kind: 'sent'; readonly connection: number; readonly bytes: Buffer }
  | { readonly kind: 'told'; readonly connection: number; readonly meaning: unknown }
  | { readonly kind: 'closed'; readonly connection: number };

export function formatLine(line: Line): string {
  switch (line.kind) {
    case 'sent':
      return `${line.connection}> ${formatBytes(line.bytes)}`;
    case 'told':
      return `${line.connection}< ${JSON.stringify(line.meaning)}`;
    case 'closed':
      return `${line.connection}x`;
  }
}

export function parseRecording(text: string): Line[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, number, mark, rest] = /^(\d+)([<>x]) ?(.*)$/.exec(line) ?? [];
      const connection = Number(number);
      if (mark === '>') return { kind: 'sent', connection, bytes: parseBytes(rest!) };
      if (mark === '<') return { kind: 'told', connection, meaning: JSON.parse(rest!) };
      if (mark === 'x') return { kind: 'closed', connection };
      throw new Error(`no line of a recording: ${line}`);
    });
}

/** What doesn't change from one run to the next. */
export function meaningOf(input: DaemonInput): unknown {
  const { buffer, start, end, id: _, ...rest } = input as unknown as Record<string, unknown>;
  if (!Buffer.isBuffer(buffer)) return rest;
  return { ...rest, data: buffer.toString('latin1', start as number, end as number) };
}

function formatBytes(bytes: Buffer): string {
  return bytes.toString('hex').replaceAll(/(?<=^(?:..)*)(?:00){4,}/g, (zeros) => `(${zeros.length / 2})`);
}

function parseBytes(text: string): Buffer {
  return Buffer.from(
    text.replaceAll(/\((\d+)\)/g, (_, count: string) => '00'.repeat(Number(count))),
    'hex',
  );
}

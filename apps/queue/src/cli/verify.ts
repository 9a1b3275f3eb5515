import { existsSync } from 'node:fs';
import { formatBytes, ServiceError } from '@rookery/service';
import { nodeDisk, type VerifyReport, verifyLog } from '@rookery/storage';
import { displayName } from '../names.ts';
import { logDirectory } from '../store/log-store.ts';

/**
 * Reads every byte of a data folder that no server has open, and says what is whole; changes nothing.
 * Resolves to the text to print, and whether all is whole.
 * @throws ServiceError `USAGE` when there is no log; LogError `log-locked` when a server has it open
 */
export async function verify(
  dataDirectory: string,
  options: { readonly json: boolean; readonly onProgress: (done: number, of: number) => void },
): Promise<{ readonly text: string; readonly whole: boolean }> {
  const directory = logDirectory(dataDirectory);
  if (!existsSync(directory)) {
    throw new ServiceError(
      'USAGE',
      `${dataDirectory} holds no log: give the folder that serve has as --data`,
    );
  }
  const report = await verifyLog({
    disk: nodeDisk,
    directory,
    onProgress: ({ done, of }) => options.onProgress(done, of),
  });
  const whole = report.damaged.length === 0;
  return {
    text: options.json ? `${JSON.stringify(asJson(report, whole))}\n` : forPeople(report, whole),
    whole,
  };
}

/** The stable form for programs. */
function asJson(report: VerifyReport, whole: boolean): unknown {
  return {
    whole,
    segments: report.segments,
    bytes: report.bytes,
    records: report.records,
    queues: queuesOf(report).map(({ name, messages, payloadBytes }) => ({
      name,
      messages_on_disk: messages,
      payload_bytes: payloadBytes,
    })),
    damaged: report.damaged,
    torn_tails: report.tornTails,
  };
}

function forPeople(report: VerifyReport, whole: boolean): string {
  const place = ({ segment, offset, bytes }: { segment: number; offset: number; bytes: number }): string =>
    `segment ${segment} at ${offset}, ${formatBytes(bytes)}`;
  const lines = [
    `${report.segments} segments, ${formatBytes(report.bytes)}, ${report.records} whole records`,
    ...queuesOf(report).map(
      ({ name, messages }) => `  ${name}: ${messages} messages on disk, consumed ones included`,
    ),
    ...report.damaged.map((one) => `damaged: ${one.what}, ${place(one)}`),
    ...report.tornTails.map((one) => `cut off by a crash, the next start drops it: ${place(one)}`),
    whole
      ? 'All is whole.'
      : 'The damaged bytes will be set aside when they are met; all other messages are unharmed.',
  ];
  return `${lines.join('\n')}\n`;
}

function queuesOf(report: VerifyReport): { name: string; messages: number; payloadBytes: number }[] {
  return report.streams
    .filter(({ name }) => !name?.startsWith('c:'))
    .map(({ id, name, messages, payloadBytes }) => ({
      name: name === undefined ? `(stream ${id})` : displayName(name.replace(/^q:/, '')),
      messages,
      payloadBytes,
    }));
}

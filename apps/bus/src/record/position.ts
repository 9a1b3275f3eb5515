/**
 * How far a kept group is recorded: so many bytes of one file are all that was read up to the cursor. Both stand in one
 * file that is replaced whole, so that a restart cuts what is behind the bytes and reads on behind the cursor.
 */
import { readFile } from 'node:fs/promises';
import { replaceFile } from '../replace-file.ts';
import { RecordError } from './errors.ts';

export interface Position {
  /** The file that is written or was finished last; empty where there is none yet. */
  readonly file: string;
  readonly bytes: number;
  readonly cursor: string;
}

/** Undefined where there is none. @throws RecordError `POSITION_DAMAGED` */
export async function readPosition(path: string): Promise<Position | undefined> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  try {
    const { file, bytes, cursor } = JSON.parse(text) as Partial<Position>;
    if (typeof file === 'string' && Number.isSafeInteger(bytes) && typeof cursor === 'string') {
      return { file, bytes: bytes!, cursor };
    }
  } catch {
    // Said below.
  }
  throw new RecordError(
    'POSITION_DAMAGED',
    `${path} is damaged; without it, recording begins anew behind what the files have`,
  );
}

/** What it says of the file's bytes must be on the device already. */
export async function storePosition(path: string, { file, bytes, cursor }: Position): Promise<void> {
  await replaceFile(path, `${JSON.stringify({ file, bytes, cursor })}\n`);
}

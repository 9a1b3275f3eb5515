import { hash } from 'node:crypto';
import { read as readCallback } from 'node:fs';
import { promisify } from 'node:util';
import type { ReusePlan } from '../release/reuse.ts';
import { onDisk, READ_FLAGS } from './disk.ts';
import { type OpenFiles, openFiles } from './open-files.ts';

/** Reads pieces out of the files of folders. */
export interface PieceReader extends AsyncDisposable {
  /**
   * A piece's bytes, hashed; undefined when they aren't all there or have changed, which says that it must be fetched.
   * Never rejects for what is on the disk.
   * @param into where they go, of just their length; without it, to a new buffer
   */
  read(piece: number, into?: Buffer): Promise<Buffer | undefined>;
}

const readBytes = promisify(readCallback);

/** Sequential pieces mostly come from few files; descriptors may be as few as 256. */
const OPEN_FILES_MAX = 64;

/**
 * Reads by a plan whose folders are paths of this machine; they are opened for reading only. To serve a finished
 * release, plan with its own manifest and folder.
 */
export function createPieceReader(plan: ReusePlan<string>): PieceReader {
  const files: OpenFiles = openFiles({ filesMax: OPEN_FILES_MAX, flags: READ_FLAGS });
  const { layout } = plan;
  return {
    async read(piece, bytes = Buffer.allocUnsafeSlow(layout.pieceBytes(piece))) {
      let length = 0;
      for (const step of plan.steps(piece)) {
        const read = await readInto(files, onDisk(step.folder, step.path), bytes, step);
        if (!read) return undefined;
        length += step.length;
      }
      if (length !== bytes.length) return undefined;
      return hash('sha1', bytes, 'buffer').equals(layout.pieceHash(piece)) ? bytes : undefined;
    },
    [Symbol.asyncDispose]: () => files[Symbol.asyncDispose](),
  };
}

async function readInto(
  files: OpenFiles,
  path: Buffer,
  bytes: Buffer,
  step: { readonly offset: number; readonly pieceOffset: number; readonly length: number },
): Promise<boolean> {
  try {
    return await files.use(path, async (descriptor) => {
      for (let done = 0; done < step.length; ) {
        const { bytesRead } = await readBytes(
          descriptor,
          bytes,
          step.pieceOffset + done,
          step.length - done,
          step.offset + done,
        );
        if (bytesRead === 0) return false;
        done += bytesRead;
      }
      return true;
    });
  } catch {
    // Gone, or not readable any more: as good as changed.
    return false;
  }
}

import { ReleaseError } from '../errors.ts';
import type { Layout } from '../release/layout.ts';
import { planReuse } from '../release/reuse.ts';
import { createPieceReader, type PieceReader } from '../tree/piece-reader.ts';
import type { Staging } from '../tree/staging.ts';
import type { PieceStore } from './exchange/exchange.ts';

/** A folder that holds a release, or will, as a store of pieces. */
export interface TreeStore extends PieceStore, AsyncDisposable {
  /** The folder has been renamed. */
  moved(folder: string): Promise<void>;
}

export function createTreeStore(layout: Layout, folder: string, staging?: Staging): TreeStore {
  const readerOf = (where: string): PieceReader =>
    createPieceReader(planReuse(layout, [{ folder: where, content: layout.manifest }]));
  let reader = readerOf(folder);

  const read = async (piece: number, into?: Buffer): Promise<Buffer | undefined> => {
    const used = reader;
    const bytes = await used.read(piece, into);
    // The folder was renamed meanwhile.
    return bytes === undefined && used !== reader ? read(piece, into) : bytes;
  };
  return {
    read,
    async write(piece, bytes) {
      if (staging === undefined) throw new ReleaseError('write-failed', 'this folder is only read');
      await staging.write(piece, bytes);
    },
    async moved(where) {
      const old = reader;
      reader = readerOf(where);
      await old[Symbol.asyncDispose]();
    },
    [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
  };
}

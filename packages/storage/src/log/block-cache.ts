/** Decoded index blocks of sealed segments: the least recently used go when the bound is passed. */
import type { BlockSummary, RecordIndex } from '../format/footer.ts';

/** Memory of one entry: a double and two 32-bit numbers. */
const BYTES_PER_RECORD = 16;

export interface BlockCache {
  get(block: BlockSummary): RecordIndex | undefined;
  put(block: BlockSummary, index: RecordIndex): void;
  delete(block: BlockSummary): void;
}

export function makeBlockCache(maxBytes: number): BlockCache {
  // A Map keeps the order of insertion: each use moves its block to the end.
  const blocks = new Map<BlockSummary, RecordIndex>();
  let bytes = 0;
  const remove = (block: BlockSummary): void => {
    if (blocks.delete(block)) bytes -= block.count * BYTES_PER_RECORD;
  };
  return {
    get(block) {
      const index = blocks.get(block);
      if (index !== undefined) {
        blocks.delete(block);
        blocks.set(block, index);
      }
      return index;
    },
    put(block, index) {
      remove(block);
      blocks.set(block, index);
      bytes += block.count * BYTES_PER_RECORD;
      for (const oldest of blocks.keys()) {
        // The newest stays however large: whoever asked for it is about to use it.
        if (bytes <= maxBytes || oldest === block) return;
        remove(oldest);
      }
    },
    delete: remove,
  };
}

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * V8 lets some 64 MiB of dropped buffers lie before it looks for them, which alone would break the bound of 150 MB for
 * a peer. So it is told to look after each 16 MiB of pieces; it would look later anyway, and longer.
 */
const COLLECT_EVERY_BYTES = 16 * 2 ** 20;

let allocatedBytes = 0;
let collect: (() => void) | undefined;

/** Call for each piece's buffer, before it is allocated. */
export function countPieceMemory(bytes: number): void {
  allocatedBytes += bytes;
  if (allocatedBytes < COLLECT_EVERY_BYTES) return;
  allocatedBytes = 0;
  collect ??= collector();
  collect();
}

function collector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}

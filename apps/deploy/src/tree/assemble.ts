import type { ReusePlan } from '../release/reuse.ts';
import { createPieceReader } from './piece-reader.ts';
import type { Staging } from './staging.ts';

/** Enough for the disk to read one piece while another is hashed and written. */
const PIECES_AT_ONCE = 4;

/**
 * Builds every piece that the plan's folders have into the staging folder, and resolves to the pieces that must be
 * fetched: those of the plan, and those whose files turn out to have changed. Ascending.
 * @throws ReleaseError `write-failed`; what `signal` was aborted with
 */
export async function assemble(
  plan: ReusePlan<string>,
  staging: Staging,
  options: {
    /** Called for each piece that was built. */
    readonly onPiece?: (piece: number) => void;
    readonly signal?: AbortSignal;
  } = {},
): Promise<number[]> {
  const left = [...plan.fetch];
  const pieces = plan.buildable.values();
  await using reader = createPieceReader(plan);
  const work = async (): Promise<void> => {
    for (const piece of pieces) {
      options.signal?.throwIfAborted();
      const bytes = await reader.read(piece);
      if (bytes === undefined) left.push(piece);
      else {
        await staging.write(piece, bytes);
        options.onPiece?.(piece);
      }
    }
  };
  const done = await Promise.allSettled(Array.from({ length: PIECES_AT_ONCE }, work));
  for (const { status, reason } of done as PromiseRejectedResult[]) if (status === 'rejected') throw reason;
  return left.sort((a, b) => a - b);
}

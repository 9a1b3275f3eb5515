import type { Core } from './core.ts';

export async function reclaimSegments(_core: Core): Promise<void> {
  // Follows.
}

/**
 * Seeds that failed once, and why. They run before all others. A seed means something else when the simulator changes,
 * so each also says in words what went wrong.
 */
export const REGRESSIONS: readonly { readonly seed: number; readonly why: string }[] = [
  { seed: 34, why: 'a read needed more index blocks at a time than the cache could hold, and never ended' },
  { seed: 64, why: 'ENOSPC stopped in the middle of a record; a read took it for damaged and consumed it' },
  { seed: 528, why: 'stats counted a spare segment, whose creation a power loss cut off, as whole' },
];

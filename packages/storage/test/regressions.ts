/**
 * Seeds that find a bug which the log once had, or had when a line of it was taken out on purpose. They run before all
 * others. A seed means something else when the simulator changes, so each also says in words what went wrong.
 */
export const REGRESSIONS: readonly { readonly seed: number; readonly why: string }[] = [
  { seed: 48, why: 'ENOSPC stopped in the middle of a record; a read took it for damaged and consumed it' },
  { seed: 262, why: 'a read needed more index blocks at a time than the cache could hold, and never ended' },
  {
    seed: 1360,
    why: 'a snapshot told of a move whose record a power loss took: the message was in neither place',
  },
  { seed: 563, why: 'a snapshot told of moves in the segment before, which was not synced yet' },
  {
    seed: 607,
    why: 'a dropped file came back, because its folder was not synced before the drop was forgotten',
  },
  { seed: 800, why: 'a segment was dropped before the copies of what lived in it were durable' },
];

/**
 * The event bus's ordering engine: one ring of daemons that agree on one order of messages and on who is there.
 * What it promises: docs/internals/ring.md.
 *
 * @example
 * const ring = createRing({ id: 7, now: 0, storedRingSequence: 0 });
 * for (const output of ring.take()) if (output.kind === 'store') ring.stored(0, output.ringSequence);
 * ring.submit(1, 'agreed', Buffer.from('hello'));
 * for (const output of ring.take()) if (output.kind === 'deliver') console.log(output.payload.toString());
 */
export { createRing, type Ring, type RingOptions, type RingStatus } from './ring/ring.ts';
export { DEFAULT_SETTINGS, type RingSettings } from './ring/settings.ts';
export type { Configuration, RingOutput, Service } from './ring/types.ts';

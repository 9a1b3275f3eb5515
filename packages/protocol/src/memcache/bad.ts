/** Makers of refused requests, all of one shape. */
import type { BadReason } from './errors.ts';
import type { BadRequest, Wire } from './requests.ts';

/** A refusal on the text or meta wire. */
export function badLine(wire: Wire, reason: BadReason, fatal: boolean, noreply: boolean): BadRequest {
  return { wire, kind: 'bad', reason, fatal, noreply, opcode: 0, opaque: 0 };
}

/** A refusal on the binary wire. */
export function badFrame(reason: BadReason, fatal: boolean, opcode: number, opaque: number): BadRequest {
  return { wire: 'binary', kind: 'bad', reason, fatal, noreply: false, opcode, opaque };
}

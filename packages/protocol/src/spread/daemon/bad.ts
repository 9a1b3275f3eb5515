/** Refusals that end a session, all of one shape. */
import { EMPTY } from '../../bytes/source.ts';
import type { BadReason } from '../errors.ts';
import type { Bad } from '../frames.ts';

export function ending(reason: BadReason): Bad {
  return {
    kind: 'bad',
    reason,
    ends: true,
    type: 0,
    groups: [],
    messageType: 0,
    messageOrder: 'little',
    buffer: EMPTY,
    start: 0,
    end: 0,
  };
}

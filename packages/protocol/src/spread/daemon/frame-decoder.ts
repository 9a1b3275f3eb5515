/**
 * A client's frames, on the daemon's side. Nothing of a frame is believed: what a session may not say is
 * refused by its header, before any of its groups and data are kept.
 */
import type { ByteSource } from '../../bytes/source.ts';
import type { BadReason } from '../errors.ts';
import type { Bad, ClientFrame } from '../frames.ts';
import { HEADER_BYTES, Header } from '../header.ts';
import type { Limits } from '../limits.ts';
import { isDestination, isGroupName, NAME_FIELD_BYTES, readNames } from '../names.ts';
import { MESSAGE_MASK, refusedType, SERVICES, serviceOf, TypeBit } from '../types.ts';
import { ending } from './bad.ts';

const At = { header: 0, body: 1, dead: 2 } as const;

export class FrameDecoder {
  readonly #source: ByteSource;
  readonly #limits: Limits;
  readonly #header: Header = new Header();
  /** The session's private group: the only sender that its frames may have. */
  readonly #sender: string;
  #state: number = At.header;

  constructor(source: ByteSource, limits: Limits, sender: string) {
    this.#source = source;
    this.#limits = limits;
    this.#sender = sender;
  }

  next(): ClientFrame | Bad | undefined {
    const source = this.#source;
    const header = this.#header;
    if (this.#state === At.header) {
      if (!source.run(HEADER_BYTES)) return undefined;
      const reason = header.read(source.found, source.start) ? this.#check() : 'bad_order';
      if (reason !== undefined) return this.#end(ending(reason));
      // Its group and data, if it has any, no longer matter.
      if ((header.type & TypeBit.kill) !== 0) return this.#end({ kind: 'disconnect' });
      this.#state = At.body;
    }
    if (this.#state === At.body) {
      if (!source.run(header.groups * NAME_FIELD_BYTES + header.data)) return undefined;
      this.#state = At.header;
      return this.#frame(source.found, source.start, source.stop);
    }
    source.drop();
    return undefined;
  }

  #end<T>(last: T): T {
    this.#state = At.dead;
    this.#source.drop();
    return last;
  }

  #check(): BadReason | undefined {
    const header = this.#header;
    const type = refusedType(header.type);
    if (type !== undefined) return type;
    if (header.name !== this.#sender) return 'bad_sender';
    if (header.messageOrder === undefined) return 'bad_hint';
    if (header.groups < 0 || header.groups > this.#limits.groups) return 'bad_group_count';
    if (header.data < 0) return 'bad_data_length';
    if (header.data > this.#limits.data) return 'data_too_large';
    return undefined;
  }

  #frame(buffer: Buffer, from: number, end: number): ClientFrame | Bad {
    const { groups: count } = this.#header;
    const groups = readNames(buffer, from, count);
    const start = from + count * NAME_FIELD_BYTES;
    if ((this.#header.type & (TypeBit.join | TypeBit.leave)) !== 0) {
      return this.#command(groups, buffer, start, end);
    }
    const type = this.#header.type & MESSAGE_MASK;
    if (count === 0) return this.#refuse('no_group', type, groups, buffer, start, end);
    if (!groups.every(isDestination)) return this.#refuse('bad_group', type, groups, buffer, start, end);
    return {
      kind: 'multicast',
      service: serviceOf(type) ?? SERVICES[0]!,
      selfDiscard: (type & TypeBit.selfDiscard) !== 0,
      groups,
      messageType: this.#header.messageType,
      messageOrder: this.#header.messageOrder ?? 'little',
      buffer,
      start,
      end,
    };
  }

  /** The first group counts. More of them, and data, are passed over as in Spread. */
  #command(groups: string[], buffer: Buffer, start: number, end: number): ClientFrame | Bad {
    const [group] = groups;
    const joins = (this.#header.type & TypeBit.join) !== 0;
    // Perl's client says goodbye so.
    if (!joins && group === this.#sender) return this.#end({ kind: 'disconnect' });
    if (group !== undefined && isGroupName(group)) return { kind: joins ? 'join' : 'leave', group };
    const reason = group === undefined ? 'no_group' : 'bad_group';
    const type = joins ? TypeBit.causedByJoin : TypeBit.causedByLeave;
    return this.#refuse(reason, type, groups, buffer, start, end);
  }

  #refuse(
    reason: BadReason,
    type: number,
    groups: string[],
    buffer: Buffer,
    start: number,
    end: number,
  ): Bad {
    const { messageType, messageOrder = 'little' } = this.#header;
    return {
      kind: 'bad',
      reason,
      ends: false,
      type,
      groups,
      messageType,
      messageOrder,
      buffer,
      start,
      end,
    };
  }
}

/** The bits of a frame's type, and what they stand for. Source: Spread's programmer's guide, and its wire. */

/** How a message is ordered. In a cluster that orders everything, `causal` is `agreed` and the first three are no weaker. */
export type Service = 'unreliable' | 'reliable' | 'fifo' | 'causal' | 'agreed' | 'safe';
/** What made a membership new. */
export type Cause = 'join' | 'leave' | 'disconnect' | 'network';

/** Every bit that a type may have, by name. */
export const TypeBit = {
  unreliable: 0x01,
  reliable: 0x02,
  fifo: 0x04,
  causal: 0x08,
  agreed: 0x10,
  safe: 0x20,
  selfDiscard: 0x40,
  causedByJoin: 0x100,
  causedByLeave: 0x200,
  causedByDisconnect: 0x400,
  causedByNetwork: 0x800,
  regularMembership: 0x1000,
  transition: 0x2000,
  join: 0x1_0000,
  leave: 0x2_0000,
  kill: 0x4_0000,
  groups: 0x8_0000,
  reject: 0x40_0000,
  /** Asks a library to cut what is too long for the receiver's buffer. On the wire where a program sends with the type it received with. */
  dropReceive: 0x100_0000,
} as const;

/** The bits of a word that tell its byte order: all set by a little-endian sender, all clear from a big-endian one. */
export const ENDIAN_BITS = 0x8000_0080;

export const SERVICES: readonly Service[] = ['unreliable', 'reliable', 'fifo', 'causal', 'agreed', 'safe'];
const CAUSES: readonly Cause[] = ['join', 'leave', 'disconnect', 'network'];

export const SERVICE_BITS: Readonly<Record<Service, number>> = {
  unreliable: TypeBit.unreliable,
  reliable: TypeBit.reliable,
  fifo: TypeBit.fifo,
  causal: TypeBit.causal,
  agreed: TypeBit.agreed,
  safe: TypeBit.safe,
};
export const CAUSE_BITS: Readonly<Record<Cause, number>> = {
  join: TypeBit.causedByJoin,
  leave: TypeBit.causedByLeave,
  disconnect: TypeBit.causedByDisconnect,
  network: TypeBit.causedByNetwork,
};

/** Bits 0 to 5: one of them makes a message. */
const SERVICE_MASK = 0x3f;
/** Join, leave and kill. */
const COMMAND_MASK = TypeBit.join | TypeBit.leave | TypeBit.kill;
/** Bits 8 to 13, reject, and the daemons' own: what only a daemon may say. */
const DAEMON_MASK = 0x3f00 | TypeBit.reject | TypeBit.groups;

/** What a message's type says, without bits that count for nothing. */
export const MESSAGE_MASK: number = SERVICE_MASK | TypeBit.selfDiscard;

function single(bits: number): boolean {
  return bits !== 0 && (bits & (bits - 1)) === 0;
}

/** The one service in the bits, `undefined` if there is none or several. */
export function serviceOf(type: number): Service | undefined {
  const bits = type & SERVICE_MASK;
  return single(bits) ? SERVICES[31 - Math.clz32(bits)] : undefined;
}

/** The one cause in the bits 8 to 11. */
export function causeOf(type: number): Cause | undefined {
  const bits = type & 0xf00;
  return single(bits) ? CAUSES[23 - Math.clz32(bits)] : undefined;
}

/** Why a client may not send this type, `undefined` if it may: one service or one of join, leave and kill. Other bits count for nothing, as in Spread. */
export function refusedType(type: number): 'forged_type' | 'bad_type' | undefined {
  if ((type & DAEMON_MASK) !== 0) return 'forged_type';
  return single(type & (SERVICE_MASK | COMMAND_MASK)) ? undefined : 'bad_type';
}

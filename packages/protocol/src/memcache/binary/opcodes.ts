/** Opcodes of the binary protocol, and what their requests look like (memcached's doc/protocol-binary). */

export const Opcode = {
  get: 0x00,
  set: 0x01,
  add: 0x02,
  replace: 0x03,
  delete: 0x04,
  increment: 0x05,
  decrement: 0x06,
  quit: 0x07,
  flush: 0x08,
  getQ: 0x09,
  noop: 0x0a,
  version: 0x0b,
  getK: 0x0c,
  getKQ: 0x0d,
  append: 0x0e,
  prepend: 0x0f,
  stat: 0x10,
  setQ: 0x11,
  addQ: 0x12,
  replaceQ: 0x13,
  deleteQ: 0x14,
  incrementQ: 0x15,
  decrementQ: 0x16,
  quitQ: 0x17,
  flushQ: 0x18,
  appendQ: 0x19,
  prependQ: 0x1a,
  verbosity: 0x1b,
  touch: 0x1c,
  gat: 0x1d,
  gatQ: 0x1e,
  saslList: 0x20,
  saslAuth: 0x21,
  saslStep: 0x22,
  gatK: 0x23,
  gatKQ: 0x24,
} as const;

export type OpcodeValue = (typeof Opcode)[keyof typeof Opcode];

/** The magic first byte of a request and of a response. */
export const REQUEST_MAGIC = 0x80;
export const RESPONSE_MAGIC = 0x81;
export const HEADER_BYTES = 24;

/** Shapes of extras. `optional`: FLUSH, with or without its exptime. */
export const Extras = {
  unknown: 0,
  none: 1,
  store: 2,
  arithmetic: 3,
  exptime: 4,
  optional: 5,
  verbosity: 6,
} as const;

const o = Opcode;
const shapes = new Uint8Array(256);
for (const opcode of Object.values(Opcode)) shapes[opcode] = Extras.none;
for (const opcode of [o.set, o.add, o.replace, o.setQ, o.addQ, o.replaceQ]) shapes[opcode] = Extras.store;
for (const opcode of [o.increment, o.decrement, o.incrementQ, o.decrementQ])
  shapes[opcode] = Extras.arithmetic;
for (const opcode of [o.touch, o.gat, o.gatQ, o.gatK, o.gatKQ]) shapes[opcode] = Extras.exptime;
for (const opcode of [o.flush, o.flushQ]) shapes[opcode] = Extras.optional;
shapes[o.verbosity] = Extras.verbosity;

const WITHOUT_KEY: ReadonlySet<number> = new Set([
  o.quit,
  o.quitQ,
  o.flush,
  o.flushQ,
  o.noop,
  o.version,
  o.stat,
  o.verbosity,
  o.saslList,
]);
const LOUD: ReadonlyMap<number, number> = new Map([
  [o.getQ, o.get],
  [o.getKQ, o.getK],
  [o.setQ, o.set],
  [o.addQ, o.add],
  [o.replaceQ, o.replace],
  [o.deleteQ, o.delete],
  [o.incrementQ, o.increment],
  [o.decrementQ, o.decrement],
  [o.quitQ, o.quit],
  [o.flushQ, o.flush],
  [o.appendQ, o.append],
  [o.prependQ, o.prepend],
  [o.gatQ, o.gat],
  [o.gatKQ, o.gatK],
]);

const READS: ReadonlySet<number> = new Set([o.get, o.getQ, o.getK, o.getKQ, o.gat, o.gatQ, o.gatK, o.gatKQ]);

/** Whether the key may carry read options behind the name (`readKey` in the limits). */
export function isRead(opcode: number): boolean {
  return READS.has(opcode);
}

export function extrasShape(opcode: number): number {
  return shapes[opcode]!;
}

/** Whether extras of this length are right for the shape. */
export function extrasFit(shape: number, length: number): boolean {
  switch (shape) {
    case Extras.none:
      return length === 0;
    case Extras.store:
      return length === 8;
    case Extras.arithmetic:
      return length === 20;
    case Extras.exptime:
    case Extras.verbosity:
      return length === 4;
    case Extras.optional:
      return length === 0 || length === 4;
    default:
      return true;
  }
}

export function needsKey(opcode: number): boolean {
  return extrasShape(opcode) !== Extras.unknown && !WITHOUT_KEY.has(opcode);
}

/** Whether the opcode is a quiet one: a get says nothing on a miss, the others nothing on success. */
export function isQuietOpcode(opcode: number): boolean {
  return LOUD.has(opcode);
}

/** The opcode that does the same and always answers; itself if it isn't a quiet one. */
export function loudOpcode(opcode: number): number {
  return LOUD.get(opcode) ?? opcode;
}

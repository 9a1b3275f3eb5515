import { type Carried, type MessageProperties, nothingCarried, ordinaryPriority } from './store.ts';

/**
 * What stands before a message's body in the log. Version 1:
 * `u8 version | u32 flags | u48 added_ms | u48 expires_ms (0: never)`, little-endian.
 * Version 2, for what carries something: the same, then `u8 fields` and for each bit that is set, in this order:
 * 1 `u48 due_ms`, 2 `u8 priority`, 4 `u8 returns`, 8 `u8 length, id`, 16 `u16 length, origin`; 32 has none: the id is
 * among those of the queue.
 */
export const plainHeadBytes = 17;
const hasDue = 1;
const hasPriority = 2;
const hasReturns = 4;
const hasId = 8;
const hasOrigin = 16;
const isIdentified = 32;

/** One for all plain messages: the log copies it before `append` returns. */
const plain = Buffer.alloc(plainHeadBytes);
plain[0] = 1;
/** What stands in it. */
const last = { flags: 0, addedAt: 0, expiresAt: 0 };

// hot: messages of one turn mostly have the same head; Buffer's checked methods took 4 % of a put in a burst.
/** Valid until the next call. */
export function encodeHead(properties: MessageProperties): Buffer {
  const { flags, addedAt, expiresAt, carried } = properties;
  if (carried !== undefined) {
    const head = Buffer.alloc(plainHeadBytes + carriedBytes(carried));
    encodePlain(head, properties);
    encodeCarried(head, carried);
    return head;
  }
  if (addedAt !== last.addedAt || flags !== last.flags || expiresAt !== last.expiresAt) {
    last.addedAt = -1;
    encodePlain(plain, properties);
    last.flags = flags;
    last.addedAt = addedAt;
    last.expiresAt = expiresAt;
  }
  return plain;
}

function encodePlain(head: Buffer, { flags, addedAt, expiresAt }: MessageProperties): void {
  head.writeUInt32LE(flags, 1);
  head.writeUIntLE(addedAt, 5, 6);
  head.writeUIntLE(expiresAt, 11, 6);
}

/** Bytes that a message takes in the log for what it carries. */
export function carriedBytes(carried: Carried): number {
  return (
    1 +
    (carried.dueAt === 0 ? 0 : 6) +
    (carried.priority === ordinaryPriority ? 0 : 1) +
    (carried.returns === 0 ? 0 : 1) +
    (carried.id === undefined ? 0 : 1 + carried.id.length) +
    (carried.origin === undefined ? 0 : 2 + carried.origin.length)
  );
}

function encodeCarried(head: Buffer, carried: Carried): void {
  const { dueAt, priority, returns, id, identified, origin } = carried;
  head[0] = 2;
  head[plainHeadBytes] =
    (dueAt === 0 ? 0 : hasDue) |
    (priority === ordinaryPriority ? 0 : hasPriority) |
    (returns === 0 ? 0 : hasReturns) |
    (id === undefined ? 0 : hasId) |
    (origin === undefined ? 0 : hasOrigin) |
    (identified ? isIdentified : 0);
  let at = plainHeadBytes + 1;
  if (dueAt !== 0) at = head.writeUIntLE(dueAt, at, 6);
  if (priority !== ordinaryPriority) at = head.writeUInt8(priority, at);
  if (returns !== 0) at = head.writeUInt8(returns, at);
  if (id !== undefined) {
    at = head.writeUInt8(id.length, at);
    at += head.write(id, at, 'latin1');
  }
  if (origin !== undefined) {
    at = head.writeUInt16LE(origin.length, at);
    head.write(origin, at, 'latin1');
  }
}

// hot: what is asked of each message that is delivered.
export function flagsOf(buffer: Buffer, start: number): number {
  const at = start + 1;
  return (buffer[at]! | (buffer[at + 1]! << 8) | (buffer[at + 2]! << 16) | (buffer[at + 3]! << 24)) >>> 0;
}

export function addedAtOf(buffer: Buffer, start: number): number {
  return readUint48(buffer, start + 5);
}

export function expiresAtOf(buffer: Buffer, start: number): number {
  return readUint48(buffer, start + 11);
}

/** Undefined for version 1, of which the three fields are all. */
export function carriedOf(buffer: Buffer, start: number): Carried | undefined {
  return buffer[start] === 1 ? undefined : decodeCarried(buffer, start + plainHeadBytes);
}

// Buffer's own checks more.
function readUint48(buffer: Buffer, at: number): number {
  const low = buffer[at]! | (buffer[at + 1]! << 8) | (buffer[at + 2]! << 16);
  const high = buffer[at + 3]! | (buffer[at + 4]! << 8) | (buffer[at + 5]! << 16);
  return low + high * 0x100_0000;
}

function decodeCarried(buffer: Buffer, from: number): Carried {
  const fields = buffer[from]!;
  let at = from + 1;
  let { dueAt, priority, returns, id, origin } = nothingCarried;
  if ((fields & hasDue) !== 0) {
    dueAt = buffer.readUIntLE(at, 6);
    at += 6;
  }
  if ((fields & hasPriority) !== 0) priority = buffer[at++]!;
  if ((fields & hasReturns) !== 0) returns = buffer[at++]!;
  if ((fields & hasId) !== 0) {
    const length = buffer[at++]!;
    id = buffer.toString('latin1', at, at + length);
    at += length;
  }
  if ((fields & hasOrigin) !== 0) {
    const length = buffer.readUInt16LE(at);
    origin = buffer.toString('latin1', at + 2, at + 2 + length);
  }
  return { dueAt, priority, returns, id, identified: (fields & isIdentified) !== 0, origin };
}

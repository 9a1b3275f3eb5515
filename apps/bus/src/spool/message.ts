/** A message as it lies in the spool: `u16 length | position | frame of one record`, as the record goes over the wire. */
import { decodeFrame, frameOf, type MessageRecord } from '@rookery/protocol/websocket';
import { recordOf, type SendOptions } from '../client/message.ts';

/** Where an input goes on behind a message. `name` is the input's, `at` what it wants to read again. */
export interface Position {
  readonly name: string;
  readonly at: string;
}

export interface Stored {
  readonly record: MessageRecord;
  readonly position: Position | undefined;
}

const LENGTH_BYTES = 2;
/** A position is a path and two numbers: paths have at most 4,096 bytes. */
const POSITION_BYTES = 16 * 1024;
/** Names of 255 groups, a key, a position and the frame around them: what a message may have beside its data. */
export const OVERHEAD_BYTES: number = LENGTH_BYTES + POSITION_BYTES + 255 * 32 + 255 + 24;

/** @throws BusError `BAD_ARGUMENT` for what no daemon takes */
export function encodeStored(
  groups: string | readonly string[],
  data: string | Uint8Array,
  options: SendOptions,
  position: Position | undefined,
): Buffer {
  const frame = frameOf(1, [recordOf(groups, data, options, undefined)]);
  const place = position === undefined ? '' : JSON.stringify([position.name, position.at]);
  const placeBytes = Buffer.byteLength(place);
  if (placeBytes > POSITION_BYTES) throw new RangeError(`a position has at most ${POSITION_BYTES} bytes`);
  const bytes = Buffer.allocUnsafe(LENGTH_BYTES + placeBytes + frame.length);
  bytes.writeUInt16LE(placeBytes);
  bytes.write(place, LENGTH_BYTES);
  bytes.set(frame, LENGTH_BYTES + placeBytes);
  return bytes;
}

/** What `encodeStored` made; the data shares its memory. Undefined for what it never makes. */
export function decodeStored(bytes: Buffer): Stored | undefined {
  const start = LENGTH_BYTES + bytes.readUInt16LE();
  const records = decodeFrame(bytes.subarray(start), 'client', { groups: 255, messageBytes: bytes.length });
  if (!Array.isArray(records)) return undefined;
  let position: Position | undefined;
  if (start > LENGTH_BYTES) {
    const [name, at] = JSON.parse(bytes.toString('utf8', LENGTH_BYTES, start)) as [string, string];
    position = { name, at };
  }
  return { record: records[0]!, position };
}

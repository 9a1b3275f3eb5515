/** What stands before the data of a room's messages, so that each is known to belong to one view. */

export interface Envelope {
  /** `ok`: its sender has said all that it says before the view. */
  readonly kind: 'message' | 'ok';
  /** Of the view that a message was sent in, or that an `ok` makes way for. */
  readonly view: string;
  readonly data: Uint8Array;
}

/** 0, `R`, `F`, `L`: no text begins so. Then the kind, the length of the view's id, the id, the data. */
const MAGIC = [0x00, 0x52, 0x46, 0x4c] as const;
const HEADER_BYTES = 6;
const KINDS = ['message', 'ok'] as const;

export function wrap(kind: Envelope['kind'], view: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + view.length + data.length);
  bytes.set(MAGIC);
  bytes[4] = KINDS.indexOf(kind);
  bytes[5] = view.length;
  for (let at = 0; at < view.length; at++) bytes[HEADER_BYTES + at] = view.charCodeAt(at);
  bytes.set(data, HEADER_BYTES + view.length);
  return bytes;
}

/** `undefined` for what is none: it is no member's of the room. The data isn't copied. */
export function unwrap(bytes: Uint8Array): Envelope | undefined {
  if (bytes.length < HEADER_BYTES || MAGIC.some((byte, at) => bytes[at] !== byte)) return undefined;
  const kind = KINDS[bytes[4]!];
  const end = HEADER_BYTES + bytes[5]!;
  if (kind === undefined || end > bytes.length) return undefined;
  return { kind, view: String.fromCharCode(...bytes.subarray(HEADER_BYTES, end)), data: bytes.subarray(end) };
}

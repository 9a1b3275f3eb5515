/** Packets in their order -> messages. Pieces of a message are kept, per sender, until its last one comes. */
import {
  chunkCursor,
  DATA_HEADER_BYTES,
  type DataPacket,
  nextChunk,
  SERVICES,
  type Service,
} from '@rookery/protocol/bus';

interface Partial {
  readonly total: number;
  /** Room for what came, at most for all; the first `length` bytes are filled. */
  bytes: Buffer;
  length: number;
}

/** Room at first, or all that a smaller message needs; then it doubles as pieces come, never because a length was announced. */
const ROOM_BYTES = 16_384;

export class Reassembly {
  readonly #messageBytes: number;
  readonly #partials = new Map<number, Partial>();
  /** One for all packets: none is read while another one is. */
  readonly #cursor = chunkCursor();

  constructor(messageBytes: number) {
    this.#messageBytes = messageBytes;
  }

  // hot: once per packet delivered.
  /** `at`: where in the packet the message ends. */
  read(
    packet: DataPacket,
    deliver: (sender: number, service: Service, payload: Buffer, at: number) => void,
  ): void {
    const { bytes, sender } = packet;
    const cursor = this.#cursor;
    cursor.next = DATA_HEADER_BYTES;
    while (nextChunk(bytes, cursor)) {
      const service = SERVICES[cursor.service]!;
      if (cursor.first && cursor.last) {
        deliver(sender, service, view(bytes, cursor.start, cursor.end), cursor.next);
        continue;
      }
      if (cursor.first) this.#begin(sender, cursor.total);
      const partial = this.#partials.get(sender);
      // A piece whose beginning is not here: too large, or its sender is at fault.
      if (partial === undefined) continue;
      const length = partial.length + cursor.end - cursor.start;
      if (length > partial.total) {
        this.#partials.delete(sender);
        continue;
      }
      append(partial, bytes, cursor.start, cursor.end);
      if (!cursor.last) continue;
      this.#partials.delete(sender);
      if (length === partial.total) deliver(sender, service, partial.bytes, cursor.next);
    }
  }

  /** A new ring: nothing that was begun goes on. */
  clear(): void {
    this.#partials.clear();
  }

  #begin(sender: number, total: number): void {
    this.#partials.delete(sender);
    if (total > this.#messageBytes) return;
    const bytes = Buffer.allocUnsafe(Math.min(total, ROOM_BYTES));
    this.#partials.set(sender, { total, bytes, length: 0 });
  }
}

function append(partial: Partial, from: Uint8Array, start: number, end: number): void {
  const length = partial.length + end - start;
  if (length > partial.bytes.length) {
    const room = Math.min(partial.total, Math.max(length, 2 * partial.bytes.length));
    const grown = Buffer.allocUnsafe(room);
    partial.bytes.copy(grown, 0, 0, partial.length);
    partial.bytes = grown;
  }
  partial.bytes.set(from.subarray(start, end), partial.length);
  partial.length = length;
}

function view(bytes: Uint8Array, start: number, end: number): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
}

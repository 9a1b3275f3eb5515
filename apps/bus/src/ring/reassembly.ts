/** Packets in their order -> messages. Pieces of a message are kept, per sender, until its last one comes. */
import { chunkCursor, type DataPacket, nextChunk, SERVICES, type Service } from '@rookery/protocol/bus';

interface Partial {
  readonly total: number;
  readonly pieces: Uint8Array[];
  bytes: number;
}

export class Reassembly {
  readonly #messageBytes: number;
  readonly #partials = new Map<number, Partial>();

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
    const cursor = chunkCursor();
    while (nextChunk(bytes, cursor)) {
      const service = SERVICES[cursor.service]!;
      if (cursor.first && cursor.last) {
        deliver(sender, service, view(bytes, cursor.start, cursor.end), cursor.next);
        continue;
      }
      const piece = bytes.subarray(cursor.start, cursor.end);
      if (cursor.first) this.#begin(sender, cursor.total);
      const partial = this.#partials.get(sender);
      // A piece whose beginning is not here: too large, or its sender is at fault.
      if (partial === undefined) continue;
      partial.bytes += piece.length;
      if (partial.bytes > partial.total) {
        this.#partials.delete(sender);
        continue;
      }
      partial.pieces.push(piece);
      if (!cursor.last) continue;
      this.#partials.delete(sender);
      if (partial.bytes === partial.total)
        deliver(sender, service, Buffer.concat(partial.pieces), cursor.next);
    }
  }

  /** A new ring: nothing that was begun goes on. */
  clear(): void {
    this.#partials.clear();
  }

  #begin(sender: number, total: number): void {
    this.#partials.delete(sender);
    if (total <= this.#messageBytes) this.#partials.set(sender, { total, pieces: [], bytes: 0 });
  }
}

function view(bytes: Uint8Array, start: number, end: number): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
}

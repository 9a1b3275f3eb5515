/** As on the wire (BEP 3): the first piece is the highest bit. */
export function toBitfield(pieces: Uint8Array): Uint8Array {
  const bits = new Uint8Array(Math.ceil(pieces.length / 8));
  pieces.forEach((one, piece) => {
    if (one === 1) bits[piece >> 3]! |= 0x80 >> (piece & 7);
  });
  return bits;
}

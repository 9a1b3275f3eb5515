// A queue's name is bytes. On the wire and in the server it is a string with one char per byte; people, files and
// JSON have it as UTF-8.

/** For people: bytes that are no UTF-8 show as replacement characters. */
export function displayName(name: string): string {
  return Buffer.from(name, 'latin1').toString('utf8');
}

/** From what people typed. */
export function wireName(name: string): string {
  return Buffer.from(name, 'utf8').toString('latin1');
}

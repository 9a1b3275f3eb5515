import type { Readable } from 'node:stream';

/**
 * The lines of a stream, each without its end; a last one that is cut off is left out.
 * @throws RangeError when a line is longer than allowed
 */
export async function* readLines(stream: Readable, bytesMax: number): AsyncGenerator<string> {
  let parts: Buffer[] = [];
  let length = 0;
  for await (const part of stream as AsyncIterable<Buffer>) {
    let start = 0;
    for (let end = part.indexOf(10); end !== -1; end = part.indexOf(10, start)) {
      const line = part.subarray(start, end);
      start = end + 1;
      if (length + line.length > bytesMax) throw new RangeError(`a line is longer than ${bytesMax} bytes`);
      yield (parts.length === 0 ? line : Buffer.concat([...parts, line])).toString('utf8');
      parts = [];
      length = 0;
    }
    if (start === part.length) continue;
    parts.push(part.subarray(start));
    length += part.length - start;
    if (length > bytesMax) throw new RangeError(`a line is longer than ${bytesMax} bytes`);
  }
}

/** Standard input as messages. */
import { ServiceError } from '../errors.ts';

/** The most that any server can be told to take as one message. */
const MESSAGE_BYTES_MAX = 1024 ** 3;
const LINE_END = 0x0a;

/** All of it. @throws ServiceError `USAGE` if that is more than any message */
export async function wholeOf(input: AsyncIterable<Buffer>): Promise<Buffer> {
  const message = new Pieces();
  for await (const chunk of input) message.add(chunk);
  return message.take();
}

/** Each line without its end; the last one needs none. @throws ServiceError `USAGE` if one is more than any message */
export async function* linesOf(input: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void> {
  const line = new Pieces();
  for await (const chunk of input) {
    let from = 0;
    for (let end = chunk.indexOf(LINE_END); end >= 0; end = chunk.indexOf(LINE_END, from)) {
      line.add(chunk.subarray(from, end));
      yield line.take();
      from = end + 1;
    }
    if (from < chunk.length) line.add(chunk.subarray(from));
  }
  if (line.bytes > 0) yield line.take();
}

class Pieces {
  bytes = 0;
  #pieces: Buffer[] = [];

  add(piece: Buffer): void {
    this.bytes += piece.length;
    if (this.bytes > MESSAGE_BYTES_MAX) {
      throw new ServiceError(
        'USAGE',
        'a message has at most 1 GiB; with --lines each line is one of its own',
      );
    }
    this.#pieces.push(piece);
  }

  take(): Buffer {
    const whole = this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.bytes = 0;
    return whole;
  }
}

/** What readings say to other daemons, in order, as the ring takes it. Windows bound what waits here. */
import { encodeEvent, type ReadingEvent } from '@rookery/protocol/bus';

export class Outgoing {
  readonly #submit: (payload: Uint8Array) => boolean;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;

  /** `submit`: false if the ring takes no more for now. */
  constructor(submit: (payload: Uint8Array) => boolean) {
    this.#submit = submit;
  }

  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  say(event: ReadingEvent): void {
    const payload = encodeEvent(event);
    if (this.#waiting.length === 0 && this.#submit(payload)) return;
    this.#waiting.push(payload);
    this.#waitingBytes += payload.length;
  }

  /** The ring may take more. */
  goOn(): void {
    let count = 0;
    while (count < this.#waiting.length && this.#submit(this.#waiting[count]!)) {
      this.#waitingBytes -= this.#waiting[count++]!.length;
    }
    if (count > 0) this.#waiting = this.#waiting.slice(count);
  }
}

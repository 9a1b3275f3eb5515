import { setTimeout as delay } from 'node:timers/promises';
import type { Bus } from '../../client/index.ts';
import type { FloodOptions, Run } from './flood.ts';
import { writeStamp } from './stamp.ts';

/** Bytes of one sender that may be without confirmation: the client's own window. */
export const WINDOW_BYTES: number = 1024 * 1024;
/** Who has a rate sends what is due so often. */
const PACE_MS = 1;

/** Sends a sender's messages, and resolves when all are confirmed. */
export async function send(bus: Bus, sender: number, options: FloodOptions, run: Run): Promise<void> {
  const { group, size, messages, service, rate } = options;
  const window = options.window || Number.POSITIVE_INFINITY;
  const data = new Uint8Array(size);
  const begunMs = performance.now();
  let sent = 0;
  let confirmed = 0;
  let failure: Error | undefined;
  let wake: (() => void) | undefined;
  const onConfirmed = (): void => {
    confirmed++;
    wake?.();
  };
  const onFailed = (error: Error): void => {
    failure ??= error;
    wake?.();
  };
  while (failure === undefined && confirmed < messages) {
    const due = rate === 0 ? messages : Math.min(messages, 1 + ((performance.now() - begunMs) * rate) / 1000);
    // hot: once per message.
    while (sent + 1 <= due && sent - confirmed < window && bus.unconfirmedBytes < WINDOW_BYTES) {
      writeStamp(data, { run: run.id, sender, sentMs: performance.now() });
      bus.multicast(group, data, { service }).then(onConfirmed, onFailed);
      sent++;
      run.sent++;
    }
    const held = sent === messages || sent - confirmed >= window || bus.unconfirmedBytes >= WINDOW_BYTES;
    if (!held) await delay(PACE_MS);
    else if (confirmed < messages && failure === undefined) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }
  if (failure !== undefined) throw failure;
}

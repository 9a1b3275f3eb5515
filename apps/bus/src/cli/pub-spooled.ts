/** `pub --spool`: published is what is kept; it ends when a daemon has ordered it, however long that takes. */

import { addAbortSignal } from 'node:stream';
import { linesOf, wholeOf } from '@rookery/service';
import { Tally } from '../inputs/tally.ts';
import { PUBLISHER_DEFAULTS } from '../spool/index.ts';
import type { Target } from './connection.ts';
import type { PubOptions } from './pub.ts';
import { openSpool } from './spooling.ts';

export async function pubSpooled(
  target: Target,
  options: PubOptions,
  spool: string,
  signal: AbortSignal,
): Promise<void> {
  const { groups, text, lines, ...send } = options;
  const tally = new Tally((line) => process.stderr.write(line));
  const failed = new AbortController();
  const flags = { spool, spoolBytes: PUBLISHER_DEFAULTS.spoolBytes };
  const publisher = await openSpool(target, flags, {}, tally, (error) => failed.abort(error));
  const over = AbortSignal.any([signal, failed.signal]);
  /** Waits where the spool is full: what isn't read yet stays with who writes it. */
  const publish = async (data: string | Uint8Array): Promise<void> => {
    while (!publisher.offer(groups, data, send)) {
      if (over.aborted) return;
      await publisher.room(over);
    }
  };
  try {
    if (text !== undefined) await publish(text);
    else {
      const input = addAbortSignal(over, process.stdin);
      if (lines) for await (const line of linesOf(input)) await publish(line);
      else await publish(await wholeOf(input));
    }
    await publisher.sent(over);
  } finally {
    await publisher.close();
    tally.close();
  }
  if (failed.signal.aborted) throw failed.signal.reason;
}

/** `rookery-bus syslog`: messages of any listener become events of a group, as JSON or as they came. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Publisher } from '../../spool/index.ts';
import type { Tally } from '../tally.ts';
import type { Frame } from './framing.ts';
import { listenSyslog, type SyslogAddress, type SyslogListener } from './listen.ts';
import { parseSyslog } from './parse.ts';

/** What is in the sockets' buffers when the stop comes is read. */
const LAST_MESSAGES_MS = 100;

/** Serves until the signal is given. `onListening` is told once where. */
export async function serveSyslog(
  addresses: readonly SyslogAddress[],
  { groups, raw }: { readonly groups: readonly string[]; readonly raw: boolean },
  publisher: Publisher,
  tally: Tally,
  onListening: (urls: readonly string[]) => void,
  signal: AbortSignal,
): Promise<void> {
  // hot: once per message.
  const publish = ({ bytes, cut }: Frame): boolean => {
    const event = parseSyslog(bytes, new Date());
    const data = raw ? bytes : JSON.stringify(cut ? { ...event, truncated: true } : event);
    if (!publisher.offer(groups, data)) return false;
    tally.add('published');
    if (cut) tally.add('cut');
    if (event.malformed) tally.add('malformed');
    return true;
  };
  const listeners: SyslogListener[] = [];
  try {
    for (const address of addresses) {
      // Datagrams can't wait, a stream can.
      const drops = address.kind !== 'tcp';
      listeners.push(
        await listenSyslog(address, {
          take: (frame) => {
            const taken = publish(frame);
            if (!taken && drops) tally.add('dropped');
            return taken;
          },
          room: () => publisher.room(signal),
          onShortQueue: (advice) => tally.say(advice),
          onBroken: (peer) => tally.say(`the connection of ${peer} was ended: it is out of step (RFC 6587)`),
        }),
      );
    }
    onListening(listeners.map(({ url }) => url));
    await new Promise((resolve) => {
      if (signal.aborted) resolve(undefined);
      signal.addEventListener('abort', resolve, { once: true });
    });
    await delay(LAST_MESSAGES_MS);
  } finally {
    await Promise.all(listeners.map((listener) => listener.close()));
  }
}

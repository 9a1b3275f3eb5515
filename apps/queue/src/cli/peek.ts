import { messageJson, messageLine } from './describe.ts';
import { type Target, withClient } from './target.ts';

/** Prints the message at the head of a queue; false if there is none. */
export function peek(target: Target, name: string, json: boolean, signal: AbortSignal): Promise<boolean> {
  return withClient(target, signal, async (client) => {
    const message = await client.queue(name).peek({ signal });
    if (message === undefined) return false;
    process.stdout.write(
      json ? messageJson(message) : messageLine(message.body, process.stdout.isTTY === true),
    );
    return true;
  });
}

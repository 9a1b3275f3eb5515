/** Two well-behaved clients at two daemons that talk while others storm: every message, in order, in one view. */
import type { DaemonProcess } from '../daemon-process.ts';
import { connectSpread } from '../spread-client.ts';
import { connectWebSocket, type Said } from '../websocket-client.ts';

export interface CalmPair {
  /** Ends the talk; rejects if anything was lost, out of order, or a view changed. */
  stop(): Promise<{ readonly messages: number; readonly slowestMs: number }>;
}

export async function startCalmPair(one: DaemonProcess, two: DaemonProcess): Promise<CalmPair> {
  const spread = await connectSpread(one, { name: 'calm' });
  const web = await connectWebSocket(two.webSocketUrl, { name: 'calm' });
  await spread.enter('calm');
  await web.enter('calm');
  await spread.inbox.until((heard) => heard.kind === 'membership' && heard.members.length === 2);
  let stopping = false;
  let slowestMs = 0;

  async function expectSpread(text: string): Promise<void> {
    const heard = await spread.inbox.next(20_000);
    if (heard.kind !== 'message' || heard.text !== text) {
      throw new Error(
        `the Spread client waited for ${text} and heard ${JSON.stringify(heard).slice(0, 500)}`,
      );
    }
  }
  async function expectWeb(text: string): Promise<void> {
    let said: Said;
    do said = await web.inbox.next(20_000);
    while (said.kind === 'confirmed');
    if (said.kind !== 'message' || said.text !== text) {
      throw new Error(
        `the WebSocket client waited for ${text} and heard ${JSON.stringify(said).slice(0, 500)}`,
      );
    }
  }
  async function talk(): Promise<number> {
    let n = 0;
    for (; !stopping; n++) {
      const began = performance.now();
      spread.send('calm', `spread ${n}`, { service: n % 2 === 0 ? 'agreed' : 'safe' });
      await Promise.all([expectSpread(`spread ${n}`), expectWeb(`spread ${n}`)]);
      web.send('calm', `web ${n}`);
      await Promise.all([expectSpread(`web ${n}`), expectWeb(`web ${n}`)]);
      slowestMs = Math.max(slowestMs, performance.now() - began);
    }
    return 2 * n;
  }

  const talked = talk();
  talked.catch(() => undefined);
  return {
    async stop() {
      stopping = true;
      try {
        return { messages: await talked, slowestMs: Math.round(slowestMs) };
      } finally {
        spread.destroy();
        web.cut();
      }
    },
  };
}

/**
 * What the WebSocket codec costs by itself: `npm exec -- node --conditions=@rookery/source bench/websocket-codec.ts`.
 * Messages of 100 bytes to one group, 1,000 in a frame; the best of five rounds.
 */
import { decodeFrame, encodeRecord, frameOf, type MessageRecord } from '@rookery/protocol/websocket';

const [RECORDS, FRAMES] = [1000, 1000];

function message(sender: string): MessageRecord {
  return {
    sender,
    groups: ['prices'],
    service: 'agreed',
    messageType: 1,
    key: '',
    selfDiscard: false,
    bigEndian: false,
    data: new Uint8Array(100).fill(7),
  };
}

function report(what: string, round: () => void): void {
  let best = Number.POSITIVE_INFINITY;
  for (let count = 0; count < 5; count++) {
    const start = performance.now();
    round();
    best = Math.min(best, performance.now() - start);
  }
  const rate = (RECORDS * FRAMES) / (best / 1000);
  console.log(`${what.padEnd(44)} ${(rate / 1e6).toFixed(1).padStart(6)} M records/s`);
}

for (const [from, sender] of [
  ['client', ''],
  ['daemon', '#alice#host1'],
] as const) {
  const one = message(sender);
  const encodeAll = (): Uint8Array[] => Array.from({ length: RECORDS }, () => encodeRecord(one));
  const shared = encodeAll();
  const frame = frameOf(1, shared);
  report(`${from}: encode each and put into frames`, () => {
    for (let count = 0; count < FRAMES; count++) frameOf(1 + count * RECORDS, encodeAll());
  });
  report(`${from}: put shared records into frames`, () => {
    for (let count = 0; count < FRAMES; count++) frameOf(1 + count * RECORDS, shared);
  });
  report(`${from}: decode frames`, () => {
    for (let count = 0; count < FRAMES; count++) {
      if (!Array.isArray(decodeFrame(frame, from))) throw new Error('a frame was not read');
    }
  });
}

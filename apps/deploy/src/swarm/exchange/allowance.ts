import type { Wire } from 'webtorrent';

/** What a peer may still say. Every message costs; blocks that help earn more than they cost. */
export interface Allowance {
  earn(blockBytes: number): void;
}

/**
 * A peer that pours messages keeps a host from everything else, be they ever so harmless. A rightful one tells each
 * piece once, asks for each block once, and sends little that was cancelled meanwhile.
 */
const MESSAGES_FOR_A_PIECE = 4;
const MESSAGES_AT_LEAST = 2_000;
const MESSAGES_PER_SECOND = 20;
/** Have, request and cancel of a block, to and fro, and some for the endgame. */
const MESSAGES_FOR_A_BLOCK = 16;
/** Extensions may ask for 16 KiB of metadata each, and need it once. */
const EXTENDED = 20;
const MESSAGES_FOR_AN_EXTENDED = 16;
/** So many bytes cost as much as one message more. */
const BYTES_PER_MESSAGE = 4_096;

/** @param onSpent called once; nothing more is heard of this peer */
export function limitMessages(wire: Wire, pieceCount: number, onSpent: () => void): Allowance {
  const most = MESSAGES_AT_LEAST + MESSAGES_FOR_A_PIECE * pieceCount;
  let left = most;
  let at = performance.now();
  let spent = false;

  const spend = (bytes: number, extra = 0): boolean => {
    left -= 1 + extra + bytes / BYTES_PER_MESSAGE;
    if (left > 0) return true;
    const now = performance.now();
    left += Math.min(most, (MESSAGES_PER_SECOND * (now - at)) / 1_000);
    at = now;
    if (left > 0) return true;
    if (!spent) onSpent();
    spent = true;
    return false;
  };

  const onMessage = wire._onMessage;
  wire._onMessage = (message) => {
    const extra = message[0] === EXTENDED ? MESSAGES_FOR_AN_EXTENDED : 0;
    if (spend(message.length, extra)) onMessage.call(wire, message);
  };
  wire.on('keep-alive', () => spend(0));
  return {
    earn(blockBytes) {
      left = Math.min(most, left + MESSAGES_FOR_A_BLOCK + blockBytes / BYTES_PER_MESSAGE);
    },
  };
}

/** Deliveries as Spread's frames. */
import {
  Output,
  readsSets,
  type Version,
  writeMembership,
  writeMembershipOfOneSet,
  writeMessage,
  writeSelfLeave,
  writeTransition,
} from '@rookery/protocol/spread';
import type { Delivery, Format } from '../session/delivery.ts';

// One output for all: what is written is taken at once.
const out = new Output();

const current = formatWith('spread', writeMembership);
/** Other memberships for clients before 4.0. */
const old = formatWith('spread 3', writeMembershipOfOneSet);

export function formatFor(client: Version): Format {
  return readsSets(client) ? current : old;
}

function formatWith(name: string, writeView: typeof writeMembership): Format {
  return {
    name,
    tellsMine: true,
    leftToAll: false,
    kept: () => undefined,
    // hot: once per message.
    encode(delivery: Delivery, mine: number): Buffer | undefined {
      switch (delivery.kind) {
        case 'message': {
          const { service, selfDiscard, from, groups, messageType, bigEndian, data } = delivery;
          const buffer = Buffer.isBuffer(data)
            ? data
            : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
          writeMessage(out, {
            service,
            selfDiscard,
            sender: from,
            groups,
            messageType,
            messageOrder: bigEndian ? 'big' : 'little',
            buffer,
            start: 0,
            end: buffer.length,
          });
          break;
        }
        case 'view': {
          const { group, cause, members, id, sets } = delivery.view;
          writeView(out, { cause, group, members, id, sets, mine });
          break;
        }
        case 'transition':
          writeTransition(out, delivery.group, delivery.id);
          break;
        case 'left':
          writeSelfLeave(out, delivery.group);
          break;
        case 'dropped':
        case 'refused':
          // Spread has no word for the one; the other is a reject message, which the connection writes.
          return undefined;
      }
      const chunks = out.take();
      return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
    },
  };
}

/** Deliveries as WebSocket frames: records for binary ones, JSON without its number for text. */
import { encodeDelivery, encodeRecord } from '@rookery/protocol/websocket';
import type { GroupId } from '../groups/types.ts';
import { type Delivery, type Format, REFUSALS } from '../session/delivery.ts';

/** Messages in binary frames. */
export const binaryFormat: Format = {
  name: 'websocket',
  tellsMine: false,
  leftToAll: true,
  // hot: once per message.
  encode(delivery) {
    if (delivery.kind !== 'message') return encodeText(delivery);
    const { kind: _, from: sender, ...message } = delivery;
    return encodeRecord({ ...message, sender });
  },
};

/** Everything in text frames. */
export const jsonFormat: Format = {
  name: 'websocket json',
  tellsMine: false,
  leftToAll: true,
  encode: (delivery) => encodeText(delivery),
};

function encodeText(delivery: Delivery): string {
  switch (delivery.kind) {
    case 'message': {
      const { from: sender, groups, service, messageType, key, data } = delivery;
      return encodeDelivery({ kind: 'message', sender, groups, service, messageType, key, data });
    }
    case 'view': {
      const { group, id, cause, members, changed, sets } = delivery.view;
      return encodeDelivery({ kind: 'view', group, id: textOf(id), cause, members, changed, sets });
    }
    case 'transition':
      return encodeDelivery({ kind: 'transition', group: delivery.group, id: textOf(delivery.id) });
    case 'left':
      return encodeDelivery({ kind: 'left', group: delivery.group });
    case 'dropped':
      return encodeDelivery({ kind: 'dropped', group: delivery.group, count: delivery.count });
    case 'refused': {
      const { number, code } = delivery;
      return encodeDelivery({ kind: 'refused', n: number, code, message: REFUSALS[code] });
    }
  }
}

function textOf({ daemon, time, index }: GroupId): string {
  return `${daemon}.${time}.${index}`;
}

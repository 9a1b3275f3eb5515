import type { GroupMessage } from '@rookery/protocol/bus';

/** A message as somebody sees it who looks at a group. */
export interface EventView {
  readonly at: string;
  readonly from: string;
  readonly type: number;
  readonly key: string;
  readonly bytes: number;
  /** The data in Base64, or the beginning of longer data. */
  readonly data: string;
}

/** What came to one group between two looks. */
export interface Traffic {
  messages: number;
  bytes: number;
  /** The first of them, if the group is looked at. */
  readonly events: EventView[];
}

/** Counts what goes through the groups, and keeps some of what goes through those that are looked at. */
export interface TrafficWatch {
  take(message: GroupMessage): void;
  /** Until the next look but one; who still wants it says so again. */
  want(group: string): void;
  /** What came since the last look. */
  look(): void;
  readonly last: ReadonlyMap<string, Traffic>;
}

/** Events of one group that are kept between two looks: what a person may read in a second. */
const EVENTS_MAX = 20;
/** Of one message. */
const DATA_BYTES_MAX = 1024;
/** Groups counted between two looks: anyone may send to any name. */
const GROUPS_MAX = 10_000;

export function createTrafficWatch(now: () => number): TrafficWatch {
  let current = new Map<string, Traffic>();
  let last: ReadonlyMap<string, Traffic> = new Map();
  let wanted = new Set<string>();
  let wantedNext = new Set<string>();

  function note(group: string, message: GroupMessage): void {
    let traffic = current.get(group);
    if (traffic === undefined) {
      if (current.size >= GROUPS_MAX) return;
      traffic = { messages: 0, bytes: 0, events: [] };
      current.set(group, traffic);
    }
    const { data } = message;
    traffic.messages++;
    traffic.bytes += data.length;
    if (traffic.events.length >= EVENTS_MAX || !(wanted.has(group) || wantedNext.has(group))) return;
    const part = data.subarray(0, DATA_BYTES_MAX);
    traffic.events.push({
      at: new Date(now()).toISOString(),
      from: message.session,
      type: message.messageType,
      key: message.key,
      bytes: data.length,
      data: Buffer.from(part.buffer, part.byteOffset, part.length).toString('base64'),
    });
  }

  return {
    take(message) {
      for (const group of message.groups) note(group, message);
    },
    want: (group) => void wantedNext.add(group),
    look() {
      last = current;
      current = new Map();
      wanted = wantedNext;
      wantedNext = new Set();
    },
    get last() {
      return last;
    },
  };
}

/**
 * Readings of groups that are kept here, by clients of daemons that don't keep them. Each is read like any other; its
 * room is a window of what the other daemon hasn't taken.
 */
import type { Read, ReadingEvent, Taken, Unread } from '@rookery/protocol/bus';
import { decodeClientControl, encodeDaemonControl } from '@rookery/protocol/websocket';
import type { KeptGroup } from '../group.ts';
import { type Located, type Reader, type Reading, readGroup } from './reading.ts';
import type { Searches } from './searches.ts';

export interface ServedOptions {
  /** Of a group that is kept here. */
  readonly group: (name: string) => KeptGroup | undefined;
  readonly searches: Searches;
  /** To the other daemons, in order, when the ring takes it. */
  readonly say: (event: ReadingEvent) => void;
}

/** What may be on its way, and in the other daemon's outbox: some turns of the token. */
export const WINDOW_BYTES: number = 256 * 1024;
/** Some packets: live messages come between. */
const GIVEN_BYTES = 64 * 1024;

export class Served {
  readonly #options: ServedOptions;
  readonly #readings = new Map<
    string,
    { readonly to: number; readonly reader: RemoteReader; reading: Reading }
  >();

  constructor(options: ServedOptions) {
    this.#options = options;
  }

  onEvent(sender: number, event: Read | Taken | Unread): void {
    const name = `${sender}.${event.reading}`;
    if (event.kind === 'read') this.#open(name, sender, event);
    else if (event.kind === 'taken') {
      const served = this.#readings.get(name);
      if (served?.reader.take(event.bytes)) served.reading.wake();
    } else this.#close(name);
  }

  /** A configuration ends, and these go on together: the others ask anew, here or elsewhere. */
  onTogether(members: readonly number[]): void {
    for (const [name, { to }] of [...this.#readings]) if (!members.includes(to)) this.#close(name);
  }

  #open(name: string, to: number, { reading: number, request }: Read): void {
    const asked = decodeClientControl(request);
    // What this version doesn't know, or no more groups are kept here than these: its reader waits for another keeper.
    if (asked.kind !== 'subscribe') return;
    const group = this.#options.group(asked.group);
    if (group === undefined || (asked.lastValue && !group.hasView)) return;
    const reader = new RemoteReader(asked.group, (event) =>
      this.#options.say({ ...event, to, reading: number }),
    );
    const reading = readGroup(group, asked, reader, this.#options.searches);
    if (reading !== undefined) this.#readings.set(name, { to, reader, reading });
  }

  #close(name: string): void {
    const served = this.#readings.get(name);
    this.#readings.delete(name);
    served?.reader.close();
    served?.reading.close();
  }
}

type Saying =
  | { readonly kind: 'given'; readonly records: readonly Uint8Array[] }
  | { readonly kind: 'told'; readonly delivery: string };

class RemoteReader implements Reader {
  readonly #group: string;
  readonly #say: (event: Saying) => void;
  #records: Uint8Array[] = [];
  #bytes = 0;
  #givenBytes = 0;
  #takenBytes = 0;
  #closed = false;

  constructor(group: string, say: (event: Saying) => void) {
    this.#group = group;
    this.#say = say;
  }

  get room(): boolean {
    return this.#givenBytes - this.#takenBytes < WINDOW_BYTES;
  }

  /** Its room is its own. */
  begin(): boolean {
    return true;
  }

  end(): void {
    // Nobody waits for it.
  }

  /** Whether there is room. */
  take(bytes: number): boolean {
    this.#takenBytes = bytes;
    return this.room;
  }

  // hot: once per message.
  give(record: Uint8Array): void {
    // What comes in one turn goes together.
    if (this.#records.length === 0) queueMicrotask(() => this.#flush());
    this.#records.push(record);
    this.#bytes += record.length;
    this.#givenBytes += record.length;
    if (this.#bytes >= GIVEN_BYTES) this.#flush();
  }

  located(place: Located): void {
    const { sequence, last, whole, cursor } = place;
    this.#tell(
      encodeDaemonControl({
        kind: 'subscribed',
        d: 1,
        n: 1,
        group: this.#group,
        sequence,
        last,
        whole,
        cursor,
      }),
    );
  }

  caughtUp(sequence: number): void {
    this.#tell(encodeDaemonControl({ kind: 'caught_up', d: 1, group: this.#group, sequence }));
  }

  missed(count: number): void {
    this.#tell(encodeDaemonControl({ kind: 'missed', d: 1, group: this.#group, count }));
  }

  close(): void {
    this.#closed = true;
    this.#records = [];
  }

  #tell(delivery: string): void {
    this.#flush();
    this.#say({ kind: 'told', delivery });
  }

  #flush(): void {
    if (this.#closed || this.#records.length === 0) return;
    const records = this.#records;
    this.#records = [];
    this.#bytes = 0;
    this.#say({ kind: 'given', records });
  }
}

/** What goes out of the ring. */
import type { RingId, Service } from '@rookery/protocol/bus';

export type { RingId, Service };

/** Who is there. */
export interface Configuration {
  /** `transitional`: those of the ring `previous` who go on to the ring `ring` together. */
  readonly kind: 'regular' | 'transitional';
  readonly ring: RingId;
  /** The ring that this one follows, for this process; undefined for the first one of its life. */
  readonly previous: RingId | undefined;
  /** Ids, ascending. */
  readonly members: readonly number[];
}

/** In the order in which they must be done. */
export type RingOutput =
  | { readonly kind: 'multicast'; readonly bytes: Uint8Array }
  | { readonly kind: 'unicast'; readonly to: number; readonly bytes: Uint8Array }
  | {
      readonly kind: 'deliver';
      readonly sender: number;
      readonly service: Service;
      /** Its place among all of this ring, the same for everybody; not without gaps. */
      readonly order: number;
      /** Not to be written to: it may lie in the packet that others still need. */
      readonly payload: Buffer;
      /** The regular configuration that was installed last, or the transitional one that followed it. */
      readonly configuration: Configuration;
    }
  | { readonly kind: 'configuration'; readonly configuration: Configuration }
  /** Store this, then call `stored`. Until then the ring's forming waits. */
  | { readonly kind: 'store'; readonly ringSequence: number };

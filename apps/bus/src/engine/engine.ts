/**
 * What the groups stand on: one order of payloads and of who is there, over all daemons. The ring over UDP is one;
 * `test/engine/compliance.ts` says what another must do.
 */
import type { Part } from '@rookery/service';
import type { Configuration, Service } from '../ring/types.ts';

export interface EngineDelivery {
  readonly kind: 'deliver';
  /** The daemon that submitted it. */
  readonly sender: number;
  readonly service: Service;
  /** Its place among all of this configuration's ring, the same for everybody; ascending, with gaps. */
  readonly order: number;
  /** Not to be written to. */
  readonly payload: Buffer;
}

export interface EngineConfiguration {
  readonly kind: 'configuration';
  readonly configuration: Configuration;
}

export type EngineOutput = EngineDelivery | EngineConfiguration;

export interface Engine extends Part {
  start(): Promise<void>;
  /** Leaves: what was submitted before goes out if it can within a moment. */
  stop(): Promise<void>;
  /** Of this daemon. */
  readonly id: number;
  /** Called in the order of everything, from the engine's turn: it may `submit`, and must not throw. */
  onOutput: (output: EngineOutput) => void;
  /**
   * A payload for everybody, this daemon included; read later, so don't write to it afterwards. False: too large, or
   * too much waits (`queuedBytes`).
   */
  submit(service: Service, payload: Uint8Array): boolean;
  /** Bytes submitted and not yet on their way. */
  readonly queuedBytes: number;
  /** The largest payload. */
  readonly payloadBytesMax: number;
  status(): EngineStatus;
}

export interface EngineStatus {
  readonly state: string;
  readonly configuration: Configuration | undefined;
  readonly queuedBytes: number;
  /** Counters by name. */
  readonly counters: Readonly<Record<string, number>>;
  readonly peers: readonly {
    readonly id: number;
    readonly name: string;
    readonly address: string;
    readonly lastHeardMs: number;
  }[];
}

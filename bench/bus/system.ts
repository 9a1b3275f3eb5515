import type { Host, Hosts, RunningProcess } from '@rookery/testkit';

/** What a sender may ask for: one order for all, or also that nothing is delivered that a member may not have yet. */
export type Service = 'agreed' | 'safe';

export interface ClientCommand {
  readonly program: string;
  /** What stands before and after the arguments of contract.ts. */
  readonly before?: readonly string[];
  readonly after?: readonly string[];
}

export interface RunningSystem extends AsyncDisposable {
  /** One per host. */
  readonly servers: readonly RunningProcess[];
  /** For one measurement, with a name that is its own: no message of an earlier one may come. */
  client(host: Host, index: number, service: Service, measurement: string): ClientCommand;
}

/** A group communication system: a server per host, and a client that keeps to clients/contract.ts. */
export interface System {
  readonly name: string;
  /** For the reader of the table: which order it promises, what the client is. */
  readonly remark: string;
  readonly services: readonly Service[];
  /** Whether every receiver must see the same order. */
  readonly totalOrder: boolean;
  /** What to install, or undefined when all is there. */
  whyMissing(): string | undefined;
  /** Returns when every server is up. `folder` is empty and goes away after the run. */
  start(hosts: Hosts, folder: string): Promise<RunningSystem>;
}

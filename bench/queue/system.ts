import type { RunningProcess } from '@rookery/testkit';

export interface RunningSystem extends AsyncDisposable {
  readonly server: RunningProcess;
  readonly port: number;
  /** Makes a queue, where that has to be done before the first put. */
  createQueue?(name: string): Promise<void>;
}

/** A queue server, or what is measured beside them. */
export interface System {
  readonly name: string;
  /** For the reader of the table: how it was started, and what a put and a get are. */
  readonly remark: string;
  /** Of load.c: of puts and plain gets, and of reads that are acknowledged, where that is another thing. */
  readonly protocol: string;
  readonly reliableProtocol?: string;
  /** What to install, or undefined when all is there. */
  whyMissing(): string | undefined;
  /** Returns when it answers. `folder` is empty and goes away after the run. */
  start(folder: string): Promise<RunningSystem>;
}

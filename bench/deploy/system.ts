import type { Host, RunningProcess } from '@rookery/testkit';

/** One that fetches, or the origin. Several may be on one host, so each has ports of its own. */
export interface Machine {
  readonly host: Host;
  readonly port: number;
  /** Its own, and empty. */
  readonly folder: string;
}

/** What is to be copied from where to where. */
export interface Scene {
  /** The folder with the files that all shall have. */
  readonly tree: string;
  readonly origin: Machine;
  readonly machines: readonly Machine[];
}

export interface RunningSystem extends AsyncDisposable {
  /** What runs on the origin. */
  readonly origin: readonly RunningProcess[];
  /** One for each machine, loaded and waiting for SIGUSR2; afterwards it fetches, and goes on giving to others. */
  readonly clients: readonly RunningProcess[];
  /** What a client prints when its machine has every byte, and has checked it. */
  readonly doneText: string;
}

/** A way to bring a folder to many machines. */
export interface System {
  readonly name: string;
  /** For the reader of the table: version and settings. */
  readonly remark: string;
  /** Measured only once in a scenario: for what takes long and isn't close to the others. */
  readonly once?: boolean;
  /** The origin alone gives to all: left out where it must take longer than is worth waiting for. */
  readonly oneServer?: boolean;
  /** What to install, or undefined when all is there. */
  whyMissing(): string | undefined;
  /** Returns when the origin serves and every client is ready. The tree shall come to be at `treeOf(machine)`. */
  start(scene: Scene): Promise<RunningSystem>;
}

/** The name is the torrent's too. */
export const treeName = 'tree';

export function treeOf({ folder }: Machine): string {
  return `${folder}/${treeName}`;
}

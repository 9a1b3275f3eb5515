// What the harness and load.c agree on: the arguments, and the line that it prints at its end. In between it connects,
// prints `ready`, and starts at SIGUSR2.

export interface LoadSettings {
  /** Of those that load.c knows. */
  readonly protocol: string;
  readonly port: number;
  readonly queue: string;
  readonly connections: number;
  /** Requests that a connection sends at once; the next so many when all are answered. */
  readonly depth: number;
  readonly bodyBytes: number;
  /** `turns`: each connection puts a burst, then gets as many. */
  readonly work: 'put' | 'get' | 'turns';
  /** How long; 0: until `count` operations are answered. */
  readonly seconds: number;
  readonly count: number;
}

export interface LoadReport {
  readonly answered: number;
  /** Of these: refused, empty, or not what was put. */
  readonly wrong: number;
  readonly firstWrong: string;
  /** From the first request to the last reply. */
  readonly seconds: number;
  /** Processor time of the load itself. */
  readonly cpuSeconds: number;
  /** From the sending of a burst to each of its replies. */
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
}

const order = [
  'protocol',
  'port',
  'queue',
  'connections',
  'depth',
  'bodyBytes',
  'work',
  'seconds',
  'count',
] as const;

export function loadArguments(settings: LoadSettings): string[] {
  return order.map((name) => String(settings[name]));
}

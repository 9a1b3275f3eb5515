import { HostError } from '../host/errors.ts';
import {
  type Hello,
  LEASE_MS,
  PROTOCOL,
  type StepEvent,
  type StepName,
  type StepRequest,
  type StepResult,
} from '../host/protocol.ts';
import { type HostConnection, openConnection } from '../hosts/connection.ts';
import type { Transports } from '../hosts/transports.ts';
import type { Host } from '../inventory/host.ts';
import type { PublicKey } from '../release/keys.ts';

/** Connections to hosts, opened when they are needed, and again when they were lost. */
export interface Fleet extends AsyncDisposable {
  /** @throws HostError */
  connect(host: Host, signal: AbortSignal): Promise<HostConnection>;
  /** @throws HostError */
  run<S extends StepName>(
    host: Host,
    request: StepRequest<S>,
    options: { readonly signal: AbortSignal; readonly onEvent?: (event: StepEvent) => void },
  ): Promise<StepResult<S>>;
}

export interface FleetOptions {
  readonly transports: Transports;
  readonly deployment: string;
  /** Who deploys: `ann@laptop`. */
  readonly owner: string;
  readonly trust: readonly PublicKey[];
}

/** Processes that start at the same time, here and on a host that many hosts are. */
const OPENED_AT_ONCE = 64;

export function createFleet({ transports, deployment, owner, trust }: FleetOptions): Fleet {
  const open = new Map<string, HostConnection>();
  const waiting: (() => void)[] = [];
  let opening = 0;

  const connect = async (host: Host, signal: AbortSignal): Promise<HostConnection> => {
    const there = open.get(host.name);
    if (there !== undefined) return there;
    const transport = transports[host.transport];
    if (transport === undefined) {
      throw new HostError('unreachable', `${host.name}: there is no transport ${host.transport} here`);
    }
    while (opening >= OPENED_AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
    opening++;
    try {
      if (signal.aborted) throw new HostError('cancelled', 'Opening it was cancelled');
      const hello: Hello = {
        hello: PROTOCOL,
        deployment,
        owner,
        host: host.name,
        settings: host.settings,
        trust: trust.map(({ text }) => text),
        leaseMs: LEASE_MS,
      };
      const connection = await openConnection(await transport.open(host, { signal }), hello, { signal });
      open.set(host.name, connection);
      void connection.ended.then(() => {
        if (open.get(host.name) === connection) open.delete(host.name);
      });
      return connection;
    } finally {
      opening--;
      waiting.shift()?.();
    }
  };
  return {
    connect,
    run: async (host, request, options) => (await connect(host, options.signal)).run(request, options),
    async [Symbol.asyncDispose]() {
      await Promise.all([...open.values()].map((connection) => connection.close()));
    },
  };
}

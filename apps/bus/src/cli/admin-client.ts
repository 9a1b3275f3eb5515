/** What the admin server of a daemon tells (`src/admin/routes.ts`). */
import { ServiceError } from '@rookery/service';
import type { Environment } from './connection.ts';

export const DEFAULT_ADMIN_URL = 'http://127.0.0.1:4806';
const ANSWER_MS = 10_000;

export interface RingReport {
  readonly name: string;
  readonly state: string;
  readonly ring_sequence: number | null;
  readonly members: readonly {
    readonly id: number;
    readonly name: string | null;
    readonly address: string | null;
    readonly last_heard_ms: number | null;
  }[];
  readonly queued_bytes: number;
}

export interface GroupReport {
  readonly name: string;
  readonly members: number;
  readonly held_up: boolean;
}

export interface SessionReport {
  readonly name: string;
  readonly wire: string;
  readonly connected: boolean;
  readonly groups: number;
  readonly outbox_bytes: number;
  readonly messages_received_total: number;
  readonly deliveries_total: number;
  readonly dropped_total: number;
  readonly waits_total: number;
}

export interface AdminClient {
  ring(): Promise<RingReport>;
  groups(): Promise<GroupReport[]>;
  sessions(): Promise<SessionReport[]>;
}

/** @throws ServiceError `USAGE` for an address that is none; its calls reject with what to do */
export function createAdminClient(
  flag: string | undefined,
  environment: Environment,
  signal: AbortSignal,
): AdminClient {
  const base = flag ?? (environment.ROOKERY_BUS_ADMIN_URL || DEFAULT_ADMIN_URL);
  if (!URL.canParse(base) || !/^https?:$/.test(new URL(base).protocol)) {
    throw new ServiceError('USAGE', `${JSON.stringify(base)} is no HTTP URL, such as ${DEFAULT_ADMIN_URL}`);
  }
  const token = environment.ROOKERY_BUS_ADMIN_TOKEN;

  async function get<T>(path: string): Promise<T> {
    const response = await fetch(new URL(path, base), {
      headers: token ? { authorization: `Bearer ${token}` } : {},
      signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]),
    }).catch((error: Error) => {
      const reason = error.cause instanceof Error ? error.cause.message : error.message;
      throw new Error(
        `${base} does not answer (${reason}): is a daemon running, and is this its admin address?`,
        { cause: error },
      );
    });
    if (response.ok) return (await response.json()) as T;
    const hint = response.status === 401 ? ': set ROOKERY_BUS_ADMIN_TOKEN' : '';
    throw new Error(`${base}${path} answered ${response.status}${hint}`);
  }

  async function all<Row>(path: string, field: string): Promise<Row[]> {
    const rows: Row[] = [];
    let after: string | null = null;
    do {
      const query: string = after === null ? '' : `?after=${encodeURIComponent(after)}`;
      const page: Record<string, unknown> = await get(`${path}${query}`);
      rows.push(...(page[field] as Row[]));
      after = page.next_after as string | null;
    } while (after !== null);
    return rows;
  }

  return {
    ring: () => get('/ring'),
    groups: () => all('/groups', 'groups'),
    sessions: () => all('/sessions', 'sessions'),
  };
}

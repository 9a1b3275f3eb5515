import type { BusDaemon } from '../server.ts';

/** A daemon as this one knows it. */
export interface DaemonView {
  readonly id: number;
  readonly name: string | null;
  readonly address: string | null;
  readonly last_heard_ms: number | null;
}

/** The ring as `/ring` shows it. The names and units are a contract: docs/run-the-bus.md. */
export interface RingView {
  readonly name: string;
  readonly id: number;
  readonly state: string;
  readonly ring_sequence: number | null;
  readonly members: readonly DaemonView[];
  readonly queued_bytes: number;
  readonly counters: Readonly<Record<string, number>>;
}

export interface GroupView {
  readonly name: string;
  readonly members: number;
  readonly held_up: boolean;
}

export interface SessionView {
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

type Status = ReturnType<BusDaemon['parts']['engine']['status']>;

export function membersOf(daemon: BusDaemon, { configuration, peers }: Status): DaemonView[] {
  const { engine } = daemon.parts;
  return (configuration?.members ?? []).map((id) => {
    if (id === engine.id) return { id, name: daemon.settings.name, address: null, last_heard_ms: 0 };
    const peer = peers.find((one) => one.id === id);
    return {
      id,
      name: peer?.name ?? null,
      address: peer?.address ?? null,
      last_heard_ms: peer === undefined ? null : Math.round(peer.lastHeardMs),
    };
  });
}

/** Daemons that it has heard of and that are not in its ring. */
export function strangersOf({ configuration, peers }: Status): DaemonView[] {
  const members = new Set(configuration?.members);
  return peers
    .filter(({ id }) => !members.has(id))
    .map(({ id, name, address, lastHeardMs }) => ({
      id,
      name,
      address,
      last_heard_ms: Math.round(lastHeardMs),
    }));
}

export function groupView({ parts: { groups } }: BusDaemon, name: string): GroupView {
  return { name, members: groups.size(name), held_up: groups.isPressed(name) };
}

type Session = NonNullable<ReturnType<BusDaemon['parts']['sessions']['find']>>;

export function sessionView(session: Session): SessionView {
  return {
    name: session.name,
    wire: session.format.name,
    connected: session.connection !== undefined,
    groups: session.groups.size,
    outbox_bytes: session.outboxBytes,
    messages_received_total: session.counters.received,
    deliveries_total: session.counters.sent,
    dropped_total: session.counters.dropped,
    waits_total: session.counters.waits,
  };
}

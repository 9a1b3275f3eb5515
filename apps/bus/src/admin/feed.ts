import { type Admin, choose, type Figures, parseChoice } from '@rookery/service';
import type { BusDaemon } from '../server.ts';
import { createTrafficWatch, type EventView } from './traffic.ts';
import {
  type DaemonView,
  type GroupView,
  groupView,
  membersOf,
  type SessionView,
  sessionView,
  strangersOf,
} from './view.ts';

/** What this daemon keeps of a group; `/kept` has more. */
export interface KeptView {
  readonly messages: number;
  readonly bytes: number;
  /** That have a last value. */
  readonly keys: number;
  /** That have no place yet: they came while a merge is under way. */
  readonly held: number;
  readonly merging: boolean;
  readonly readers: number;
}

export interface GroupRow extends GroupView {
  /** Null where it isn't kept here. */
  readonly kept: KeptView | null;
  readonly messages_per_second: number;
  readonly bytes_per_second: number;
}

export interface SessionRow extends SessionView {
  readonly messages_per_second: number;
  readonly deliveries_per_second: number;
  readonly dropped_per_second: number;
}

export interface GroupDetail extends GroupRow {
  /** The first of them. */
  readonly member_names: readonly string[];
  /** Some of what came in the last second. */
  readonly events: readonly EventView[];
  /** All that came in it. */
  readonly events_total: number;
}

/** What `/feed/bus` sends each second. */
export interface BusSnapshot {
  readonly name: string;
  readonly state: string;
  readonly ring_sequence: number | null;
  readonly members: readonly DaemonView[];
  /** Heard of, and not in the ring. */
  readonly strangers: readonly DaemonView[];
  readonly tokens_per_second: number;
  readonly retransmissions_per_second: number;
  readonly messages_per_second: number;
  readonly deliveries_per_second: number;
  readonly waits_per_second: number;
  readonly queued_bytes: number;
  readonly outbox_bytes: number;
  readonly groups_total: number;
  readonly groups_matching: number;
  readonly groups: readonly GroupRow[];
  readonly sessions_total: number;
  readonly sessions_matching: number;
  readonly sessions: readonly SessionRow[];
  /** The one of `?group=`. */
  readonly group: GroupDetail | null;
}

const groupFigures = {
  members: ({ members }) => members,
  rate: (row) => row.messages_per_second,
  bytes: (row) => row.bytes_per_second,
  kept: ({ kept }) => kept?.messages ?? -1,
} satisfies Figures<GroupRow, string>;

const sessionFigures = {
  groups: ({ groups }) => groups,
  in: (row) => row.messages_per_second,
  out: (row) => row.deliveries_per_second,
  outbox: (row) => row.outbox_bytes,
  dropped: (row) => row.dropped_total,
  waits: (row) => row.waits_total,
} satisfies Figures<SessionRow, string>;

const LOOK_MS = 1000;
/** All looks together take a twentieth of the processor at most: with very many groups they come less often. */
const REST_PER_WORK = 19;
/** Names of members that are shown of one group. */
const MEMBERS_SHOWN = 200;

/** Live figures for those who watch. While nobody does, nothing is looked at. */
export function addFeed(admin: Admin, daemon: BusDaemon): void {
  const { engine, groups, sessions, durable } = daemon.parts;
  const traffic = createTrafficWatch(Date.now);
  let looking = false;
  let lookedAt = 0;
  /** Infinity before the second look: no rates. */
  let seconds = Number.POSITIVE_INFINITY;
  let counters: Readonly<Record<string, number>> = {};
  let countersBefore = counters;
  let groupRows: GroupRow[] = [];
  let sessionRows: SessionRow[] = [];
  let sessionsBefore = new Map<string, SessionView>();

  const feed = admin.feed('/feed/bus', ({ query }): BusSnapshot => {
    const groupChoice = parseChoice(query, groupFigures, 'groups_');
    const sessionChoice = parseChoice(query, sessionFigures, 'sessions_');
    const wanted = query.get('group');
    if (wanted !== null) traffic.want(wanted);
    if (!looking) look();
    const chosenGroups = choose(groupRows, groupChoice, groupFigures);
    const chosenSessions = choose(sessionRows, sessionChoice, sessionFigures);
    const status = engine.status();
    return {
      name: daemon.settings.name,
      state: status.state,
      ring_sequence: status.configuration?.ring.sequence ?? null,
      members: membersOf(daemon, status),
      strangers: strangersOf(status),
      tokens_per_second: rate('tokens'),
      retransmissions_per_second: rate('retransmissions'),
      messages_per_second: rate('messagesReceived'),
      deliveries_per_second: rate('messagesDelivered'),
      waits_per_second: rate('waits'),
      queued_bytes: status.queuedBytes,
      outbox_bytes: sessions.outboxesBytes,
      groups_total: groupRows.length,
      groups_matching: chosenGroups.matching,
      groups: chosenGroups.rows,
      sessions_total: sessionRows.length,
      sessions_matching: chosenSessions.matching,
      sessions: chosenSessions.rows,
      group: wanted === null ? null : detail(wanted),
    };
  });

  function rate(counter: string): number {
    return perSecond((counters[counter] ?? 0) - (countersBefore[counter] ?? 0));
  }

  function perSecond(change: number): number {
    return Math.round((Math.max(0, change) / seconds) * 10) / 10;
  }

  function groupRow(name: string): GroupRow {
    const { messages = 0, bytes = 0 } = traffic.last.get(name) ?? {};
    return {
      ...groupView(daemon, name),
      messages_per_second: perSecond(messages),
      bytes_per_second: perSecond(bytes),
      kept: keptView(name),
    };
  }

  function keptView(name: string): KeptView | null {
    const kept = durable.groups.get(name);
    if (kept === undefined) return null;
    const { count, bytes, keys, heldCount, whole, subscriptions } = kept;
    return { messages: count, bytes, keys, held: heldCount, merging: !whole, readers: subscriptions };
  }

  function detail(name: string): GroupDetail {
    const { events = [], messages = 0 } = traffic.last.get(name) ?? {};
    return {
      ...groupRow(name),
      member_names: groups.members(name).slice(0, MEMBERS_SHOWN),
      events,
      events_total: messages,
    };
  }

  function sessionRow(view: SessionView): SessionRow {
    const before = sessionsBefore.get(view.name);
    const since = (field: 'messages_received_total' | 'deliveries_total' | 'dropped_total'): number =>
      perSecond(view[field] - (before?.[field] ?? 0));
    return {
      ...view,
      messages_per_second: since('messages_received_total'),
      deliveries_per_second: since('deliveries_total'),
      dropped_per_second: since('dropped_total'),
    };
  }

  function look(): void {
    const began = performance.now();
    seconds = looking ? (began - lookedAt) / 1000 : Number.POSITIVE_INFINITY;
    looking = true;
    lookedAt = began;
    groups.onMessage = traffic.take;
    traffic.look();
    countersBefore = counters;
    counters = { ...engine.status().counters, ...plainCounters() };
    groupRows = [...new Set([...groups.groups, ...durable.groups.keys(), ...traffic.last.keys()])].map(
      groupRow,
    );
    const views = [...sessions.all()].map(sessionView);
    sessionRows = views.map(sessionRow);
    sessionsBefore = new Map(views.map((view) => [view.name, view]));
    feed.refresh();
    const tookMs = performance.now() - began;
    setTimeout(again, Math.max(LOOK_MS - tookMs, tookMs * REST_PER_WORK)).unref();
  }

  function plainCounters(): Record<string, number> {
    const { messagesReceived, messagesDelivered, waits } = sessions.counters;
    return { messagesReceived, messagesDelivered, waits };
  }

  function again(): void {
    if (feed.watchers > 0) {
      look();
      return;
    }
    looking = false;
    groups.onMessage = undefined;
    traffic.look();
    groupRows = [];
    sessionRows = [];
    sessionsBefore = new Map();
  }
}

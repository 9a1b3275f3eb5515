/** Clients of all daemons that send, join and leave all the while; in the end, what they saw is checked. */
import { setTimeout as delay } from 'node:timers/promises';
import { type Random, waitFor } from '@rookery/testkit';
import { checkGroups } from '../groups/checker.ts';
import { type Client, type Ledger, startClient } from './client.ts';
import type { Cluster, HostDaemon } from './cluster.ts';

export interface TrafficOptions {
  readonly cluster: Cluster;
  readonly random: Random;
  /** All clients together; 0 for none, the clients only listen. */
  readonly actionsPerSecond: number;
  readonly clientsPerDaemon?: number;
}

export interface Traffic {
  readonly clients: readonly Client[];
  /** Everybody is in one view: then all that was sent has arrived, and nobody saw what may not be. Ends the traffic. */
  check(): Promise<Totals>;
  /** Resolves with the moment at which the last client of these daemons was told a view of all of them, and no other. */
  untilTogether(daemons: readonly HostDaemon[]): Promise<number>;
  /** Views that the network made, of the group in which all are; each counts once, whoever was told it. */
  networkViews(sinceMs: number): number;
  /** All clients of these daemons are given new messages. */
  untilGoingOn(daemons: readonly HostDaemon[]): Promise<void>;
  close(): Promise<void>;
}

export interface Totals {
  readonly sent: number;
  readonly delivered: number;
  readonly views: number;
  readonly sessions: number;
}

/** The group in which every client always is. */
const HOME = 'home';
const GROUPS = ['a', 'b', 'c'];
const ACT_EVERY_MS = 5;
/** Generous, for a machine that is busy with others: the timing test holds daemons to what they promise. */
const TOGETHER_WITHIN_MS = 30_000;
const ARRIVED_WITHIN_MS = 30_000;
/** So many show that a ring works. */
const NEW_MESSAGES = 20;

let traffics = 0;

export async function startTraffic(options: TrafficOptions): Promise<Traffic> {
  const { cluster, random, actionsPerSecond, clientsPerDaemon = 2 } = options;
  const { daemons } = cluster;
  const ledger: Ledger = { histories: [], sent: [] };
  // Goodbyes of the test before may still be on their way.
  const label = traffics++;
  const clients = daemons.flatMap((daemon) =>
    Array.from({ length: clientsPerDaemon }, (_, index) =>
      startClient(daemon, `t${label}c${index}`, HOME, ledger),
    ),
  );
  let lastMs = performance.now();
  let timer: NodeJS.Timeout | undefined;

  function act(client: Client): void {
    switch (random.weighted({ send: 14, private: 1, join: 1, leave: 0.7 })) {
      case 'send': {
        const groups = random.shuffle([HOME, ...GROUPS]).slice(0, random.between(1, 3));
        const bytes = random.chance(0.05) ? 6000 : random.between(20, 200);
        client.send(groups, random.pick(['agreed', 'safe'] as const), bytes);
        break;
      }
      case 'private': {
        const to = random.pick(clients).session;
        if (to !== undefined) client.send([to], 'agreed', 50);
        break;
      }
      case 'join':
        client.join(random.pick(GROUPS));
        break;
      case 'leave':
        client.leave(random.pick(GROUPS));
        break;
    }
  }

  function actAll(): void {
    const now = performance.now();
    // A pause of this process is not made up for.
    const due = Math.min(now - lastMs, 10 * ACT_EVERY_MS) * (actionsPerSecond / 1000);
    lastMs = now;
    for (let left = due; left > 0; left--) if (left >= 1 || random.chance(left)) act(random.pick(clients));
  }

  async function untilTogether(wanted: readonly HostDaemon[]): Promise<number> {
    const there = clients.filter(({ daemon }) => wanted.includes(daemon));
    await waitFor(() => together(there), {
      what: `one view at ${wanted.map(({ name }) => name)}`,
      withinMs: TOGETHER_WITHIN_MS,
      detail: () =>
        `${picture(clients)}\n${daemons.map(({ name, output }) => `${name}: ${output}`).join('\n')}`,
    });
    return Math.max(...there.map((client) => client.view(HOME)!.atMs));
  }

  /** What everybody says now, and so what was said before, is with everybody. */
  async function settle(): Promise<void> {
    for (;;) {
      await untilTogether(daemons);
      const seen = clients.map(({ views }) => views.length);
      const marks = clients.map((client) => client.send([HOME], 'safe', 30));
      const hasAll = ({ received }: Client): boolean =>
        marks.every((mark) => mark !== undefined && received.has(mark));
      // Who was elsewhere meanwhile was not owed it; and not everybody may have been able to send.
      const isOver = (): boolean =>
        marks.includes(undefined) || clients.some(({ views }, index) => views.length !== seen[index]);
      await waitFor(() => isOver() || clients.every(hasAll), {
        what: 'all that was sent to arrive',
        withinMs: ARRIVED_WITHIN_MS,
        detail: () => picture(clients),
      });
      if (clients.every(hasAll)) return;
      await delay(ACT_EVERY_MS);
    }
  }

  async function close(): Promise<void> {
    clearInterval(timer);
    await Promise.all(clients.map((client) => client.close()));
  }

  if (actionsPerSecond > 0) timer = setInterval(actAll, ACT_EVERY_MS);
  const traffic: Traffic = {
    clients,
    async check() {
      clearInterval(timer);
      await settle();
      await close();
      checkGroups(ledger.histories);
      const events = ledger.histories.flatMap((history) => history.events);
      const count = (kind: string): number => events.filter((event) => event.kind === kind).length;
      return {
        sent: ledger.sent.length,
        delivered: count('message'),
        views: count('view'),
        sessions: ledger.histories.length,
      };
    },
    untilTogether,
    networkViews(sinceMs) {
      const ids = new Set<string>();
      for (const { views } of clients) {
        for (const { view, atMs } of views) {
          if (atMs >= sinceMs && view.group === HOME && view.cause === 'network')
            ids.add(JSON.stringify(view.id));
        }
      }
      return ids.size;
    },
    async untilGoingOn(wanted) {
      const there = clients.filter(({ daemon }) => wanted.includes(daemon));
      const before = there.map(({ received }) => received.size);
      await waitFor(
        () => there.every(({ received }, index) => received.size >= before[index]! + NEW_MESSAGES),
        {
          what: `new messages at ${wanted.map(({ name }) => name)}`,
          detail: () => picture(clients),
        },
      );
    },
    close,
  };
  try {
    await untilTogether(daemons);
  } catch (error) {
    await close();
    throw error;
  }
  return traffic;
}

/** Each was last told that these, and nobody else, are there. */
function together(clients: readonly Client[]): boolean {
  const sessions = clients.map(({ session }) => session);
  return clients.every((client) => {
    const members = client.view(HOME)?.view.members ?? [];
    return (
      members.length === sessions.length &&
      sessions.every((name) => name !== undefined && members.includes(name))
    );
  });
}

function picture(clients: readonly Client[]): string {
  return clients
    .map(
      (client) =>
        `${client.session} sees [${client.view(HOME)?.view.members}], was given ${client.received.size}`,
    )
    .join('\n');
}

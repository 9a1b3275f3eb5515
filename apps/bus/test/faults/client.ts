/** A client that writes down all it sends and hears, and comes back as a new session when its daemon was killed. */
import { setTimeout as delay } from 'node:timers/promises';
import type { GroupId, View } from '../../src/groups/types.ts';
import type { Service } from '../../src/index.ts';
import type { SessionEvent, SessionHistory } from '../groups/daemon.ts';
import { Violation } from '../ring/history.ts';
import { connectSpread, type Heard, type SpreadClient } from '../spread-client.ts';
import type { HostDaemon } from './cluster.ts';

/** What all clients of one test share. */
export interface Ledger {
  readonly histories: SessionHistory[];
  /** By number: who sent it, and the whole text. */
  readonly sent: { readonly from: string; readonly text: string }[];
}

export interface SeenView {
  readonly view: View;
  readonly atMs: number;
}

export interface Client {
  readonly daemon: HostDaemon;
  /** Undefined while it has none. */
  readonly session: string | undefined;
  /** Messages that this session was given. */
  readonly received: ReadonlySet<number>;
  /** This session's views, all of them, in their order. */
  readonly views: readonly SeenView[];
  /** The last view of a group that this session is in. */
  view(group: string): SeenView | undefined;
  join(group: string): void;
  leave(group: string): void;
  /** The message's number; undefined: there is no session, or its daemon reads too slowly. */
  send(groups: readonly string[], service: Service, bytes: number): number | undefined;
  /** Rejects with what was wrong with what it heard. */
  close(): Promise<void>;
}

const CONNECT_AGAIN_MS = 20;
/** A stopped daemon reads nothing: more than this does not wait for it. */
const WAITING_BYTES_MAX = 256 * 1024;
const FOREVER_MS = 24 * 3_600_000;

export function startClient(daemon: HostDaemon, name: string, home: string, ledger: Ledger): Client {
  let connection: SpreadClient | undefined;
  let events: SessionEvent[] = [];
  let received = new Set<number>();
  let views: SeenView[] = [];
  let current = new Map<string, SeenView>();
  let open = true;
  let wrong: unknown;

  async function live(): Promise<void> {
    for (let life = 1; open; ) {
      const connected = await connectSpread({ path: daemon.socketPath }, { name: `${name}-${life}` }).catch(
        () => undefined,
      );
      if (connected === undefined) {
        await delay(CONNECT_AGAIN_MS);
        continue;
      }
      life++;
      const history: SessionHistory = { name: connected.session, gone: false, events: [] };
      ledger.histories.push(history);
      events = history.events;
      received = new Set();
      views = [];
      current = new Map();
      connection = connected;
      join(home);
      await hearAll(connected);
      connection = undefined;
      if (open) history.gone = true;
    }
  }

  /** Until the connection ends. */
  async function hearAll({ inbox }: SpreadClient): Promise<void> {
    for (;;) {
      const heard = await inbox.next(FOREVER_MS).catch(() => undefined);
      if (heard === undefined) return;
      hear(heard);
    }
  }

  function hear(heard: Heard): void {
    switch (heard.kind) {
      case 'message': {
        const message = Number.parseInt(heard.text ?? '', 10);
        const sent = ledger.sent[message];
        if (sent === undefined || sent.text !== heard.text || sent.from !== heard.sender)
          throw new Violation(
            'content',
            `${heard.sender}'s ${heard.text?.slice(0, 40)} is not what was sent`,
          );
        received.add(message);
        events.push({ kind: 'message', message, groups: heard.groups, service: heard.service });
        break;
      }
      case 'membership': {
        const view = viewOf(heard);
        const seen = { view, atMs: performance.now() };
        views.push(seen);
        current.set(view.group, seen);
        events.push({ kind: 'view', view });
        break;
      }
      case 'transition':
        events.push({ kind: 'transition', group: heard.group });
        break;
      case 'self_leave':
        current.delete(heard.group);
        events.push({ kind: 'left', group: heard.group });
        break;
      default:
        throw new Violation('refused', `${connection?.session} was told ${JSON.stringify(heard)}`);
    }
  }

  function ready(): SpreadClient | undefined {
    const full = (connection?.socket.writableLength ?? 0) > WAITING_BYTES_MAX;
    return full ? undefined : connection;
  }

  function join(group: string): void {
    ready()?.join(group);
  }

  const living = live().catch((error: unknown) => {
    wrong = error;
  });

  return {
    daemon,
    get session() {
      return connection?.session;
    },
    get received() {
      return received;
    },
    get views() {
      return views;
    },
    view: (group) => current.get(group),
    join,
    leave(group) {
      ready()?.leave(group);
    },
    send(groups, service, bytes) {
      const by = ready();
      if (by === undefined) return undefined;
      const message = ledger.sent.length;
      const text = `${message} `.padEnd(bytes, `${message % 9}`);
      ledger.sent.push({ from: by.session, text });
      events.push({ kind: 'sent', message, groups });
      by.send(groups, text, { service });
      return message;
    },
    async close() {
      open = false;
      connection?.destroy();
      await living;
      if (wrong !== undefined) throw wrong;
    },
  };
}

function viewOf(heard: Extract<Heard, { kind: 'membership' }>): View {
  const { group, cause, members, sets } = heard;
  const id: GroupId = heard.id;
  const changed = cause === 'network' ? undefined : sets[0]?.[0];
  return { group, id, cause, members, changed, sets };
}

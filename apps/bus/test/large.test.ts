/**
 * Many groups and many sessions on two daemons. By default a tenth of what docs/internals/bus.md has figures of;
 * `ROOKERY_TEST_GROUPS=10000 ROOKERY_TEST_SESSIONS=1000` is all of it, and prints them.
 */
import { waitFor } from '@rookery/testkit';
import { expect, it } from 'vitest';
import { type DaemonProcess, errorLines, startDaemon, startRing, untilRingOf } from './daemon-process.ts';
import { connectWebSocket, type WebSocketClient } from './websocket-client.ts';

const GROUPS = Number(process.env.ROOKERY_TEST_GROUPS ?? 1000);
const SESSIONS = Number(process.env.ROOKERY_TEST_SESSIONS ?? 100);
/** Of each group; half of them at each daemon. */
const MEMBERS = 10;
const EACH = (GROUPS * MEMBERS) / SESSIONS;

/** Sessions with the same remainder share their groups. */
const SETS = SESSIONS / MEMBERS;

function groupsOf(session: number): string[] {
  return Array.from({ length: EACH }, (_, i) => `group.${(session % SETS) + i * SETS}`);
}

/** By turns, so that each group has half of its members at each. */
function daemonOf(session: number): 0 | 1 {
  return (Math.floor(session / SETS) % 2) as 0 | 1;
}

async function mib(daemon: DaemonProcess): Promise<number> {
  return Math.round((await daemon.rssBytes()) / 1024 / 1024);
}

/** Counts the network's views at all these clients; resolves when so many have come. */
function untilViews(
  clients: readonly WebSocketClient[],
  count: number,
): Promise<{ firstMs: number; lastMs: number }> {
  const began = performance.now();
  let firstMs = 0;
  let seen = 0;
  return new Promise((resolve) => {
    for (const { ws } of clients) {
      ws.on('message', (data, isBinary) => {
        if (isBinary || !String(data).includes('"cause":"network"')) return;
        if (seen === 0) firstMs = performance.now() - began;
        if (++seen === count)
          resolve({ firstMs: Math.round(firstMs), lastMs: Math.round(performance.now() - began) });
      });
    }
  });
}

it(`${GROUPS} groups of ${MEMBERS} and ${SESSIONS} sessions on two daemons`, async () => {
  const figures: Record<string, unknown> = {};
  // Other tests run beside this one; how long a dead daemon is waited for is measured elsewhere.
  const flags = ['--token-loss-ms', '2000', '--consensus-ms', '1000'];
  const ring = (await startRing(2, { flags })) as [DaemonProcess, DaemonProcess];
  const [one, two] = ring;
  const started = [...ring];
  try {
    figures.emptyMib = await Promise.all(ring.map(mib));
    let began = performance.now();
    const clients: WebSocketClient[] = [];
    for (let index = 0; index < SESSIONS; index++) {
      clients.push(await connectWebSocket(ring[daemonOf(index)].webSocketUrl, { name: `s${index}` }));
    }
    figures.connectMs = Math.round(performance.now() - began);
    figures.connectedMib = await Promise.all(ring.map(mib));

    began = performance.now();
    clients.forEach((client, index) => {
      for (const group of groupsOf(index)) client.ask({ type: 'join', group });
    });
    await Promise.all(
      clients.map(({ inbox }) =>
        inbox.until((said) => said.kind === 'confirmed' && said.n === EACH, 300_000),
      ),
    );
    figures.joinMs = Math.round(performance.now() - began);
    figures.joinedMib = await Promise.all(ring.map(mib));
    for (const daemon of ring) {
      const text = await (await fetch(`${daemon.adminUrl}/metrics`)).text();
      expect(text).toMatch(new RegExp(`_groups ${GROUPS}\\n`));
    }

    const here = clients.filter((_, index) => daemonOf(index) === 0);
    let views = untilViews(here, (GROUPS * MEMBERS) / 2);
    await two.kill();
    figures.killed = await views;

    // One comes back, empty: whoever is here keeps its groups and hears nothing of it.
    const back = await startDaemon({
      name: 'd2',
      flags,
      ring: { port: two.ringPort!, peers: [one.ringPort!] },
    });
    started.push(back);
    began = performance.now();
    await untilRingOf(back, 2);
    const again = await connectWebSocket(back.webSocketUrl, { name: 'again' });
    await waitFor(
      async () => {
        again.say({ type: 'members', id: 1, group: 'group.0' });
        return (await again.find('members')).members.length === MEMBERS / 2;
      },
      { what: 'the one that came back to know who is here', everyMs: 5, withinMs: 60_000 },
    );
    figures.toldMs = Math.round(performance.now() - began);

    // Cut off for a while, both have all to say when they meet.
    for (let i = 0; i < EACH; i++) again.ask({ type: 'join', group: `group.${i}` });
    await again.inbox.until((said) => said.kind === 'confirmed' && said.n === EACH, 60_000);
    back.process.kill('SIGSTOP');
    await untilRingOf(one, 1);
    views = untilViews([again], EACH);
    back.process.kill('SIGCONT');
    figures.merged = await views;

    // All go at once.
    began = performance.now();
    for (const client of here) client.say({ type: 'bye' });
    await Promise.all(here.map(({ closed }) => closed));
    await again.inbox.until(
      (said) => said.kind === 'view' && said.cause === 'disconnect' && said.members.length === 1,
      60_000,
    );
    again.say({ type: 'groups', id: 2 });
    for (;;) {
      const { groups } = await again.find('groups', 60_000);
      if (groups.length === EACH) break;
      again.say({ type: 'groups', id: 2 });
    }
    figures.goneMs = Math.round(performance.now() - began);
    figures.endMib = await mib(one);
    for (const daemon of [one, back]) expect(errorLines(daemon)).toEqual([]);
    if (process.env.ROOKERY_TEST_GROUPS !== undefined) console.log(JSON.stringify(figures));
    again.cut();
  } catch (error) {
    const ended = started.filter(({ process }) => process.exit !== undefined);
    throw new Error(ended.map(({ name, process }) => `${name} ${process.output.slice(-2000)}`).join('\n'), {
      cause: error,
    });
  } finally {
    await Promise.all(started.map((daemon) => daemon[Symbol.asyncDispose]()));
  }
}, 600_000);

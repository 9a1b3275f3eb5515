import { stripVTControlCharacters } from 'node:util';
import { Random } from '@rookery/testkit';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createDeployment } from '../../src/progress/deployment.ts';
import { renderFrame, type Screen, width } from '../../src/progress/frame.ts';
import { createLiveView } from '../../src/progress/live.ts';
import type { PushEvent } from '../../src/push/events.ts';
import type { HostState } from '../../src/rollout/types.ts';
import { deploymentAt, recorded } from './recorded.ts';

const SCREEN: Screen = { columns: 80, rows: 24, color: false, unicode: true };
const good = recorded('good');
const bad = recorded('bad');

function frameAt(
  events: typeof good,
  last: (event: (typeof good)[number]) => boolean,
  screen: Partial<Screen> = {},
): string[] {
  const { deployment, now } = deploymentAt(events, last);
  return renderFrame(deployment, now, { ...SCREEN, ...screen });
}

const ESCAPE = '\u001b';

describe('eight hosts', () => {
  test('each have a line: state, share, rate, peers, wave, and why one failed', () => {
    const switching = frameAt(good, (event) => event.event === 'host' && event.state === 'switching');
    expect(switching.join('\n')).toMatchInlineSnapshot(`
      "shop 1.4.2 → 8 hosts                                                        11 s
      has it   ███████████████████████████████████░░░░░  7 of 8
      runs it  ████████████████████░░░░░░░░░░░░░░░░░░░░  4 of 8
      waves    ✓ 1: 1 host   ✓ 2: 3 hosts   » 3: 4 hosts

        ✓ web1  healthy   w1
        ✓ web2  healthy   w2
        ✗ web3  failed        hook-failed: The hook updating ended with code 7: no su…
        ✓ web4  healthy   w2
        ✓ web5  healthy   w2
        » web6  switching w3
        » web7  switching w3
        » web8  switching w3"
    `);
    const fetching = frameAt(
      good,
      (event) => event.event === 'progress' && event.done_bytes < event.total_bytes,
    );
    expect(fetching.join('\n')).toMatchInlineSnapshot(`
      "shop 1.4.2 → 8 hosts                                                         8 s
      has it   ████████████████████░░░░  5 of 8   50.8 MiB/s   259.7 MiB of 305.2 MiB
      runs it  ░░░░░░░░░░░░░░░░░░░░░░░░  0 of 8
      waves    · 1: 1 host   · 2: 3 hosts   · 3: 4 hosts

        ■ web1  fetched
        ■ web2  fetched
        ✗ web3  failed        hook-failed: The hook updating ended with code 7: no su…
        ■ web4  fetched
        ■ web5  fetched
        ↓ web6  fetching      ███████████░  88 %  25.6 MiB/s  7 peers
        ↓ web7  fetching      ███████████░  92 %  25.2 MiB/s  7 peers
        ■ web8  fetched"
    `);
  });

  test('that went back say why, and nothing runs the release', () => {
    expect(frameAt(bad, (event) => event.event === 'stopping').join('\n')).toMatchInlineSnapshot(`
      "shop 1.5.0 → 8 hosts                                                        13 s
      has it   ███████████████████████████████████░░░░░  5 of 8
      runs it  ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░  0 of 8
      waves    ✗ 1: 2 hosts   · 2: 2 hosts   · 3: 4 hosts

        « web1  reverting w1  check-failed: Not healthy within 2000 ms (9 tries, the …
        « web2  reverting w1  check-failed: Not healthy within 2000 ms (9 tries, the …
        ✗ web3  failed        hook-failed: The hook updating ended with code 7: no su…
        ■ web4  fetched
        ■ web5  fetched
        ■ web6  fetched
        ■ web7  fetched
        ■ web8  fetched
      ■ Stopping: No host of wave 1 is healthy"
    `);
    expect(frameAt(bad, (event) => event.event === 'done').join('\n')).toMatchInlineSnapshot(`
      "shop 1.5.0 → 8 hosts                                                        14 s
      has it   ███████████████████████████████████░░░░░  5 of 8
      runs it  ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░  0 of 8
      waves    ✗ 1: 2 hosts   · 2: 2 hosts   · 3: 4 hosts

        ← web1  reverted  w1  check-failed: Not healthy within 2000 ms (9 tries, the …
        ← web2  reverted  w1  check-failed: Not healthy within 2000 ms (9 tries, the …
        ✗ web3  failed        hook-failed: The hook updating ended with code 7: no su…
        ■ web4  fetched
        ■ web5  fetched
        ■ web6  fetched
        ■ web7  fetched
        ■ web8  fetched"
    `);
  });

  test('on a narrow terminal without UTF-8', () => {
    const narrow = { columns: 40, rows: 24, unicode: false };
    const lines = frameAt(good, (event) => event.event === 'host' && event.state === 'switching', narrow);
    expect(lines.join('\n')).toMatchInlineSnapshot(`
      "shop 1.4.2 to 8 hosts               11 s
      has it   ###################---  7 of 8
      runs it  ###########-----------  4 of 8
      waves    + 2: 3 hosts   > 3: 4 hosts

        + web1  healthy   w1
        + web2  healthy   w2
        x web3  failed        hook-failed: Th.
        + web4  healthy   w2
        + web5  healthy   w2
        > web6  switching w3
        > web7  switching w3
        > web8  switching w3"
    `);
    expect(lines.join('')).toMatch(/^[\x20-\x7e]*$/);
  });

  test('in colours say the same', () => {
    const last = (event: PushEvent): boolean => event.event === 'host' && event.state === 'switching';
    const colored = frameAt(good, last, { color: true });
    expect(colored.join('\n')).toContain('\x1b[31m');
    expect(colored.map(stripVTControlCharacters).map((line) => line.trimEnd())).toEqual(frameAt(good, last));
  });
});

/** A push to so many hosts, each in a state by chance; some with a message as hostile as hosts can send. */
function anyDeployment(hosts: number, random: Random) {
  const deployment = createDeployment();
  const names = Array.from(
    { length: hosts },
    (_, index) => `host-${index}-${'x'.repeat(random.between(0, 30))}`,
  );
  const push: PushEvent = {
    event: 'push',
    deployment: 'd',
    by: 'ann@laptop',
    app: 'shop',
    version: '1.0.0',
    release_id: 'id',
    name: '1.0.0',
    commit: null,
    hosts: names.map((host) => ({
      host,
      transport: 'local',
      address: host,
      rack: null,
      groups: [],
      tags: [],
    })),
    waves: [1, Math.ceil(hosts / 2), hosts],
    max_failures: '10%',
    tree_bytes: 1000,
    payload_bytes: random.pick([0, 1000, 5_000_000_000]),
    time: '2026-01-01T00:00:00.000Z',
  };
  deployment.handle(push, 0);
  const states: readonly HostState[] = [
    'waiting',
    'preparing',
    'fetching',
    'fetched',
    'switching',
    'done',
    'stuck',
  ];
  for (const host of names) {
    const state = random.pick(states);
    deployment.handle({ event: 'host', host, state }, random.between(1, 500));
    if (state === 'fetching') {
      const total = push.payload_bytes;
      deployment.handle(
        {
          event: 'progress',
          host,
          phase: 'fetching',
          done_bytes: random.between(0, total),
          total_bytes: total,
          peers: 3,
        },
        random.between(500, 1000),
      );
    }
    if (state === 'stuck') {
      const message = '\x1b[2J\r\nev\u202eil \u6f22\u5b57 \u{1f642} '.repeat(random.between(0, 9));
      deployment.handle({ event: 'host', host, state, step: 'undo', code: 'unreachable', message }, 1000);
    }
  }
  deployment.handle({ event: 'warning', host: names[0]!, message: 'a\nb' }, 1000);
  return deployment;
}

test('whatever hosts say, and however small the terminal, a frame fits and holds nothing that it would obey', () => {
  const random = new Random(20);
  for (let round = 0; round < 400; round++) {
    const deployment = anyDeployment(random.between(1, 60), random);
    const screen = {
      columns: random.between(1, 130),
      rows: random.between(2, 50),
      color: false,
      unicode: random.chance(0.5),
    };
    const lines = renderFrame(deployment, 5_000, screen);
    const told = `round ${round}: ${JSON.stringify(screen)}\n${lines.join('\n')}`;
    expect(lines.length, told).toBeLessThan(screen.rows);
    for (const line of lines) {
      expect(width(line), told).toBeLessThanOrEqual(screen.columns);
      expect(line, told).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    }
  }
});

test('a thousand hosts are summed up, with the slowest few and those that failed', () => {
  const deployment = anyDeployment(1000, new Random(3));
  const text = renderFrame(deployment, 5_000, SCREEN).join('\n');
  expect(text).toMatch(/· \d+ waiting {3}○ \d+ preparing {3}↓ \d+ fetching {3}■ \d+ fetched/);
  expect(text).toMatch(/\nfailed\n {2}! host-\S+ .*unreachable: ev il/);
  expect(text).toMatch(/ {4}and \d+ more/);
  expect(text.split('\nslowest\n')[1]!.split('\n')).toHaveLength(6);
  const tookMs = Array.from({ length: 20 }, () => {
    const began = performance.now();
    renderFrame(deployment, 5_000, SCREEN);
    return performance.now() - began;
  });
  // The machine may stop in some.
  expect(Math.min(...tookMs)).toBeLessThan(50);
});

describe('on a terminal', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
  afterEach(() => void vi.useRealTimers());

  /** As much of a terminal as the view uses: rows of text, and a cursor that goes up, clears and ends lines. */
  function terminal(columns: number, rows: number) {
    const lines = [''];
    const writes: number[] = [];
    let at = 0;
    let column = 0;
    let listener: (() => void) | undefined;
    const print = (text: string): void => {
      for (const part of text.split(/([\n\r])/)) {
        if (part === '\n') {
          at++;
          lines[at] ??= '';
        }
        if (part === '\n' || part === '\r') column = 0;
        else if (part !== '') {
          lines[at] = part;
          column = part.length;
        }
      }
    };
    return {
      columns,
      rows,
      lines,
      writes,
      on: (_: 'resize', given: () => void) => {
        listener = given;
      },
      off: () => {
        listener = undefined;
      },
      resize(to: number) {
        this.columns = to;
        const wrapped = lines
          .slice(0, at)
          .flatMap((line) => line.match(new RegExp(`.{1,${to}}`, 'gu')) ?? ['']);
        lines.splice(0, lines.length, ...wrapped, '');
        at = wrapped.length;
        listener?.();
      },
      write(text: string) {
        writes.push(performance.now());
        const [before = '', ...escapes] = text.split(ESCAPE);
        print(before);
        for (const rest of escapes) {
          const [sequence, argument, letter] = /^\[\??(\d*)([A-Za-z])/.exec(rest)!;
          if (letter === 'A') at = Math.max(0, at - Number(argument));
          else if (letter === 'K') lines[at] = lines[at]!.slice(0, column);
          else if (letter === 'J') lines.splice(at, lines.length, '');
          else if (argument !== '2026') throw new Error(`unknown to this terminal: ${sequence}`);
          print(rest.slice(sequence.length));
        }
      },
    };
  }

  test('frames are drawn over each other, at most ten a second, each by one write; a resize leaves nothing behind', () => {
    const screen = terminal(80, 24);
    screen.lines.splice(0, 1, '$ rookery-deploy push', '');
    screen.write('\n');
    const live = createLiveView({ terminal: screen, color: false, unicode: true });
    let resized = false;
    for (const event of good) {
      vi.advanceTimersByTime(Math.max(0, event.at - performance.now()));
      live.onEvent(event);
      if (!resized && event.event === 'wave') {
        resized = true;
        screen.resize(45);
      }
    }
    live.end();
    const [first, ...rest] = screen.lines;
    expect(first).toBe('$ rookery-deploy push');
    expect(rest.slice(0, -1)).toEqual(frameAt(good, (event) => event.event === 'done', { columns: 45 }));
    const gaps = screen.writes.slice(2).map((time, index) => time - screen.writes[index + 1]!);
    // The resize and the end are drawn at once.
    expect(gaps.filter((ms) => ms < 100).length).toBeLessThanOrEqual(2);
    expect(screen.writes.length).toBeGreaterThan(10);
    expect(vi.getTimerCount()).toBe(0);
  });
});

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { hostsAvailable, type RunningProcess, waitFor } from '@rookery/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  eventsOf,
  expectOutcome,
  type Load,
  type NamespaceWorld,
  namespaceWorld,
  type PushEventLine,
  type Release,
} from './world.ts';

// Hosts with a network each, a real app, and somebody who asks all of them for its version all the time.

const LARGE = process.env.ROOKERY_TEST_LARGE === '1';
const COUNT = LARGE ? 16 : 5;
const SLOW = 240_000;

describe.skipIf(!hostsAvailable())(`a push to ${COUNT} hosts under load`, () => {
  let world: NamespaceWorld;
  let load: Load;
  let last = 0;
  /** What all hosts run. */
  let now: Release;

  const next = (bytes?: number): Promise<Release> => world.release(`v${++last}`, bytes);
  const everywhere = (version: string): string[] => world.all.map(() => version);

  /** How often something was started on each host before this test. */
  let startsBefore: readonly number[] = [];
  /**
   * No request has failed in this test, no host has answered anything but these, and none has gone back: while one
   * process hands over to the next, both answer.
   */
  const expectOnly = async (from: string, to: string): Promise<void> => {
    for (const [host, answers] of await load.answers()) {
      expect([from, to], `${host}: ${answers.join(' ')}`).toEqual(expect.arrayContaining(answers));
      expect(answers.at(-1), host).toBe(to);
    }
    for (const [index, { name, started }] of world.all.entries()) {
      expect([...new Set((await started()).slice(startsBefore[index]))], name).toEqual([to]);
    }
    expect(load.failures()).toEqual([]);
  };
  const expectTidy = async (): Promise<void> => {
    for (const { name, root } of world.all) {
      const left = (await readdir(join(root, '.rookery'))).filter((own) =>
        /^switch|^back|^next|^hook/.test(own),
      );
      expect(left, name).toEqual([]);
    }
  };
  const expectEverywhere = async (release: Release): Promise<void> => {
    expect(await world.versions()).toEqual(everywhere(release.version));
    await load.more();
    await expectTidy();
    now = release;
  };
  const seen = (push: RunningProcess, what: (event: PushEventLine) => boolean): Promise<PushEventLine> =>
    waitFor(() => eventsOf(push).find(what), {
      what: 'an event of the push',
      withinMs: 90_000,
      detail: () => push.output.slice(-3_000),
    });

  beforeAll(async () => {
    world = await namespaceWorld(COUNT);
    now = await next();
    expectOutcome(await world.push(now), 'deployed');
    load = await world.startLoad();
  }, SLOW);
  // What a test that has failed leaves behind is not the next one's.
  beforeEach(async () => {
    if ((await world.versions()).some((version) => version !== now.version)) {
      expectOutcome(await world.push(now), 'deployed');
    }
    await load.answers();
    load.failures();
    startsBefore = await Promise.all(world.all.map(async ({ started }) => (await started()).length));
  }, SLOW);
  afterAll(() => world?.[Symbol.asyncDispose]());

  test('in waves switches without a failed request', { timeout: SLOW }, async () => {
    const before = now;
    const release = await next();
    // Time between the waves, in which the test looks at the hosts.
    await using push = await world.startPush(release, '--settle', '2');
    const waves = ['1', String(Math.ceil(COUNT / 4)), String(COUNT)];
    // Who is not in a wave yet runs the old release.
    await seen(push, ({ event, state, wave }) => event === 'wave' && state === 'started' && wave === 2);
    expect(await world.all.at(-1)!.started()).not.toContain(release.version);
    await push.waitForExit(SLOW);
    const events = eventsOf(push);
    expectOutcome(events, 'deployed');
    expect(events[0]).toMatchObject({ waves: waves.map(Number) });
    await expectEverywhere(release);
    await expectOnly(before.version, release.version);
  });

  test('whose health check fails on the canary never reaches a second host', { timeout: SLOW }, async () => {
    const bad = await world.release('v9-bad');
    expectOutcome(await world.push(bad), 'failed');
    const [canary, ...others] = world.all;
    expect(await canary!.started()).toContain(bad.version);
    for (const { started, revisions } of others) {
      expect(await started()).not.toContain(bad.version);
      expect(await revisions()).not.toContain(bad.version);
    }
    await expectEverywhere(now);
    const answers = await load.answers();
    const ofCanary = answers.get(canary!.name) ?? [now.version];
    expect([bad.version, now.version]).toEqual(expect.arrayContaining(ofCanary));
    expect(ofCanary.at(-1)).toBe(now.version);
    for (const { name } of others) expect(answers.get(name), name).toBeUndefined();
    expect(load.failures()).toEqual([]);
  });

  test.each(
    LARGE
      ? (['fetching', 'fetched', 'switching', 'checking', 'healthy', 'finishing'] as const)
      : (['switching'] as const),
  )('goes on when its coordinator was killed while a host was %s', { timeout: SLOW }, async (state) => {
    const before = now;
    const release = await next();
    const victim = world.all.at(state === 'fetching' || state === 'fetched' ? 0 : 1)!.name;
    await using first = await world.startPush(release);
    await seen(first, ({ event, host, state: now }) => event === 'host' && host === victim && now === state);
    first.kill('SIGKILL');
    await first.waitForExit();
    expect(eventsOf(first).some(({ event }) => event === 'done')).toBe(false);
    expectOutcome(await world.push(release), 'deployed');
    await expectEverywhere(release);
    await expectOnly(before.version, release.version);
  });

  test('ends well when the tracker is killed while all fetch', { timeout: SLOW }, async () => {
    const before = now;
    // As long as everybody needs to know of the others, and hosts that come late, too.
    const limited = [world.office, ...world.all.map(({ host }) => host)];
    for (const one of limited) await one.limitRate({ bitsPerSecond: 8e6 });
    const release = await next(3_000_000);
    await using tracker = await world.rookery(['tracker', '--listen', '0.0.0.0:7070'], /listening/);
    const url = `http://${world.office.address}:7070/announce`;
    await using _origin = await world.rookery(
      ['seed', release.file, release.tree, '--tracker', url],
      /seeding/,
    );
    await using push = await world.startPush(release, '--tracker', url);
    for (const { name } of world.all) {
      await seen(
        push,
        ({ event, host, phase, peers }) =>
          event === 'progress' && host === name && phase === 'fetching' && Number(peers) > 0,
      );
    }
    tracker.kill('SIGKILL');
    const fetched = eventsOf(push).filter(({ event, state }) => event === 'host' && state === 'fetched');
    expect(fetched.length).toBeLessThan(COUNT);
    await push.waitForExit(SLOW);
    for (const one of limited) await one.limitRate({ bitsPerSecond: Number.POSITIVE_INFINITY });
    expectOutcome(eventsOf(push), 'deployed');
    await expectEverywhere(release);
    await expectOnly(before.version, release.version);
  });

  test('of two that are started at once one wins, and the other changes nothing', {
    timeout: SLOW,
  }, async () => {
    const before = now;
    const releases = [await next(), await next()];
    const pushes = await Promise.all(releases.map((release) => world.push(release)));
    const winner = pushes[0]!.at(-1)?.outcome === 'deployed' ? 0 : 1;
    const [won, lost] = [releases[winner]!, releases[1 - winner]!];
    expectOutcome(pushes[winner]!, 'deployed');
    expectOutcome(pushes[1 - winner]!, 'failed');
    expect(JSON.stringify(pushes[1 - winner]!.at(-1))).toContain('"locked"');
    for (const { started, revisions } of world.all) {
      expect(await started()).not.toContain(lost.version);
      expect(await revisions()).not.toContain(lost.version);
    }
    await expectEverywhere(won);
    await expectOnly(before.version, won.version);
  });

  test('names a host that vanishes in its wave, and puts it back when it is there again', {
    timeout: SLOW,
  }, async () => {
    const before = now;
    const release = await next();
    const gone = world.all.at(-1)!;
    // Of 5 hosts 10 % is one: the others go on.
    await using push = await world.startPush(release, '--timeout', '30');
    await seen(
      push,
      ({ event, host, state }) => event === 'host' && host === gone.name && state === 'switching',
    );
    await gone.host.link('down');
    await seen(
      push,
      ({ event, host, state }) => event === 'host' && host === gone.name && state === 'reverting',
    );
    await gone.host.link('up');
    await push.waitForExit(SLOW);
    expectOutcome(eventsOf(push), 'partial');
    const done = eventsOf(push).at(-1)!;
    expect((done.hosts as { host: string }[]).at(-1)).toMatchObject({
      host: gone.name,
      state: 'reverted',
      code: 'time-limit',
    });
    expect(await world.versions()).toEqual([...everywhere(release.version).slice(0, -1), before.version]);
    await load.more();
    await expectTidy();
    expect(load.failures().filter(({ host }) => host !== gone.name)).toEqual([]);

    expectOutcome(await world.push(release), 'deployed');
    await expectEverywhere(release);
    expect(load.failures()).toEqual([]);
  });
});

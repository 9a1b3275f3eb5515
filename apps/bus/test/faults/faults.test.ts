/** One fault after the other at daemons under load, and what their clients saw is checked. */
import { setTimeout as delay } from 'node:timers/promises';
import { hostsAvailable, Random, waitFor } from '@rookery/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Cluster, type HostDaemon, startCluster, stopFor, WIRINGS } from './cluster.ts';
import { startTraffic, type Traffic } from './traffic.ts';

describe.skipIf(!hostsAvailable()).each(WIRINGS)('three hosts, by %s', (wiring) => {
  let cluster: Cluster;
  let traffic: Traffic;
  let all: Cluster['daemons'];
  let one: HostDaemon;
  let two: HostDaemon;
  let three: HostDaemon;

  beforeAll(async () => {
    cluster = await startCluster(wiring);
    all = cluster.daemons;
    [one, two, three] = all;
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  beforeEach(async ({ task }) => {
    traffic = await startTraffic({ cluster, random: new Random(1, task.name), actionsPerSecond: 500 });
  });
  afterEach(async () => {
    await traffic.close();
    await cluster.heal();
  });

  /** Sessions end only with their daemons: two clients have two of them then. */
  async function checked(what: string, { killed = 0 } = {}): Promise<void> {
    const { sent, delivered, views, sessions } = await traffic.check();
    expect(sessions).toBe(2 * (all.length + killed));
    console.log(
      `${wiring}, ${what}: ${sessions} sessions sent ${sent}, were given ${delivered} messages and ${views} views`,
    );
  }

  it('a host whose link goes down: both sides go on, and are one when it is up again', async () => {
    await three.host.link('down');
    await Promise.all([traffic.untilTogether([one, two]), traffic.untilTogether([three])]);
    await Promise.all([traffic.untilGoingOn([one, two]), traffic.untilGoingOn([three])]);
    await three.host.link('up');
    await traffic.untilTogether(all);
    await checked('link');
  });

  it('a killed daemon comes back under its name, and its clients as new sessions', async () => {
    await one.kill();
    await traffic.untilTogether([two, three]);
    await traffic.untilGoingOn([two, three]);
    await one.start();
    await traffic.untilTogether(all);
    await checked('SIGKILL', { killed: 1 });
  });

  it('a daemon that starts while its link is down is let in when it is up', async () => {
    await three.kill();
    await three.host.link('down');
    await three.start();
    await Promise.all([traffic.untilTogether([one, two]), traffic.untilTogether([three])]);
    await three.host.link('up');
    await traffic.untilTogether(all);
    await checked('start without link', { killed: 1 });
  });

  it('one direction between two hosts is lost: somebody goes on, and all are one when it is mended', async () => {
    await two.host.loss({ percent: 100, from: one.host });
    // Which rings form is chance; that one of the three, which reaches and hears both others, goes on isn't.
    await traffic.untilGoingOn([three]);
    await delay(1000);
    await traffic.untilGoingOn([three]);
    await cluster.clearLoss();
    await traffic.untilTogether(all);
    await checked('one direction between two');
  });

  it('a host that hears nobody, though all hear it, is left out until it hears again', async () => {
    await three.host.loss({ percent: 100 });
    await Promise.all([traffic.untilTogether([one, two]), traffic.untilTogether([three])]);
    await traffic.untilGoingOn([one, two]);
    await cluster.clearLoss();
    await traffic.untilTogether(all);
    await checked('one direction between one and all');
  });

  // What follows does not depend on how daemons find each other.
  if (wiring !== 'multicast') return;

  it('all three are parted, go on alone, and are one again', async () => {
    await Promise.all(all.map(({ host }) => host.loss({ percent: 100 })));
    await Promise.all(all.map((daemon) => traffic.untilTogether([daemon])));
    await Promise.all(all.map((daemon) => traffic.untilGoingOn([daemon])));
    await cluster.clearLoss();
    await traffic.untilTogether(all);
    await checked('all parted');
  });

  it('a daemon that stops for 200 ms is not missed', async () => {
    let views = 1;
    // A busy machine may keep us from continuing it in time, or the others from running.
    for (let attempt = 1; attempt <= 5 && views > 0; attempt++) {
      await traffic.untilTogether(all);
      const startMs = performance.now();
      await stopFor(one, 200);
      await traffic.untilGoingOn(all);
      await delay(500);
      views = traffic.networkViews(startMs);
    }
    expect(views).toBe(0);
    await checked('SIGSTOP for 200 ms');
  });

  it('a daemon that stops for 2 s is left out, and let in again', async () => {
    one.pause();
    await traffic.untilTogether([two, three]);
    await traffic.untilGoingOn([two, three]);
    await delay(1500);
    one.resume();
    await traffic.untilTogether(all);
    await checked('SIGSTOP');
  });

  it('one packet in twenty is lost at every host: everything arrives', async () => {
    let views = 3;
    // A daemon that gets no processor for 280 ms is left out, and on a machine with other tests that happens.
    for (let attempt = 1; attempt <= 4 && views > 2; attempt++) {
      await traffic.untilTogether(all);
      const startMs = performance.now();
      await Promise.all(all.map(({ host }) => host.loss({ percent: 5 })));
      await delay(3000);
      await traffic.untilGoingOn(all);
      views = traffic.networkViews(startMs);
      await cluster.clearLoss();
    }
    await checked(`5 % loss, ${views} views by the network`);
    expect(views).toBeLessThanOrEqual(2);
  });

  it('a daemon with another secret disturbs nobody', async () => {
    let views = 1;
    // The start of a program takes the processor from others, too.
    for (let attempt = 1; attempt <= 4 && views > 0; attempt++) {
      await traffic.untilTogether(all);
      const startMs = performance.now();
      const stranger = await cluster.startStranger();
      await delay(1500);
      await traffic.untilGoingOn(all);
      views = traffic.networkViews(startMs);
      await waitFor(() => stranger.output.includes('whose seal is wrong'), { what: 'its complaint' });
      await stranger.kill();
    }
    expect(views).toBe(0);
    await checked('another secret');
  });
});

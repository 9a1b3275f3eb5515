/** Long simulated time with a fault each minute. ROOKERY_TEST_SOAK_HOURS=24 for a day. */
import { Random } from '@rookery/testkit';
import { expect, it } from 'vitest';
import { QuietCluster } from './quiet-cluster.ts';

const MINUTE_MS = 60_000;

it('hours with a fault each minute: every promise is kept, and nothing is left behind', {
  timeout: 3_600_000,
}, async () => {
  const hours = Number(process.env.ROOKERY_TEST_SOAK_HOURS ?? 1);
  const random = new Random(hours, 'soak');
  const cluster = new QuietCluster(3, 1);
  await cluster.start();
  const heapMiB: number[] = [];
  for (let minute = 0; minute < hours * 60; minute++) {
    const member = cluster.member(random.between(1, 3));
    const others = cluster.members.filter((other) => other !== member);
    const fault = random.weighted({ crash: 1, cut: 2, oneWay: 1, stop: 1, loss: 1 });
    cluster.network.conditions = { ...cluster.network.conditions, lossChance: fault === 'loss' ? 0.05 : 0 };
    if (fault === 'crash') member.crash();
    else if (fault === 'cut') cluster.network.partition([[member.id], others.map(({ id }) => id)]);
    else if (fault === 'oneWay') cluster.network.setReachable(member.id, random.pick(others).id, false);
    else if (fault === 'stop') member.stop();
    for (let at = 0; at < MINUTE_MS; at += 500) {
      cluster.clock.schedule(
        () => cluster.member(random.between(1, 3)).submit('safe', random.between(4, 3000)),
        at,
      );
    }
    await cluster.advance(random.between(100, 20_000));
    cluster.network.heal();
    if (member.ring === undefined) member.start();
    member.resume();
    await cluster.advance(MINUTE_MS - (cluster.clock.elapsedMs % MINUTE_MS));
    expect(cluster.shared(cluster.members)).toBe(true);
    // What the test itself remembers would hide what the ring does.
    if (minute % 10 === 9) {
      cluster.check();
      cluster.forget();
      globalThis.gc?.();
      heapMiB.push(process.memoryUsage().heapUsed / 2 ** 20);
    }
  }
  const shown = heapMiB.filter((_, index) => index % Math.ceil(heapMiB.length / 8) === 0);
  console.log(`${hours} simulated h: heap ${shown.map((each) => Math.round(each)).join(', ')} MiB`);
});

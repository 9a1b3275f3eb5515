import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { SimulatedClock } from '@rookery/testkit';
import { expect, test } from 'vitest';
import { inMemory } from '../../test/in-memory.ts';

test('queues that come and go leave nothing in memory, also where no other is', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const clock = new SimulatedClock();
  const { broker } = inMemory({ clock });
  const target = broker.writeTarget('q');
  const body = Buffer.from('x');

  async function comeAndGo(times: number): Promise<number> {
    for (let time = 0; time < times; time += 1) {
      broker.put(target, 0, 0, body, 0, 1);
      broker.delete('q');
      if (time % 1000 === 0) await clock.advance(200);
    }
    collect();
    return process.memoryUsage().heapUsed;
  }

  const before = await comeAndGo(10_000);
  const after = await comeAndGo(50_000);
  expect(after - before).toBeLessThan(2_000_000);
  broker.close();
});

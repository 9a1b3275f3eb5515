/** What the groups count on in an engine, whatever it is made of. */
import { SERVICES } from '@rookery/protocol/websocket';
import { waitFor } from '@rookery/testkit';
import { afterEach, expect, it } from 'vitest';
import type { Engine, EngineOutput } from '../../src/engine/engine.ts';

export interface EngineUnderTest {
  readonly engine: Engine;
  /** Gone from one moment to the next. */
  kill(): Promise<void>;
}

/** Engines of one network, not started; `id`s are 1 and up. */
export type MakeEngines = (count: number) => Promise<EngineUnderTest[]>;

interface Recorded extends EngineUnderTest {
  readonly outputs: EngineOutput[];
}

export function compliance(make: MakeEngines, counts: readonly number[]): void {
  const running: EngineUnderTest[] = [];
  afterEach(async () => {
    await Promise.all(running.splice(0).map(({ engine }) => engine.stop()));
  });

  async function start(count: number): Promise<Recorded[]> {
    const made = await make(count);
    const recorded = made.map((one) => {
      const outputs: EngineOutput[] = [];
      one.engine.onOutput = (output) => outputs.push(output);
      running.push(one);
      return { ...one, outputs };
    });
    await Promise.all(recorded.map(({ engine }) => engine.start()));
    await together(recorded);
    return recorded;
  }

  async function together(engines: readonly Recorded[]): Promise<void> {
    await waitFor(
      () =>
        engines.every(({ engine }) => {
          const { configuration } = engine.status();
          return configuration?.kind === 'regular' && configuration.members.length === engines.length;
        }),
      {
        what: `${engines.length} engines in one configuration`,
        detail: () => JSON.stringify(engines.map(({ engine }) => engine.status())),
      },
    );
  }

  const texts = (outputs: readonly EngineOutput[]) =>
    outputs.flatMap((output) => (output.kind === 'deliver' ? [`${output.sender} ${output.payload}`] : []));

  for (const count of counts) {
    const of = count === 1 ? 'an engine alone' : `${count} engines`;

    it(`${of}: a configuration of all comes before anything is delivered`, async () => {
      const engines = await start(count);
      for (const { outputs } of engines) {
        expect(outputs[0]).toMatchObject({ kind: 'configuration', configuration: { kind: 'regular' } });
      }
    });

    it(`${of}: what all submit is delivered to all in one order, each sender's in its own`, async () => {
      const engines = await start(count);
      const each = 500;
      for (let i = 0; i < each; i++) {
        for (const { engine } of engines) {
          expect(engine.submit(SERVICES[i % SERVICES.length]!, Buffer.from(`${i}`))).toBe(true);
        }
      }
      await waitFor(() => engines.every(({ outputs }) => texts(outputs).length === each * count), {
        what: 'everything to be delivered',
      });
      const order = texts(engines[0]!.outputs);
      for (const { engine, outputs } of engines) {
        expect(texts(outputs)).toEqual(order);
        expect(order.filter((text) => text.startsWith(`${engine.id} `))).toEqual(
          Array.from({ length: each }, (_, i) => `${engine.id} ${i}`),
        );
        expect(engine.queuedBytes).toBe(0);
      }
    });

    it(`${of}: the service is kept, also of nothing at all and of the largest payload`, async () => {
      const engines = await start(count);
      const [{ engine }] = engines as [Recorded];
      const largest = Buffer.alloc(engine.payloadBytesMax, 'x');
      for (const service of SERVICES) expect(engine.submit(service, Buffer.alloc(0))).toBe(true);
      expect(engine.submit('agreed', largest)).toBe(true);
      expect(engine.submit('agreed', Buffer.alloc(engine.payloadBytesMax + 1))).toBe(false);
      await waitFor(() => engines.every(({ outputs }) => texts(outputs).length === SERVICES.length + 1), {
        what: 'everything to be delivered',
      });
      for (const { outputs } of engines) {
        const delivered = outputs.filter((output) => output.kind === 'deliver');
        expect(delivered.slice(0, -1).map(({ service }) => service)).toEqual([...SERVICES]);
        expect(delivered.at(-1)!.payload.equals(largest)).toBe(true);
      }
    });

    it(`${of}: takes no more than it has room for, and all that it took arrives`, async () => {
      const engines = await start(count);
      const [{ engine, outputs }] = engines as [Recorded];
      const payload = Buffer.alloc(Math.floor(engine.payloadBytesMax / 4), 'x');
      let taken = 0;
      while (taken < 10_000 && engine.submit('agreed', payload)) taken++;
      expect(taken).toBeLessThan(10_000);
      expect(engine.queuedBytes).toBeGreaterThan(0);
      await waitFor(() => texts(outputs).length === taken, { what: 'what was taken to arrive' });
      expect(engine.queuedBytes).toBe(0);
      expect(engine.submit('agreed', payload)).toBe(true);
    });

    it(`${of}: may be submitted to from a delivery`, async () => {
      const engines = await start(count);
      for (const { engine, outputs } of engines) {
        engine.onOutput = (output) => {
          outputs.push(output);
          const left = output.kind === 'deliver' && output.sender === engine.id ? Number(output.payload) : 0;
          if (left > 0) engine.submit('agreed', Buffer.from(`${left - 1}`));
        };
        engine.submit('agreed', Buffer.from('50'));
      }
      await waitFor(() => engines.every(({ outputs }) => texts(outputs).length === 51 * count), {
        what: 'the last to come round',
      });
    });

    it(`${of}: what was submitted before a stop goes out`, async () => {
      const engines = await start(count);
      const last = engines.at(-1)!;
      for (let i = 0; i < 20; i++) last.engine.submit('agreed', Buffer.from(`${i}`));
      await last.engine.stop();
      const heard = engines.length === 1 ? last : engines[0]!;
      await waitFor(() => texts(heard.outputs).length === 20, { what: 'the last words' });
      expect(last.engine.submit('agreed', Buffer.from('late'))).toBe(false);
    });

    if (count > 1) {
      it(`${of}: one that is gone is a transition and a configuration without it, in one place of the order`, async () => {
        const engines = await start(count);
        const gone = engines.at(-1)!;
        const others = engines.slice(0, -1);
        for (let i = 0; i < 50; i++)
          for (const { engine } of engines) engine.submit('safe', Buffer.from(`${i}`));
        await gone.kill();
        await together(others);
        for (const { engine } of others) engine.submit('agreed', Buffer.from('after'));
        await waitFor(
          () =>
            others.every(
              ({ outputs }) =>
                texts(outputs).filter((text) => text.endsWith('after')).length === others.length,
            ),
          { what: 'life to go on' },
        );
        const told = others.map(({ outputs }) => {
          const from = outputs.findIndex(
            (one) => one.kind === 'configuration' && one.configuration.members.length === count,
          );
          return outputs.slice(from).map((one) => {
            if (one.kind === 'deliver') return `${one.sender} ${one.payload}`;
            const { kind, members } = one.configuration;
            return `${kind} ${members}`;
          });
        });
        for (const one of told) expect(one).toEqual(told[0]);
        const kinds = told[0]!
          .filter((text) => /regular|transitional/.test(text))
          .map((text) => text.split(' ')[0]);
        expect(kinds).toEqual(['regular', 'transitional', 'regular']);
      });
    }
  }
}
